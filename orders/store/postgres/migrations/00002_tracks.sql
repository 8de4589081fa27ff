-- +goose Up

-- Fixes of couriers on the way with an order. device is a hash of 64 bits as a signed number. thinned = 1: the first
-- fix of its minute, which stays when the others go.
--
-- Not partitioned: eleven of twelve fixes go within a day, one by one, so dropping whole days would spare little. For
-- the same reason it is vacuumed by how much changed, not by how large it is.
CREATE TABLE tracks (
	order_id   TEXT COLLATE "C" NOT NULL,
	at         BIGINT NOT NULL,
	device     BIGINT NOT NULL,
	courier_id TEXT COLLATE "C" NOT NULL,
	thinned    BIGINT NOT NULL,
	data       BYTEA NOT NULL,
	PRIMARY KEY (order_id, at, device)
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 100000);
CREATE INDEX tracks_full ON tracks (at, order_id, device) WHERE thinned = 0;
CREATE INDEX tracks_thin ON tracks (at, order_id, device) WHERE thinned = 1;
CREATE INDEX tracks_courier ON tracks (courier_id);

CREATE TABLE devices (
	id         TEXT COLLATE "C" PRIMARY KEY,
	courier_id TEXT COLLATE "C" NOT NULL,
	name       TEXT NOT NULL,
	token_hash BYTEA NOT NULL,
	created_at BIGINT NOT NULL,
	revoked_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX devices_token ON devices (token_hash);
CREATE INDEX devices_courier ON devices (courier_id, created_at, id);

-- A row for each courier who ever had a device. Whoever adds one writes to it first, and so waits for whoever else does.
CREATE TABLE device_owners (
	courier_id TEXT COLLATE "C" PRIMARY KEY,
	added      BIGINT NOT NULL
) WITH (fillfactor = 70);
