-- How often each job has had a new leader: what a leader saves counts only as
-- long as no other one came after it.

-- +goose Up
CREATE TABLE job_terms (
    job  TEXT   NOT NULL PRIMARY KEY,
    term BIGINT NOT NULL
);
