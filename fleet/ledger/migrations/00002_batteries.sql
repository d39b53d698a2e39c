-- What batteries went through and what that says of them. Payloads are in the
-- layout of fleet/battery/dossier. Days are counted from 1970-01-01, UTC.

-- +goose Up
DROP TABLE capacities;

CREATE TABLE battery_days (
    device   TEXT   NOT NULL,
    day      BIGINT NOT NULL,
    readings BIGINT NOT NULL,
    use      BLOB   NOT NULL,
    found    BLOB   NOT NULL,
    PRIMARY KEY (device, day)
);

CREATE TABLE battery_dossiers (
    device TEXT NOT NULL PRIMARY KEY,
    state  BLOB NOT NULL
);

CREATE TABLE battery_points (
    device TEXT NOT NULL PRIMARY KEY,
    points BLOB NOT NULL
);

CREATE TABLE battery_history (
    device TEXT   NOT NULL,
    day    BIGINT NOT NULL,
    record BLOB   NOT NULL,
    PRIMARY KEY (device, day)
);

-- One row for each battery; NULL where a number is not known.
CREATE TABLE battery_standings (
    device                  TEXT   NOT NULL PRIMARY KEY,
    day                     BIGINT NOT NULL,
    first_day               BIGINT NOT NULL,
    days                    BIGINT NOT NULL,
    told_day                BIGINT NOT NULL,
    commissioned_at         BIGINT NOT NULL, -- 0: not known
    status                  TEXT   NOT NULL,
    reason                  TEXT   NOT NULL,
    health_score            DOUBLE PRECISION,
    confidence              DOUBLE PRECISION,
    capacity_ah             DOUBLE PRECISION,
    soh_pct                 DOUBLE PRECISION,
    soh_err_pct             DOUBLE PRECISION,
    energy_soh_pct          DOUBLE PRECISION,
    resistance_mohm         DOUBLE PRECISION,
    resistance_increase_pct DOUBLE PRECISION,
    imbalance_mv            DOUBLE PRECISION,
    self_discharge_pct      DOUBLE PRECISION,
    round_trip_pct          DOUBLE PRECISION,
    calendar_share          DOUBLE PRECISION,
    behind_knee             BIGINT NOT NULL,
    outlook_status          TEXT   NOT NULL,
    outlook_reason          TEXT   NOT NULL,
    ended                   BIGINT NOT NULL,
    rul_days_low            DOUBLE PRECISION,
    rul_days                DOUBLE PRECISION,
    rul_days_high           DOUBLE PRECISION,
    rul_cycles_low          DOUBLE PRECISION,
    rul_cycles              DOUBLE PRECISION,
    rul_cycles_high         DOUBLE PRECISION,
    replace_at_low          DOUBLE PRECISION,
    replace_at              DOUBLE PRECISION,
    replace_at_high         DOUBLE PRECISION,
    efc                     DOUBLE PRECISION,
    efc_per_day             DOUBLE PRECISION,
    throughput_wh           DOUBLE PRECISION NOT NULL,
    utilization             DOUBLE PRECISION,
    idle                    DOUBLE PRECISION,
    availability            DOUBLE PRECISION,
    use_coverage            DOUBLE PRECISION NOT NULL,
    swaps                   BIGINT NOT NULL,
    swaps_per_day           DOUBLE PRECISION,
    energy_per_swap_wh      DOUBLE PRECISION,
    events                  BIGINT NOT NULL,
    warranty                TEXT   NOT NULL,
    covered                 BIGINT NOT NULL,
    claim                   BIGINT NOT NULL,
    soc_pct                 DOUBLE PRECISION,
    soc_at                  BIGINT NOT NULL
);
CREATE INDEX battery_standings_by_score ON battery_standings (health_score);
CREATE INDEX battery_standings_by_replacement ON battery_standings (replace_at);

-- Swaps of a battery at a station on a day.
CREATE TABLE battery_swaps (
    station   TEXT   NOT NULL,
    day       BIGINT NOT NULL,
    battery   TEXT   NOT NULL,
    swaps_in  BIGINT NOT NULL,
    swaps_out BIGINT NOT NULL,
    PRIMARY KEY (station, day, battery)
);
CREATE INDEX battery_swaps_by_battery ON battery_swaps (battery, day);

-- The use of each battery on the day that has not ended.
CREATE TABLE battery_today (
    device  TEXT   NOT NULL PRIMARY KEY,
    day     BIGINT NOT NULL,
    through BIGINT NOT NULL, -- Unix milliseconds, of the newest reading counted
    use     BLOB   NOT NULL
);
