-- Days are local to the station's site, counted by date from 1970-01-01; times
-- are Unix milliseconds. The columns are sums, to be added up over days; the
-- payload is the whole day as JSON.

-- +goose Up
CREATE TABLE station_days (
    station        TEXT   NOT NULL,
    day            BIGINT NOT NULL,
    rules          TEXT   NOT NULL, -- by which the day was made
    from_ts        BIGINT NOT NULL,
    to_ts          BIGINT NOT NULL,
    heard_ms       BIGINT NOT NULL,
    swaps          BIGINT NOT NULL,
    failures       BIGINT NOT NULL,
    reneged        BIGINT NOT NULL,
    asked          BIGINT NOT NULL,
    ready          BIGINT NOT NULL,
    timed          BIGINT NOT NULL,
    timed_ms       BIGINT NOT NULL,
    returned       BIGINT NOT NULL,
    returned_ms    BIGINT NOT NULL,
    charges        BIGINT NOT NULL,
    charged_mwh    BIGINT NOT NULL,
    handed         BIGINT NOT NULL,
    handed_mwh     BIGINT NOT NULL,
    meter_mwh      BIGINT NOT NULL,
    meter_ms       BIGINT NOT NULL,
    state_ms       BIGINT NOT NULL,
    unavailable_ms BIGINT NOT NULL,
    slot_ms        BIGINT NOT NULL,
    charging_ms    BIGINT NOT NULL,
    slot_total     BIGINT NOT NULL,
    slot_ready     BIGINT NOT NULL,
    slot_charging  BIGINT NOT NULL,
    slot_fault     BIGINT NOT NULL,
    none_ready_ms  BIGINT NOT NULL,
    h00 BIGINT NOT NULL, h01 BIGINT NOT NULL, h02 BIGINT NOT NULL, h03 BIGINT NOT NULL,
    h04 BIGINT NOT NULL, h05 BIGINT NOT NULL, h06 BIGINT NOT NULL, h07 BIGINT NOT NULL,
    h08 BIGINT NOT NULL, h09 BIGINT NOT NULL, h10 BIGINT NOT NULL, h11 BIGINT NOT NULL,
    h12 BIGINT NOT NULL, h13 BIGINT NOT NULL, h14 BIGINT NOT NULL, h15 BIGINT NOT NULL,
    h16 BIGINT NOT NULL, h17 BIGINT NOT NULL, h18 BIGINT NOT NULL, h19 BIGINT NOT NULL,
    h20 BIGINT NOT NULL, h21 BIGINT NOT NULL, h22 BIGINT NOT NULL, h23 BIGINT NOT NULL,
    payload        TEXT   NOT NULL,
    PRIMARY KEY (station, day)
);
CREATE INDEX station_days_by_day ON station_days (day);

CREATE TABLE station_faults (
    station     TEXT   NOT NULL,
    number      BIGINT NOT NULL, -- by when it began
    from_ts     BIGINT NOT NULL,
    to_ts       BIGINT NOT NULL, -- 0: open
    slot        BIGINT NOT NULL, -- 0: the whole station
    code        TEXT   NOT NULL,
    attended_ts BIGINT NOT NULL, -- 0: not reported
    PRIMARY KEY (station, number)
);

CREATE INDEX events_by_type ON events (kind, device, type, ts);
