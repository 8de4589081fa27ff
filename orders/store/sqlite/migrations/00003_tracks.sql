-- +goose Up

-- Fixes of couriers on the way with an order. Those of one order lie together: that is how they are read, and a batch of
-- them touches few pages. device is a hash of 64 bits as a signed number. thinned = 1: the first fix of its minute,
-- which stays when the others go.
CREATE TABLE tracks (
	order_id   TEXT NOT NULL,
	at         INTEGER NOT NULL,
	device     INTEGER NOT NULL,
	courier_id TEXT NOT NULL,
	thinned    INTEGER NOT NULL,
	data       BLOB NOT NULL,
	PRIMARY KEY (order_id, at, device)
) STRICT, WITHOUT ROWID;
CREATE INDEX tracks_full ON tracks (at, order_id, device) WHERE thinned = 0;
CREATE INDEX tracks_thin ON tracks (at, order_id, device) WHERE thinned = 1;
CREATE INDEX tracks_courier ON tracks (courier_id);

CREATE TABLE devices (
	id         TEXT PRIMARY KEY NOT NULL,
	courier_id TEXT NOT NULL,
	name       TEXT NOT NULL,
	token_hash BLOB NOT NULL,
	created_at INTEGER NOT NULL,
	revoked_at INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX devices_token ON devices (token_hash);
CREATE INDEX devices_courier ON devices (courier_id, created_at, id);

-- A row for each courier who ever had a device. Whoever adds one writes to it first, and so waits for whoever else does.
CREATE TABLE device_owners (
	courier_id TEXT PRIMARY KEY NOT NULL,
	added      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
