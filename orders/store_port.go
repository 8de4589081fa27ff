package orders

import (
	"context"
	"errors"
	"time"
)

// ErrLost says that somebody else changed what a write was based on: read again and apply the guard anew.
var ErrLost = errors.New("orders: lost the compare-and-set")

// ErrKeyTaken says that a commit's idempotency key is there already: read it with Key. Nothing was written.
var ErrKeyTaken = errors.New("orders: idempotency key taken")

// KeyLives is how long an Idempotency-Key is kept.
const KeyLives = 24 * time.Hour

// MaxSeqs is how many orders Store.Seqs reads at a time.
const MaxSeqs = 1000

// The tasks of Store.Claim.
const (
	TaskTimers = "timers"
	TaskSweeps = "sweeps"
	TaskOutbox = "outbox"
)

// Store keeps orders. A write that returned nil was fsynced before. Every method may return Unavailable.
type Store interface {
	// Commit writes one change whole or not at all. ErrLost: the order is no longer at the commit's base;
	// ErrKeyTaken: its idempotency key was used before.
	Commit(ctx context.Context, c Commit) error
	// Order reads one order. NotFound.
	Order(ctx context.Context, id string) (Order, error)
	// Ownership reads what decides who may see the order, without the rest. NotFound.
	Ownership(ctx context.Context, id string) (Ownership, error)
	// Events reads at most limit events after seq, oldest first. An unknown order has none.
	Events(ctx context.Context, orderID string, after int64, limit int) ([]Event, error)
	// List reads a page of orders, newest first; next is "" on the last page.
	List(ctx context.Context, q Query) (page []Order, next string, err error)
	// Due lists at most limit orders whose clock has run out by now, the longest overdue first, and when the next
	// one behind them is due (zero: none).
	Due(ctx context.Context, now time.Time, limit int) (ids []string, next time.Time, err error)
	// Seqs reads the seq of many orders; those it does not know are not in the answer. It is asked for at most MaxSeqs
	// ids at a time.
	Seqs(ctx context.Context, ids []string) (map[string]int64, error)
	// UnpaidOrders counts a customer's orders that are PENDING and UNPAID.
	UnpaidOrders(ctx context.Context, customer string) (int, error)
	// Key reads what was first answered to an idempotency key. NotFound.
	Key(ctx context.Context, scope, key string) (KeyRecord, error)
	// DropKeys deletes at most limit idempotency keys made before t and says how many.
	DropKeys(ctx context.Context, t time.Time, limit int) (int, error)
	// Archive moves orders that ended before t, with their events, out of the live tables, at most limit at a call (a
	// day that goes whole counts whole, and may be more), and says how many. The API no longer knows them.
	Archive(ctx context.Context, t time.Time, limit int) (int, error)

	// Restaurant reads a restaurant, perhaps from memory. NotFound. The caller must not change what it points to.
	Restaurant(ctx context.Context, id string) (*Restaurant, error)
	// PutRestaurant writes r if the stored version is r.Version (0: not there yet) and returns it with the next
	// version. ErrLost.
	PutRestaurant(ctx context.Context, r Restaurant) (*Restaurant, error)

	// Revoke stores that tokens of sub issued at or before the second of t are void.
	Revoke(ctx context.Context, sub string, t time.Time) error
	// Revocations reads all of them: sub to time.
	Revocations(ctx context.Context) (map[string]time.Time, error)

	// Claim asks for a task that one node at a time should do, such as TaskTimers, and reports whether it is this node's.
	// It is, for LeaseFor, and to keep it the node claims again within again (0: it is the only node, and has it for
	// good). A node that is too late may do the same as another: what it does must bear that.
	Claim(ctx context.Context, task string) (mine bool, again time.Duration, err error)
	// Now is the clock that timers go by: the database's where several nodes share it.
	Now(ctx context.Context) (time.Time, error)
	// Ready says whether the store can write.
	Ready(ctx context.Context) error
}

// Commit is one change of one order.
type Commit struct {
	Order      Order   // as it is to be; ChangeID is set by the store
	BaseSeq    int64   // the seq the change was made from; 0 = a new order
	BaseChange string  // the ChangeID the change was made from; "" = a new order
	Events     []Event // may be empty: a change that is nobody's business but the order's, as a wrong PIN is
	DueChanged bool    // Order.Due moved
	Key        *KeyRecord
}

// KeyRecord is what the first request with an Idempotency-Key was answered.
type KeyRecord struct {
	Scope    string // sub and route
	Key      string
	Hash     []byte // SHA-256 of the request
	OrderID  string
	Status   int // HTTP
	Response []byte
	At       time.Time
}

// Query selects orders. Zero fields do not restrict.
type Query struct {
	Customer     string
	Courier      string   // open ones, and those that ended after CourierSince
	Restaurants  []string // shown to the merchant only; nil = any
	CourierSince time.Time
	Status       Status
	UpdatedAfter time.Time // exclusive
	Running      bool      // only what has not ended, or is on its way back
	Cursor       string    // as a page before returned it
	Limit        int
}

// Publisher hands committed changes to everybody who watches. It may lose them: watchers notice the gap in seq and read
// again. The order is already saved, so there is no error to return.
type Publisher interface {
	Publish(o *Order, events []Event)
}
