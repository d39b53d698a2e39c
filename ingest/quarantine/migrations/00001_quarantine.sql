-- Everything a device or a client chose is a BLOB, for it may be any bytes. The
-- payload comes last, so that reading the other columns does not read past it.

-- +goose Up
CREATE TABLE entries (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    received_at BIGINT NOT NULL, -- Unix milliseconds, UTC
    reason      TEXT   NOT NULL,
    size        BIGINT NOT NULL, -- bytes that the entry counts for
    device      BLOB   NOT NULL,
    principal   BLOB   NOT NULL,
    topic       BLOB   NOT NULL,
    detail      BLOB   NOT NULL,
    payload     BLOB   NOT NULL
);
CREATE INDEX entries_by_reason ON entries (reason);
CREATE INDEX entries_by_device ON entries (device);
CREATE INDEX entries_by_time ON entries (received_at);
