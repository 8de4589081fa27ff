package orders

import (
	"context"
	"time"
)

// What several nodes that share a store need of it, beside Store. orders/store/postgres has it all; hub/bus uses it.

const (
	// OutboxAge is how long a committed group may stay unpublished before somebody else publishes it.
	OutboxAge = 500 * time.Millisecond
	// OutboxKept is how long a published row stays: a Redis that forgot what it took is given it again.
	OutboxKept = 60 * time.Second
	// LeaseFor is how long a node that died keeps the work it had claimed.
	LeaseFor = 1500 * time.Millisecond
)

// Committed is a change of an order that was committed.
type Committed struct {
	Order  *Order  // after the change; nobody changes what it points to
	Events []Event // what the change added, oldest first
}

// Revocation voids the tokens of a sub issued at or before the second of At.
type Revocation struct {
	Sub string
	At  time.Time
}

// Group is what one transaction of a node committed, as it is published to the others.
type Group struct {
	Row         string        // its row of the outbox
	Orders      []Committed   // each order once
	Restaurants []*Restaurant // nobody changes what they point to
	Revocations []Revocation
}

// GroupPublisher hands committed groups to all nodes, this one included, and marks their rows in the outbox once they
// are out. It is called behind the COMMIT, by several committers: groups of one order come one after another, in the
// order of its seq. It must not block; what it loses, the outbox brings again.
type GroupPublisher interface {
	PublishGroup(g Group)
}

// OutboxRow says what a group was about. What is published is read anew: the latest state is all that counts.
type OutboxRow struct {
	ID          string
	Orders      []string // ids
	Restaurants []string // ids
	Subs        []string // whose tokens were revoked
}

// Outbox holds a row for every group until OutboxKept after it was published. Every method may return Unavailable.
type Outbox interface {
	// Waiting lists at most limit rows that were committed at least age ago and are not marked as published, newest
	// first: what they are about is published as it is now, and behind that an older row has nothing to say.
	Waiting(ctx context.Context, age time.Duration, limit int) ([]OutboxRow, error)
	// OldestWaiting is how long the oldest row that is not marked has waited, 0 = none does. It is asked every second.
	OldestWaiting(ctx context.Context) (time.Duration, error)
	// MarkPublished notes that rows are out. A row that is not there is left out.
	MarkPublished(ctx context.Context, rows []string) error
	// PublishAgain makes every row that was marked before a moment wait again: Redis is not the one it was then. It
	// returns how many.
	PublishAgain(ctx context.Context, before time.Time) (int, error)
	// DropPublished deletes at most limit rows that were published OutboxKept ago, and says how many.
	DropPublished(ctx context.Context, limit int) (int, error)
}

// Generation is one life of what the bus keeps in Redis: after any doubt another one begins, and what the old one left
// is never read.
type Generation struct {
	ID  string // UUIDv7
	Run string // which Redis it was begun on: its run_id, or those of a Cluster's masters; "" = not known yet
}

// Generations holds the generation of the installation, where every node sees it.
type Generations interface {
	// Generation reads it; the first call of an installation makes one.
	Generation(ctx context.Context) (Generation, error)
	// RenewGeneration begins another on run if the one there is old, and returns what is there then: its own, or that of
	// a node which was faster.
	RenewGeneration(ctx context.Context, old, run string) (Generation, error)
}

// RestaurantCache is the level of cache that all nodes share. It may forget, and never answers with a restaurant older
// than one it was given.
type RestaurantCache interface {
	CachedRestaurant(ctx context.Context, id string) (*Restaurant, bool)
	// CacheRestaurant must not block.
	CacheRestaurant(r *Restaurant)
}
