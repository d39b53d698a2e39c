-- Which commit was the last to change the standing or the dossier of a battery,
-- for those who keep them in memory.

-- +goose Up
CREATE TABLE battery_revisions (
    value BIGINT NOT NULL -- of the last commit
);
INSERT INTO battery_revisions (value) VALUES (1);

CREATE TABLE battery_changes (
    device   TEXT   NOT NULL PRIMARY KEY,
    revision BIGINT NOT NULL
);
CREATE INDEX battery_changes_by_revision ON battery_changes (revision);
INSERT INTO battery_changes (device, revision)
    SELECT device, 1 FROM battery_standings UNION SELECT device, 1 FROM battery_dossiers;
