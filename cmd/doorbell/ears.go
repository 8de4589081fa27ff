package main

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"doorbell/hub"
	"doorbell/hub/track/ride"
	"doorbell/orders/store/postgres"
	"doorbell/web/auth"
)

// ears is what a node does with what it hears from the others.
type ears struct {
	*hub.Hub
	rides   *ride.Service
	store   *postgres.Store
	revoked *auth.Revocations
	log     zerolog.Logger

	reread chan struct{} // capacity 1: revocations may have been missed
	away   atomic.Bool   // nothing is heard of the others now
}

func newEars(l listeners, s *postgres.Store, log zerolog.Logger) *ears {
	return &ears{Hub: l.hub, rides: l.rides, store: s, revoked: l.revoked, log: log, reread: make(chan struct{}, 1)}
}

const (
	rereadTimeout = 5 * time.Second // for reading all revocations
	rereadEvery   = time.Second     // while they cannot be heard of, or could not be read
)

// Run reads revocations when some may have been missed, and again and again while none can be heard of, until ctx ends.
func (e *ears) Run(ctx context.Context) error {
	t := time.NewTicker(rereadEvery)
	defer t.Stop()
	failed := false
	for {
		select {
		case <-e.reread:
		case <-t.C:
			if !failed && !e.away.Load() {
				continue
			}
		case <-ctx.Done():
			return nil
		}
		err := e.readRevocations(ctx)
		if err != nil && !failed && ctx.Err() == nil {
			e.log.Warn().Err(err).Msg("revocations cannot be read, trying again")
		}
		failed = err != nil
	}
}

func (e *ears) readRevocations(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, rereadTimeout)
	defer cancel()
	stored, err := e.store.Revocations(ctx)
	if err == nil {
		e.revoked.Load(stored)
	}
	return err
}

// RereadRevocations has them read by a read that begins from now on.
func (e *ears) RereadRevocations() {
	select {
	case e.reread <- struct{}{}:
	default:
	}
}

// Degrade is the hub's. What else the others say is read from the database meanwhile.
func (e *ears) Degrade(detail string) {
	e.away.Store(true)
	e.Hub.Degrade(detail)
}

// Recover ends it.
func (e *ears) Recover() {
	e.away.Store(false)
	e.Hub.Recover()
}

// Wants is the hub's, and tells the rides that what a courier carries has changed: it is asked of every change.
func (e *ears) Wants(order, restaurant, courier, previous string) bool {
	e.rides.Heard(courier, previous)
	return e.Hub.Wants(order, restaurant, courier, previous)
}

// Compare is the hub's, after a doubt: what couriers carry is read anew, too.
func (e *ears) Compare(ctx context.Context) error {
	e.rides.Doubt()
	return e.Hub.Compare(ctx)
}

// Position shows where an order's courier is. One that cannot be read is a newer program's: the next comes in seconds.
func (e *ears) Position(orderID string, point []byte) {
	if s, err := ride.DecodeShown(orderID, point); err == nil {
		e.Hub.Locate(s.Position())
	}
}

// Restaurant forgets what is older than a version.
func (e *ears) Restaurant(id string, version int64) { e.store.ForgetRestaurant(id, version) }

// Restaurants forgets them all: a word about one of them may have been lost.
func (e *ears) Restaurants() { e.store.ForgetRestaurants() }

// Revoked voids tokens, and ends the sockets that were opened with them.
func (e *ears) Revoked(sub string, at time.Time) { e.revoked.Revoke(sub, at) }
