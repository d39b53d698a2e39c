-- How much each sender has in the quarantine, so that the one with the most
-- makes room when it is full.

-- +goose Up
CREATE TABLE principals (
    principal BLOB   NOT NULL PRIMARY KEY,
    size      BIGINT NOT NULL -- of its entries; more than 0
) WITHOUT ROWID;
INSERT INTO principals (principal, size) SELECT principal, sum(size) FROM entries GROUP BY principal;
CREATE INDEX principals_by_size ON principals (size DESC, principal);
CREATE INDEX entries_by_principal ON entries (principal, id);
