-- Every entry has a version and can be deleted without being lost; every change
-- leaves its trace; who owned what is kept with its dates. Instants are Unix
-- milliseconds, UTC.

-- +goose Up
ALTER TABLE owners ADD COLUMN version BIGINT NOT NULL DEFAULT 1;
ALTER TABLE owners ADD COLUMN deleted_at BIGINT;

ALTER TABLE sites ADD COLUMN city TEXT;
ALTER TABLE sites ADD COLUMN owner_since BIGINT;
ALTER TABLE sites ADD COLUMN version BIGINT NOT NULL DEFAULT 1;
ALTER TABLE sites ADD COLUMN deleted_at BIGINT;

ALTER TABLE devices ADD COLUMN owner_since BIGINT;
ALTER TABLE devices ADD COLUMN version BIGINT NOT NULL DEFAULT 1;
ALTER TABLE devices ADD COLUMN deleted_at BIGINT;

-- The number of changes so far. A change begins by taking the next number, and
-- so waits for the one before.
CREATE TABLE revisions (
    name  TEXT   NOT NULL PRIMARY KEY,
    value BIGINT NOT NULL
);
INSERT INTO revisions (name, value) VALUES ('registry', 0);

-- Which devices a change was about, for the other processes that know them by
-- heart. Old rows are dropped.
CREATE TABLE touched (
    revision BIGINT NOT NULL,
    kind     TEXT   NOT NULL,
    id       TEXT   NOT NULL,
    PRIMARY KEY (revision, kind, id)
);

CREATE TABLE audit (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    at        BIGINT NOT NULL,
    actor     TEXT   NOT NULL,
    action    TEXT   NOT NULL,
    kind      TEXT   NOT NULL,
    object_id TEXT   NOT NULL,
    was       TEXT, -- JSON before the change; NULL: there was none
    became    TEXT  -- JSON after the change; NULL: there is none
);
CREATE INDEX audit_by_object ON audit (kind, object_id, id);
CREATE INDEX audit_by_time ON audit (at);
CREATE INDEX audit_by_actor ON audit (actor, id);

-- Who owned what, in [from_at, to_at). The intervals of one asset don't overlap.
CREATE TABLE ownership (
    kind     TEXT   NOT NULL,
    id       TEXT   NOT NULL,
    owner_id TEXT   NOT NULL REFERENCES owners (id),
    from_at  BIGINT NOT NULL, -- 0: from the beginning
    to_at    BIGINT,          -- NULL: to this day
    PRIMARY KEY (kind, id, from_at)
);
CREATE INDEX ownership_by_owner ON ownership (owner_id, kind, id, from_at);
INSERT INTO ownership (kind, id, owner_id, from_at) SELECT kind, id, owner_id, 0 FROM devices WHERE owner_id IS NOT NULL;
INSERT INTO ownership (kind, id, owner_id, from_at) SELECT 'site', id, owner_id, 0 FROM sites WHERE owner_id IS NOT NULL;

-- The answers to requests that bore a key, so that a repetition gets the same.
CREATE TABLE answers (
    actor      TEXT   NOT NULL,
    request    TEXT   NOT NULL, -- the key that the client chose
    digest     BLOB   NOT NULL, -- of the request
    status     BIGINT NOT NULL, -- 0: not answered yet
    headers    TEXT   NOT NULL, -- JSON
    body       BLOB   NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (actor, request)
);
CREATE INDEX answers_by_time ON answers (created_at);
