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

	addFix
	dropFix
	dropTrack
	keepFirst // of each minute up to a fix: marks it as thinned; where one was marked before, that one stays
	dropOthers
	dropThin
	dropFull

	lockDevices
	addDevice // $6: unless there are so many
	revokeDevice

	dropEndedEvents
	dropEndedTimer
	dropEndedOrder

	orderMark // read after a COMMIT whose outcome is unknown
	restaurantMark
	deviceMark

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

	upToFix = ` AND (at, order_id, device) <= ($1, $2, $3)`
	// betterInMinute counts the fixes for which one must go: earlier ones of its order and minute (60 s in µs), and the
	// one that was kept. It is a count and no EXISTS, which Postgres might answer by a walk through all tracks.
	betterInMinute = `(SELECT COUNT(*) FROM tracks b WHERE b.order_id = tracks.order_id
	AND b.at >= tracks.at - tracks.at % 60000000 AND b.at < tracks.at - tracks.at % 60000000 + 60000000
	AND (b.thinned = 1 OR b.at < tracks.at OR b.at = tracks.at AND b.device < tracks.device))`
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

	addFix: `INSERT INTO tracks (order_id, at, device, courier_id, thinned, data) VALUES ($1, $2, $3, $4, 0, $5)
	ON CONFLICT (order_id, at, device) DO NOTHING`,
	dropFix:    `DELETE FROM tracks WHERE order_id = $1 AND at = $2 AND device = $3`,
	dropTrack:  `DELETE FROM tracks WHERE order_id = $1 AND (at, device) <= ($2, $3)`,
	keepFirst:  `UPDATE tracks SET thinned = 1 WHERE thinned = 0` + upToFix + ` AND ` + betterInMinute + ` = 0`,
	dropOthers: `DELETE FROM tracks WHERE thinned = 0` + upToFix + ` AND ` + betterInMinute + ` > 0`,
	dropThin:   `DELETE FROM tracks WHERE thinned = 1` + upToFix,
	dropFull:   `DELETE FROM tracks WHERE thinned = 0` + upToFix,

	lockDevices: `INSERT INTO device_owners (courier_id, added) VALUES ($1, 1)
	ON CONFLICT (courier_id) DO UPDATE SET added = device_owners.added + 1`,
	addDevice: `INSERT INTO devices (id, courier_id, name, token_hash, created_at, revoked_at)
	SELECT $1, $2, $3, $4, $5, 0 FROM (SELECT COUNT(*) AS valid FROM devices WHERE courier_id = $2 AND revoked_at = 0) d
	WHERE d.valid < $6`,
	revokeDevice: `UPDATE devices SET revoked_at = CASE WHEN revoked_at = 0 THEN $3 ELSE revoked_at END
	WHERE courier_id = $1 AND id = $2`,

	dropEndedEvents: `DELETE FROM events WHERE order_id = $1` + ifWon,
	dropEndedTimer:  `DELETE FROM timers WHERE order_id = $1` + ifWon,
	dropEndedOrder:  `DELETE FROM orders WHERE id = $1 AND change_id = $2`,

	orderMark:      `SELECT change_id FROM orders WHERE id = $1`,
	restaurantMark: `SELECT change_id FROM restaurants WHERE id = $1`,
	deviceMark:     `SELECT id FROM devices WHERE id = $1`,
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

	readTrack = `SELECT at, device, courier_id, data FROM tracks WHERE order_id = $1 AND (at, device) > ($2, $3)
	ORDER BY at, device LIMIT $4`
	readTrackEnd     = `SELECT at, device FROM tracks WHERE order_id = $1 ORDER BY at, device LIMIT 1 OFFSET $2`
	readCourierFixes = `SELECT order_id, at, device FROM tracks WHERE courier_id = $1 LIMIT $2`
	// The last fix of a page before $1, the oldest first; $2 is how many of the page are before it.
	readFullEnd = `SELECT at, order_id, device FROM tracks WHERE thinned = 0 AND at < $1
	ORDER BY at, order_id, device LIMIT 1 OFFSET $2`
	readThinEnd = `SELECT at, order_id, device FROM tracks WHERE thinned = 1 AND at < $1
	ORDER BY at, order_id, device LIMIT 1 OFFSET $2`

	readDevices = `SELECT id, name, token_hash, created_at, revoked_at FROM devices
	WHERE courier_id = $1 AND (revoked_at = 0 OR revoked_at > $2) ORDER BY created_at DESC, id DESC LIMIT $3`
	readDeviceByToken = `SELECT id, courier_id, name, created_at FROM devices WHERE token_hash = $1 AND revoked_at = 0`
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
