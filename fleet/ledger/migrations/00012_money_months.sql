-- What the months of owners come to, as the statements job last worked it out; an
-- answer is made of it as long as the inputs are still the same.

-- +goose Up
CREATE TABLE money_months (
    owner    TEXT   NOT NULL,
    month    TEXT   NOT NULL, -- 2026-03
    inputs   TEXT   NOT NULL, -- what it was made of, JSON
    until_at BIGINT NOT NULL, -- from when on time alone changes it; 0: never
    built_at BIGINT NOT NULL,
    payload  BLOB   NOT NULL, -- the statement, JSON packed with DEFLATE
    PRIMARY KEY (owner, month)
);
