-- Which commit of swaps of batteries was the last, for who remembers what rests on
-- them. Not one of counters: under SERIALIZABLE a writer of swaps and one that marks
-- days would be in each other's way there.

-- +goose Up
CREATE TABLE swap_revisions (
    value BIGINT NOT NULL -- of the last commit
);
INSERT INTO swap_revisions (value) VALUES (1);

-- +goose Down
DROP TABLE swap_revisions;
