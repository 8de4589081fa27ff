package bus

import (
	"context"
	"time"

	"doorbell/hub"
	"doorbell/orders"
)

// Store is what the Redis bus needs of the store behind it: what must be published, and the truth. orders/store/postgres
// has it.
type Store interface {
	orders.Outbox
	orders.Generations
	// Order reads one order. NotFound, Unavailable.
	Order(ctx context.Context, id string) (orders.Order, error)
	// Events reads at most limit events after seq, oldest first. Unavailable.
	Events(ctx context.Context, orderID string, after int64, limit int) ([]orders.Event, error)
	// Restaurant reads a restaurant, perhaps from memory. NotFound, Unavailable.
	Restaurant(ctx context.Context, id string) (*orders.Restaurant, error)
	// Revocations reads all of them: sub to time. Unavailable.
	Revocations(ctx context.Context) (map[string]time.Time, error)
	// Claim asks for a task that one node at a time does, as orders.Store says. Unavailable.
	Claim(ctx context.Context, task string) (mine bool, again time.Duration, err error)
}

// Receiver is what a node does with what the bus brings. Except for Compare no method may wait for anything: they are
// called by those who read from Redis.
type Receiver interface {
	// Deliver brings a change. Those of one order come one at a time, and in the order of their seq as long as they are
	// not published anew: then an older seq, or one known already, may come once more.
	Deliver(c hub.Change)
	// Compare compares all that is watched with the database, since something may have been lost. An error has it called
	// again soon.
	Compare(ctx context.Context) error
	// Degrade says that changes may come late from now on, Recover that they no longer do. They alternate.
	Degrade(detail string)
	Recover()

	// Restaurant says that a restaurant changed: what is cached of it and older than version is to be forgotten.
	// math.MaxInt64 where it is not known which version there is now.
	Restaurant(id string, version int64)
	// Restaurants says that everything cached of any restaurant may be old.
	Restaurants()
	// Revoked says that a sub's tokens issued at or before the second of at are void.
	Revoked(sub string, at time.Time)
	// RereadRevocations says that a revocation may have been missed.
	RereadRevocations()
}

// Selective is a Receiver that says what it has use for, so that the rest is not even decoded. The answer is asked for
// at every change in the whole system: it must be quick.
type Selective interface {
	// Wants reports whether anybody here cares for a change of this order; courier is the one it has, previous the one it
	// was last taken from, both "" for none.
	Wants(orderID, restaurant, courier, previous string) bool
}

// PositionReceiver is a Receiver that follows positions, see [Redis.Follow].
type PositionReceiver interface {
	// Position brings the latest position of an order, as PublishPosition was given it. It must not wait or keep point.
	Position(orderID string, point []byte)
}
