-- The greatest number of a marking that was handed out to a job: marking a day
-- again is needless as long as its number is greater.

-- +goose Up
INSERT INTO counters (name, value) VALUES ('handed', 0);
