-- What was entered of money. Instants are Unix milliseconds, UTC; amounts are
-- whole minor units of an ISO 4217 currency.

-- +goose Up
CREATE TABLE money_entries (
    id         TEXT   NOT NULL PRIMARY KEY, -- the client's own
    at         BIGINT NOT NULL,
    kind       TEXT   NOT NULL,
    minor      BIGINT NOT NULL,
    currency   TEXT   NOT NULL,
    asset      TEXT   NOT NULL, -- kind/id; empty: of several, or of an owner alone
    among      TEXT   NOT NULL, -- several by weight, JSON; empty: of one asset, or of an owner alone
    owner      TEXT   NOT NULL, -- empty: of assets
    partner    TEXT   NOT NULL,
    note       TEXT   NOT NULL,
    reverses   TEXT   NOT NULL, -- the entry that it takes back; empty: none
    entered_by TEXT   NOT NULL,
    entered_at BIGINT NOT NULL
);
CREATE INDEX money_entries_by_time ON money_entries (at);
CREATE INDEX money_entries_by_asset ON money_entries (asset, at);
CREATE INDEX money_entries_by_owner ON money_entries (owner, at);
CREATE INDEX money_entries_by_reversed ON money_entries (reverses);

-- Prices and contracts. Every version is kept; the greatest is in force, unless
-- its payload is empty: then it was withdrawn.
CREATE TABLE money_terms (
    collection TEXT   NOT NULL, -- price or contract
    id         TEXT   NOT NULL,
    version    BIGINT NOT NULL,
    changed_by TEXT   NOT NULL,
    changed_at BIGINT NOT NULL,
    payload    TEXT   NOT NULL, -- JSON
    PRIMARY KEY (collection, id, version)
);

-- Statements that were closed, as they were told; JSON packed with DEFLATE.
CREATE TABLE money_closings (
    owner     TEXT   NOT NULL,
    month     TEXT   NOT NULL, -- 2026-03
    closed_by TEXT   NOT NULL,
    closed_at BIGINT NOT NULL,
    payload   BLOB   NOT NULL,
    PRIMARY KEY (owner, month)
);
