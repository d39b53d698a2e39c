-- Keys to the API: who may call it, and as what. The text of a key is not kept,
-- only its digest. Times are Unix milliseconds, UTC; NULL: never.

-- +goose Up
CREATE TABLE api_keys (
    prefix       TEXT   NOT NULL PRIMARY KEY,
    name         TEXT   NOT NULL,
    role         TEXT   NOT NULL,
    owner_id     TEXT   REFERENCES owners (id),
    kind         TEXT,
    device       TEXT,
    hash         BLOB   NOT NULL,
    created_by   TEXT   NOT NULL,
    created_at   BIGINT NOT NULL,
    expires_at   BIGINT,
    last_used_at BIGINT,
    revoked_at   BIGINT,
    FOREIGN KEY (kind, device) REFERENCES devices (kind, id),
    CHECK ((kind IS NULL) = (device IS NULL))
);
CREATE INDEX api_keys_by_owner ON api_keys (owner_id, prefix);
