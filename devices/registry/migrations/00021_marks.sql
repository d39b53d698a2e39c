-- What tells a change from another one with the same number: a server that fell
-- back to an older state gives the numbers that it lost out again. Old rows are
-- dropped, as those of touched are.

-- +goose Up
CREATE TABLE marks (
    revision BIGINT NOT NULL PRIMARY KEY,
    mark     BIGINT NOT NULL -- by chance
);
