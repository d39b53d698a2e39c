-- Instants are Unix milliseconds, UTC; days are counted from 1970-01-01.

-- +goose Up
CREATE TABLE events (
    kind     TEXT   NOT NULL,
    device   TEXT   NOT NULL,
    event_id TEXT   NOT NULL,
    ts       BIGINT NOT NULL,
    type     TEXT   NOT NULL,
    data     BLOB   NOT NULL,
    PRIMARY KEY (kind, device, event_id)
);
CREATE INDEX events_by_device ON events (kind, device, ts);
CREATE INDEX events_by_time ON events (kind, ts);

-- Numbers given out once each, in the order of the commits that took them.
CREATE TABLE counters (
    name  TEXT   NOT NULL PRIMARY KEY,
    value BIGINT NOT NULL
);
INSERT INTO counters (name, value) VALUES ('dirty', 0);

-- Every day that ever took in data, with the number of its latest marking.
CREATE TABLE dirty_days (
    kind   TEXT   NOT NULL,
    device TEXT   NOT NULL,
    day    BIGINT NOT NULL,
    seq    BIGINT NOT NULL,
    PRIMARY KEY (kind, device, day)
) WITHOUT ROWID;
CREATE INDEX dirty_days_by_seq ON dirty_days (seq);

CREATE TABLE job_runs (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    job          TEXT   NOT NULL,
    triggered_by TEXT   NOT NULL,
    started_at   BIGINT NOT NULL,
    ended_at     BIGINT, -- NULL: still open
    window_from  BIGINT NOT NULL DEFAULT 0,
    window_to    BIGINT NOT NULL DEFAULT 0,
    row_count    BIGINT NOT NULL DEFAULT 0,
    error        TEXT   NOT NULL DEFAULT ''
);
CREATE INDEX job_runs_by_job ON job_runs (job, id);
CREATE INDEX job_runs_open ON job_runs (id) WHERE ended_at IS NULL;

CREATE TABLE watermarks (
    job TEXT   NOT NULL PRIMARY KEY,
    seq BIGINT NOT NULL,
    at  BIGINT -- NULL: the job keeps no time
);

-- The payloads are JSON packed with DEFLATE (RFC 1951).
CREATE TABLE rollups (
    kind    TEXT   NOT NULL,
    device  TEXT   NOT NULL,
    day     BIGINT NOT NULL,
    payload BLOB   NOT NULL,
    PRIMARY KEY (kind, device, day)
);

CREATE TABLE capacities (
    kind    TEXT   NOT NULL,
    device  TEXT   NOT NULL,
    method  TEXT   NOT NULL,
    from_ts BIGINT NOT NULL,
    payload TEXT   NOT NULL, -- JSON
    PRIMARY KEY (kind, device, method, from_ts)
);
CREATE INDEX capacities_by_time ON capacities (kind, device, from_ts);
