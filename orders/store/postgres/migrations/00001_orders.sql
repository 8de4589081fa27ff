-- +goose Up

-- What this database needs: a program whose schema level is lower than 'needs' refuses to open it. A migration that
-- only adds leaves it alone; one that takes something away raises it to the first level that can do without.
CREATE TABLE meta (
	name  TEXT COLLATE "C" PRIMARY KEY,
	value BIGINT NOT NULL
);
INSERT INTO meta (name, value) VALUES ('needs', 1), ('ready_at', 0);

-- The columns are SQLite's. All text that is compared sorts by its bytes, as ids do in Go. The partitions are made by
-- the program (partition.go): from the first id of a day to the first of the next.
CREATE TABLE orders (
	id                TEXT COLLATE "C" NOT NULL,
	seq               BIGINT NOT NULL,
	change_id         TEXT COLLATE "C" NOT NULL,
	status            TEXT COLLATE "C" NOT NULL,
	payment_status    TEXT COLLATE "C" NOT NULL,
	restaurant_id     TEXT COLLATE "C" NOT NULL,
	customer_id       TEXT COLLATE "C" NOT NULL,
	courier_id        TEXT COLLATE "C" NOT NULL,
	shown_to_merchant BIGINT NOT NULL,
	is_returning      BIGINT NOT NULL,
	ended_at          BIGINT NOT NULL,
	created_at        BIGINT NOT NULL,
	updated_at        BIGINT NOT NULL,
	doc               TEXT NOT NULL,
	PRIMARY KEY (id)
) PARTITION BY RANGE (id);
CREATE INDEX orders_customer ON orders (customer_id, id);
CREATE INDEX orders_restaurant ON orders (restaurant_id, id);
CREATE INDEX orders_courier ON orders (courier_id, id) WHERE courier_id <> '';
CREATE INDEX orders_restaurant_running ON orders (restaurant_id, id) WHERE ended_at = 0 OR is_returning = 1;
CREATE INDEX orders_courier_running ON orders (courier_id, id)
	WHERE courier_id <> '' AND (ended_at = 0 OR is_returning = 1);
-- Not by status, unlike SQLite's: a column in any index makes each change of it write to all of them, and the status
-- changes all the time.
CREATE INDEX orders_unpaid ON orders (customer_id) WHERE payment_status = 'UNPAID';
CREATE INDEX orders_ended ON orders (ended_at) WHERE ended_at > 0;

CREATE TABLE events (
	order_id    TEXT COLLATE "C" NOT NULL,
	seq         BIGINT NOT NULL,
	type        TEXT COLLATE "C" NOT NULL,
	occurred_at BIGINT NOT NULL,
	recorded_at BIGINT NOT NULL,
	actor_role  TEXT COLLATE "C" NOT NULL,
	actor_id    TEXT COLLATE "C" NOT NULL,
	envelope    TEXT NOT NULL,
	PRIMARY KEY (order_id, seq)
) PARTITION BY RANGE (order_id);

-- Small tables whose rows come and go are vacuumed by how much changed, not by how large they are.
CREATE TABLE timers (
	order_id TEXT COLLATE "C" PRIMARY KEY,
	due_at   BIGINT NOT NULL
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 5000);
CREATE INDEX timers_due ON timers (due_at, order_id);

CREATE TABLE idempotency (
	scope      TEXT COLLATE "C" NOT NULL,
	key        TEXT COLLATE "C" NOT NULL,
	change_id  TEXT COLLATE "C" NOT NULL,
	hash       BYTEA,
	order_id   TEXT COLLATE "C" NOT NULL,
	status     BIGINT NOT NULL,
	response   BYTEA,
	created_at BIGINT NOT NULL,
	PRIMARY KEY (scope, key)
);
CREATE INDEX idempotency_created ON idempotency (created_at);

CREATE TABLE restaurants (
	id         TEXT COLLATE "C" PRIMARY KEY,
	version    BIGINT NOT NULL,
	change_id  TEXT COLLATE "C" NOT NULL,
	updated_at BIGINT NOT NULL,
	doc        TEXT NOT NULL
) WITH (fillfactor = 70);

CREATE TABLE revocations (
	sub TEXT COLLATE "C" PRIMARY KEY,
	at  BIGINT NOT NULL
);

-- A row for each group that the other nodes are to hear of. about is {"o":[order ids],"r":[restaurant ids],"s":[subs]}.
-- published_at = 0: it waits.
CREATE TABLE outbox (
	id           TEXT COLLATE "C" PRIMARY KEY,
	committed_at BIGINT NOT NULL,
	published_at BIGINT NOT NULL DEFAULT 0,
	about        TEXT NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 2000);
CREATE INDEX outbox_waiting ON outbox (committed_at, id) WHERE published_at = 0;
CREATE INDEX outbox_published ON outbox (published_at) WHERE published_at > 0;

-- Who does what only one node at a time should do, and until when (µs by this database's clock).
CREATE TABLE leases (
	task  TEXT COLLATE "C" PRIMARY KEY,
	node  TEXT COLLATE "C" NOT NULL,
	until BIGINT NOT NULL
) WITH (fillfactor = 50);

-- One row: which life of the bus is now, and on which Redis it was begun.
CREATE TABLE bus (
	one        BIGINT PRIMARY KEY CHECK (one = 1),
	generation TEXT COLLATE "C" NOT NULL,
	run        TEXT COLLATE "C" NOT NULL
);

-- What is over: single orders here, and whole days as tables beside, orders_YYYYMMDD and events_YYYYMMDD.
CREATE SCHEMA IF NOT EXISTS archive;
CREATE TABLE archive.orders (LIKE orders, PRIMARY KEY (id));
CREATE TABLE archive.events (LIKE events, PRIMARY KEY (order_id, seq));
