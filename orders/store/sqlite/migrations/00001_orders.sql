-- +goose Up

-- What this database needs: a program whose schema level is lower than 'needs' refuses to open it. A migration that
-- only adds leaves it alone; one that takes something away raises it to the first level that can do without.
CREATE TABLE meta (
	name  TEXT PRIMARY KEY NOT NULL,
	value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO meta (name, value) VALUES ('needs', 1), ('ready_at', 0);

-- doc is the whole order as JSON, last, so that what decides ownership is read without its pages. The other columns
-- repeat what lists, guards and ownership ask for. Times are microseconds since 1970, 0 = not yet.
CREATE TABLE orders (
	id                TEXT PRIMARY KEY NOT NULL,
	seq               INTEGER NOT NULL,
	change_id         TEXT NOT NULL,
	status            TEXT NOT NULL,
	payment_status    TEXT NOT NULL,
	restaurant_id     TEXT NOT NULL,
	customer_id       TEXT NOT NULL,
	courier_id        TEXT NOT NULL,
	shown_to_merchant INTEGER NOT NULL,
	is_returning      INTEGER NOT NULL,
	ended_at          INTEGER NOT NULL,
	created_at        INTEGER NOT NULL,
	updated_at        INTEGER NOT NULL,
	doc               TEXT NOT NULL
) STRICT;
CREATE INDEX orders_customer ON orders (customer_id, id);
CREATE INDEX orders_restaurant ON orders (restaurant_id, id);
CREATE INDEX orders_courier ON orders (courier_id, id) WHERE courier_id <> '';
CREATE INDEX orders_restaurant_running ON orders (restaurant_id, id) WHERE ended_at = 0;
CREATE INDEX orders_courier_running ON orders (courier_id, id) WHERE courier_id <> '' AND ended_at = 0;
CREATE INDEX orders_unpaid ON orders (customer_id) WHERE status = 'PENDING' AND payment_status = 'UNPAID';
CREATE INDEX orders_ended ON orders (ended_at) WHERE ended_at > 0;

CREATE TABLE events (
	order_id    TEXT NOT NULL,
	seq         INTEGER NOT NULL,
	type        TEXT NOT NULL,
	occurred_at INTEGER NOT NULL,
	recorded_at INTEGER NOT NULL,
	actor_role  TEXT NOT NULL,
	actor_id    TEXT NOT NULL,
	envelope    TEXT NOT NULL,
	PRIMARY KEY (order_id, seq)
) STRICT;

CREATE TABLE timers (
	order_id TEXT PRIMARY KEY NOT NULL,
	due_at   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX timers_due ON timers (due_at, order_id);

CREATE TABLE idempotency (
	scope      TEXT NOT NULL,
	key        TEXT NOT NULL,
	change_id  TEXT NOT NULL,
	hash       BLOB,
	order_id   TEXT NOT NULL,
	status     INTEGER NOT NULL,
	response   BLOB,
	created_at INTEGER NOT NULL,
	PRIMARY KEY (scope, key)
) STRICT;
CREATE INDEX idempotency_created ON idempotency (created_at);

CREATE TABLE restaurants (
	id         TEXT PRIMARY KEY NOT NULL,
	version    INTEGER NOT NULL,
	change_id  TEXT NOT NULL,
	updated_at INTEGER NOT NULL,
	doc        TEXT NOT NULL
) STRICT;

CREATE TABLE revocations (
	sub TEXT PRIMARY KEY NOT NULL,
	at  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
