-- +goose Up

-- How often swaps of batteries have been written: who remembers what rests on them
-- asks for it.
INSERT INTO counters (name, value) VALUES ('swaps', 0);

-- +goose Down
DELETE FROM counters WHERE name = 'swaps';
