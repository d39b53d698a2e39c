-- Whom the sender was signed in as, so that a replay asks again whom it may
-- speak for.
--
-- Of older entries it is not known. Where the intake had asked already and said
-- yes, which the reason tells, the sender spoke for the device of the entry: so
-- it may again, and for no other. The rest can't be replayed.

-- +goose Up
ALTER TABLE entries ADD COLUMN sender BLOB NOT NULL DEFAULT x''; -- "kind/id"
ALTER TABLE entries ADD COLUMN trusted INTEGER NOT NULL DEFAULT 0; -- 1: spoke for every device
UPDATE entries SET sender = device
    WHERE length(device) > 0 AND reason NOT IN ('foreign_device', 'unknown_topic');
