package sqlite

import "doorbell/orders/store"

// archiveTables are a day file's tables: the live ones without their indexes, since such a file is read seldom.
const archiveTables = `
CREATE TABLE IF NOT EXISTS orders (
	id TEXT PRIMARY KEY NOT NULL, seq INTEGER NOT NULL, change_id TEXT NOT NULL, status TEXT NOT NULL,
	payment_status TEXT NOT NULL, restaurant_id TEXT NOT NULL, customer_id TEXT NOT NULL, courier_id TEXT NOT NULL,
	shown_to_merchant INTEGER NOT NULL, is_returning INTEGER NOT NULL, ended_at INTEGER NOT NULL,
	created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL, doc TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS events (
	order_id TEXT NOT NULL, seq INTEGER NOT NULL, type TEXT NOT NULL, occurred_at INTEGER NOT NULL,
	recorded_at INTEGER NOT NULL, actor_role TEXT NOT NULL, actor_id TEXT NOT NULL, envelope TEXT NOT NULL,
	PRIMARY KEY (order_id, seq)
) STRICT;`

const (
	readEventRows = `SELECT ` + store.EventColumns + ` FROM events WHERE order_id = $1 ORDER BY seq`

	// An order that was copied before, and changed since, is replaced by what it became.
	archiveOrder = `INSERT OR REPLACE INTO orders (` + store.OrderColumns + `)
	VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)`
	archiveEvent = `INSERT OR IGNORE INTO events (` + store.EventColumns + `) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`
)
