package store

// Statement names one text of the write path.
type Statement int

// Text is the SQL of a statement.
func (s Statement) Text() string { return texts[s] }

// The statements of the write path. A comment names the rule that is not in the text.
const (
	addKey Statement = iota
	addOrder
	addKeyedOrder
	setOrder
	setKeyedOrder
	takeKeyBack
	addEvent
	setTimer
	dropTimer

	DropKeys // $1: made before, µs; $2: at most so many. An engine may have a text of its own for it
	addRestaurant
	setRestaurant
	revoke
	markReady

	dropEndedEvents
	dropEndedTimer
	dropEndedOrder

	orderMark // read after a COMMIT whose outcome is unknown
	restaurantMark

	// Statements is how many there are: an engine may number its own from here on.
	Statements
)

// The columns of the tables that are archived, in one order for both engines.
const (
	OrderColumns = `id, seq, change_id, status, payment_status, restaurant_id, customer_id, courier_id,
	shown_to_merchant, is_returning, ended_at, created_at, updated_at, doc`
	EventColumns = `order_id, seq, type, occurred_at, recorded_at, actor_role, actor_id, envelope`
)

// The pieces that several texts share.
const (
	orderValues = `$1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14`

	atBase    = ` WHERE id = $1 AND change_id = $2 AND seq = $3`
	setColumn = `UPDATE orders SET seq = $4, change_id = $5, status = $6, payment_status = $7, courier_id = $8,
	shown_to_merchant = $9, is_returning = $10, ended_at = $11, updated_at = $12, doc = $13`

	// whoWon is what keeps the rows beside an order from being written by a change that lost: they are selected from
	// the order as that change left it.
	whoWon = ` FROM orders WHERE id = $1 AND change_id = $2`
	ifWon  = ` AND EXISTS (SELECT 1` + whoWon + `)`
)

// texts holds the write path's SQL. SQLite and Postgres run it unchanged: $N placeholders, no question mark, no
// FOR UPDATE, no data-modifying CTE.
var texts = [Statements]string{
	addKey: `INSERT INTO idempotency (scope, key, change_id, hash, order_id, status, response, created_at)
	VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (scope, key) DO NOTHING`,
	addOrder: `INSERT INTO orders (` + OrderColumns + `) VALUES (` + orderValues + `) ON CONFLICT (id) DO NOTHING`,
	addKeyedOrder: `INSERT INTO orders (` + OrderColumns + `) SELECT ` + orderValues + ` FROM idempotency
	WHERE scope = $15 AND key = $16 AND change_id = $3 ON CONFLICT (id) DO NOTHING`,
	setOrder: setColumn + atBase,
	setKeyedOrder: setColumn + atBase +
		` AND EXISTS (SELECT 1 FROM idempotency WHERE scope = $14 AND key = $15 AND change_id = $5)`,
	takeKeyBack: `DELETE FROM idempotency WHERE scope = $3 AND key = $4 AND change_id = $2
	AND NOT EXISTS (SELECT 1` + whoWon + `)`,
	addEvent: `INSERT INTO events (` + EventColumns + `)
	SELECT id, $3, $4, $5, $6, $7, $8, $9` + whoWon,
	setTimer: `INSERT INTO timers (order_id, due_at) SELECT id, $3` + whoWon + `
	ON CONFLICT (order_id) DO UPDATE SET due_at = excluded.due_at`,
	dropTimer: `DELETE FROM timers WHERE order_id = $1` + ifWon,

	DropKeys: `DELETE FROM idempotency WHERE (scope, key) IN
	(SELECT scope, key FROM idempotency WHERE created_at < $1 ORDER BY created_at LIMIT $2)`,
	addRestaurant: `INSERT INTO restaurants (id, change_id, version, updated_at, doc) VALUES ($1, $2, $3, $4, $5)
	ON CONFLICT (id) DO NOTHING`,
	setRestaurant: `UPDATE restaurants SET change_id = $2, version = $3, updated_at = $4, doc = $5
	WHERE id = $1 AND version = $6`,
	revoke: `INSERT INTO revocations (sub, at) VALUES ($1, $2)
	ON CONFLICT (sub) DO UPDATE SET at = excluded.at WHERE excluded.at > revocations.at`,
	markReady: `UPDATE meta SET value = $1 WHERE name = 'ready_at'`,

	dropEndedEvents: `DELETE FROM events WHERE order_id = $1` + ifWon,
	dropEndedTimer:  `DELETE FROM timers WHERE order_id = $1` + ifWon,
	dropEndedOrder:  `DELETE FROM orders WHERE id = $1 AND change_id = $2`,

	orderMark:      `SELECT change_id FROM orders WHERE id = $1`,
	restaurantMark: `SELECT change_id FROM restaurants WHERE id = $1`,
}

// The texts that read. Lists are put together in list.go.
const (
	readOrder     = `SELECT change_id, doc FROM orders WHERE id = $1`
	readOwnership = `SELECT seq, status, restaurant_id, customer_id, courier_id, shown_to_merchant, is_returning, ended_at
	FROM orders WHERE id = $1`
	readEvents = `SELECT seq, type, occurred_at, recorded_at, actor_role, actor_id, envelope FROM events
	WHERE order_id = $1 AND seq > $2 ORDER BY seq LIMIT $3`
	readTimers = `SELECT order_id, due_at FROM timers ORDER BY due_at, order_id LIMIT $1`
	readUnpaid = `SELECT COUNT(*) FROM orders
	WHERE customer_id = $1 AND status = 'PENDING' AND payment_status = 'UNPAID'`
	readKey         = `SELECT hash, order_id, status, response, created_at FROM idempotency WHERE scope = $1 AND key = $2`
	readRestaurant  = `SELECT version, updated_at, doc FROM restaurants WHERE id = $1`
	readRevocations = `SELECT sub, at FROM revocations`
)

// Texts that engines share beside the ones of the Store.
const (
	// ReadEnded lists at most $2 orders that ended before $1 (µs), the earliest first. It has the condition of the index
	// orders_ended in it, or the index would not be used.
	ReadEnded = `SELECT ` + OrderColumns + ` FROM orders WHERE ended_at > 0 AND ended_at < $1
	ORDER BY ended_at LIMIT $2`
	// ReadNeeds is the lowest schema level that can work with the database.
	ReadNeeds = `SELECT value FROM meta WHERE name = 'needs'`
)
