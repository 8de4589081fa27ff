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

	rereading atomic.Bool
}

// rereadTimeout bounds reading all revocations anew.
const rereadTimeout = 5 * time.Second

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

// RereadRevocations learns of those that were not heard of, beside whatever else happens, one reading at a time.
func (e *ears) RereadRevocations() {
	if !e.rereading.CompareAndSwap(false, true) {
		return
	}
	go func() {
		defer e.rereading.Store(false)
		ctx, cancel := context.WithTimeout(context.Background(), rereadTimeout)
		defer cancel()
		stored, err := e.store.Revocations(ctx)
		if err != nil {
			e.log.Warn().Err(err).Msg("revocations could not be read, will be tried at the next doubt")
			return
		}
		e.revoked.Load(stored)
	}()
}
