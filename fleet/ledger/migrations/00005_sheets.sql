-- What people declare of a battery for its passport.

-- +goose Up
CREATE TABLE battery_sheets (
    battery    TEXT   NOT NULL PRIMARY KEY,
    updated_at BIGINT NOT NULL,
    payload    TEXT   NOT NULL -- JSON
);
