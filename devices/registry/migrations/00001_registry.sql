-- Times are Unix milliseconds, UTC. Columns that a device does not have, or
-- whose value nobody gave, are NULL.

-- +goose Up
CREATE TABLE owners (
    id         TEXT   NOT NULL PRIMARY KEY,
    name       TEXT   NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);

CREATE TABLE sites (
    id         TEXT   NOT NULL PRIMARY KEY,
    owner_id   TEXT   REFERENCES owners (id),
    name       TEXT   NOT NULL,
    time_zone  TEXT   NOT NULL,
    latitude   DOUBLE PRECISION,
    longitude  DOUBLE PRECISION,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);

CREATE TABLE devices (
    kind              TEXT   NOT NULL CHECK (kind IN ('battery', 'building', 'station')),
    id                TEXT   NOT NULL,
    owner_id          TEXT   REFERENCES owners (id),
    site_id           TEXT   REFERENCES sites (id),
    name              TEXT,
    serial            TEXT,
    status            TEXT   NOT NULL CHECK (status IN ('unclaimed', 'active', 'retired')),
    gateway_kind      TEXT,
    gateway_id        TEXT,
    commissioned      BIGINT,
    created_at        BIGINT NOT NULL,
    updated_at        BIGINT NOT NULL,
    slots             BIGINT,
    chemistry         TEXT,
    rated_capacity_ah DOUBLE PRECISION,
    rated_voltage_v   DOUBLE PRECISION,
    cutoff_voltage_v  DOUBLE PRECISION,
    floor_area_m2     DOUBLE PRECISION,
    PRIMARY KEY (kind, id),
    FOREIGN KEY (gateway_kind, gateway_id) REFERENCES devices (kind, id),
    CHECK ((gateway_kind IS NULL) = (gateway_id IS NULL)),
    -- A device that nobody claimed has no owner.
    CHECK (status = 'retired' OR (status = 'unclaimed') = (owner_id IS NULL))
);

CREATE INDEX devices_by_owner ON devices (kind, owner_id, id);
CREATE INDEX devices_by_site ON devices (kind, site_id, id);
CREATE INDEX devices_by_gateway ON devices (gateway_kind, gateway_id);
CREATE INDEX sites_by_owner ON sites (owner_id, id);

CREATE TABLE credentials (
    kind       TEXT   NOT NULL,
    id         TEXT   NOT NULL,
    username   TEXT   NOT NULL UNIQUE,
    salt       BLOB   NOT NULL,
    hash       BLOB   NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (kind, id),
    FOREIGN KEY (kind, id) REFERENCES devices (kind, id)
);
