package callback

import (
	"context"
	"time"

	"doorbell/orders"
)

// Store is where rows wait. Two engines can fill it with one set of SQL text on these tables (times BIGINT µs):
//
//	callbacks          endpoint, lane, seq, kind, shard, class, acked_by, made_at, due_at, expires_at, attempt, parked
//	                   PRIMARY KEY (endpoint, lane, seq, kind); INDEX (lane); INDEX (shard, made_at)
//	callback_endpoints id, url, owner…, state, secrets, failing_since, noticed
//	callback_origins   origin, proven_at
//	callback_shards    shard, node        one row each, made by the migration
//	callback_nodes     node, until
//
// Nothing reads by due_at: who holds a shard knows all of it. Rows are inserted by the store's own transaction of the
// order, from what [Rows] says; of a notificationUrl also the endpoint, where it is not there. Every method may return
// Unavailable, and is then tried again.
type Store interface {
	// Hold renews this node's lease for orders.LeaseFor, gives back the shards named, takes shards whose holder has no
	// lease until this node has its share (all shards by all nodes with a lease, rounded up), and says what it holds. The
	// taking repeats its condition in the UPDATE, so that of two nodes one wins.
	Hold(ctx context.Context, give []int) (Holding, error)
	// Release ends this node's lease and gives back all it holds.
	Release(ctx context.Context) error

	// Waiting reads at most limit rows of a shard that wait, behind a key, in the order of keys, without bodies.
	Waiting(ctx context.Context, shard int, after Key, limit int) ([]Row, error)
	// OfLanes reads all rows that wait in the named lanes, at most MaxLanes, at whichever endpoint, with bodies.
	OfLanes(ctx context.Context, lanes []string) ([]Row, error)
	// MadeSince lists rows of these shards that wait and were made at or after t, oldest first, at most limit: Key and Made.
	MadeSince(ctx context.Context, shards []int, t time.Time, limit int) ([]Row, error)
	// Body reads what a row is sent with, as Row.Body. NotFound.
	Body(ctx context.Context, k Key) ([]byte, error)
	// Endpoints reads endpoints, at most MaxLanes; those that are not there, or deleted, are not in the answer.
	Endpoints(ctx context.Context, ids []string) ([]Endpoint, error)

	// Settle writes what became of rows, and changes of endpoints, in one transaction. A row that is over is deleted, or
	// parked; one that goes on waiting gets the new Due and Attempt if its attempt is the one before, so that a node
	// which came too late changes nothing. A row that is not there is left out.
	Settle(ctx context.Context, b Batch) error
}

// MaxLanes is how many lanes or endpoints are asked for at a time.
const MaxLanes = 256

// Holding is what a node holds.
type Holding struct {
	Shards []int
	Nodes  int           // with a lease, this one included
	Now    time.Time     // the store's clock, by which all times of rows are
	Again  time.Duration // renew within; 0 = the only node, which has all shards for good
	Free   time.Time     // when the lease of another node that still holds shards runs out next; zero: no other
}

// Batch is what Settle writes.
type Batch struct {
	Rows      []Settlement
	Endpoints []Health
	Proven    []string // origins that answered 2xx for the first time
}

// Settlement is what became of a row.
type Settlement struct {
	Key
	Outcome Outcome
	Before  int       // the row's Attempt as it was
	Attempt int       // of Again and Deferred: as it is to be
	Due     time.Time // of Again and Deferred
	Try     *Try      // nil: it was not tried
}

// waits reports whether the row goes on waiting.
func (s *Settlement) waits() bool { return s.Outcome == Again || s.Outcome == Deferred }

// Try is one try, for the log of its endpoint.
type Try struct {
	At      time.Time // by the store's clock
	Outcome Outcome
	Answer  Answer
}

// Health is how an endpoint fares, as far as the engine changes it.
type Health struct {
	Endpoint     string
	State        State
	Reason       string // of a disabled one
	FailingSince time.Time
	Noticed      bool
}

// Notices hears what ops should know. It must not block.
type Notices interface {
	Notice(n Notice)
}

// NoticeType names an operator event.
type NoticeType string

const (
	EndpointFailing   NoticeType = "endpoint.failing"   // its breaker opened; told once until it recovers
	EndpointDisabled  NoticeType = "endpoint.disabled"  // nothing more is sent; Reason says why
	EndpointRecovered NoticeType = "endpoint.recovered" // first success after EndpointFailing
)

// Notice is one operator event.
type Notice struct {
	Type     NoticeType
	Endpoint string
	Owner    orders.Caller
	Reason   string
	Since    time.Time // of the first failure
	At       time.Time
}
