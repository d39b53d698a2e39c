-- A rotated credential keeps its old secret until previous_until. A device has
-- any number of client certificates, each known by its common name.

-- +goose Up
ALTER TABLE credentials ADD COLUMN previous_salt BLOB;
ALTER TABLE credentials ADD COLUMN previous_hash BLOB;
ALTER TABLE credentials ADD COLUMN previous_until BIGINT; -- Unix milliseconds, UTC

CREATE TABLE certificates (
    common_name TEXT   NOT NULL PRIMARY KEY,
    kind        TEXT   NOT NULL,
    id          TEXT   NOT NULL,
    created_at  BIGINT NOT NULL,
    FOREIGN KEY (kind, id) REFERENCES devices (kind, id)
);
CREATE INDEX certificates_by_device ON certificates (kind, id);
