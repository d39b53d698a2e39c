-- All times are Unix milliseconds, UTC; 0 where there is none.

-- +goose Up
CREATE TABLE presence (
    kind       TEXT   NOT NULL,
    id         TEXT   NOT NULL,
    first_seen BIGINT NOT NULL,
    last_seen  BIGINT NOT NULL,
    newest     BIGINT NOT NULL, -- time of the newest reading or event
    offline    BIGINT NOT NULL, -- time of the newest status offline
    since      BIGINT NOT NULL, -- when the device came
    pace       BIGINT NOT NULL, -- learned time between messages, milliseconds
    PRIMARY KEY (kind, id)
) WITHOUT ROWID;

CREATE TABLE clocks (
    kind   TEXT NOT NULL,
    id     TEXT NOT NULL,
    spells TEXT NOT NULL, -- JSON
    PRIMARY KEY (kind, id)
) WITHOUT ROWID;
