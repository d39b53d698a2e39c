-- +goose Up
-- What owners enter about their buildings. A collection is intervention,
-- adjustment, settings, tariff or grid; the scope of the first three is the
-- building, that of the others is empty. The payload is JSON.
CREATE TABLE building_entries (
    collection TEXT   NOT NULL,
    scope      TEXT   NOT NULL,
    id         TEXT   NOT NULL,
    revision   BIGINT NOT NULL, -- greater after every change
    refers     TEXT   NOT NULL DEFAULT '', -- of settings: the device whose temperature the building takes
    updated_at BIGINT NOT NULL,
    payload    TEXT   NOT NULL,
    PRIMARY KEY (collection, scope, id)
);
CREATE INDEX building_entries_by_scope ON building_entries (scope);
CREATE INDEX building_entries_by_refers ON building_entries (refers);

-- Imported series: weather and typical, whose id is building/ID or site/ID;
-- price, of a tariff; factor, of a grid.
CREATE TABLE building_series (
    collection TEXT   NOT NULL,
    id         TEXT   NOT NULL,
    revision   BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    source     TEXT   NOT NULL, -- in words
    points     BIGINT NOT NULL,
    from_ts    BIGINT NOT NULL,
    to_ts      BIGINT NOT NULL, -- until when the last value holds
    payload    BLOB   NOT NULL,
    PRIMARY KEY (collection, id)
);

-- The days of a building, thinned, and what they and the result were made with.
CREATE TABLE building_days (
    building TEXT   NOT NULL,
    day      BIGINT NOT NULL,
    payload  BLOB   NOT NULL,
    PRIMARY KEY (building, day)
);
CREATE TABLE building_states (
    building  TEXT NOT NULL PRIMARY KEY,
    prepared  TEXT NOT NULL,
    evaluated TEXT NOT NULL
);

-- The newest result of a building, by its parts: JSON packed with DEFLATE.
CREATE TABLE building_results (
    building TEXT   NOT NULL,
    part     TEXT   NOT NULL,
    as_of    BIGINT NOT NULL,
    payload  BLOB   NOT NULL,
    PRIMARY KEY (building, part)
);

-- What was said of a building at the end of a day; JSON.
CREATE TABLE building_history (
    building TEXT   NOT NULL,
    as_of    BIGINT NOT NULL,
    headline TEXT   NOT NULL,
    PRIMARY KEY (building, as_of)
);

-- +goose Down
DROP TABLE building_history;
DROP TABLE building_results;
DROP TABLE building_states;
DROP TABLE building_days;
DROP TABLE building_series;
DROP TABLE building_entries;
