package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"doorbell/hub"
	"doorbell/hub/bus"
	"doorbell/hub/track/ride"
	"doorbell/orders"
	"doorbell/orders/store/postgres"
	"doorbell/orders/store/sqlite"
	"doorbell/web/auth"
)

// backend is the store of either engine.
type backend interface {
	orders.Store
	orders.TrackStore
	orders.DeviceStore
	Run(ctx context.Context) error
	Close() error
}

// foundation is what a node stands on: different where it is alone, where it has Postgres for itself, and where it is
// one of many.
type foundation struct {
	store backend
	bus   interface {
		Run(ctx context.Context) error
	}
	now   func() time.Time                // the clock all nodes share
	ready func(ctx context.Context) error // of the store and the bus
	near  hub.Recent                      // what the bus keeps of orders; nil = nothing

	positions func(h *hub.Hub) positions        // how positions travel to this hub
	follow    func(orderID string, on bool)     // of an order's positions; nil = they all come
	joined    func(ctx context.Context)         // waits until the bus has found the others; nil = there are none
	more      []func(ctx context.Context) error // what else is to run as long as the bus
	// hear has them told of changes, and returns what is to run for that. It is called once, before anything runs.
	hear func(l listeners) []func(ctx context.Context) error
}

// positions is how couriers' positions travel, and what is kept of them.
type positions interface {
	ride.Channel
	// Last is the last position of an order, if it may still be seen.
	Last(ctx context.Context, orderID string) (hub.Position, bool)
}

// listeners are those who are told what changes.
type listeners struct {
	hub       *hub.Hub
	rides     *ride.Service
	positions positions
	revoked   *auth.Revocations
}

// ofOneProcess is the listeners on the bus of one process. The window of an order's positions closes before the hub tells
// why.
func ofOneProcess(b *bus.Local) func(listeners) []func(context.Context) error {
	return func(l listeners) []func(context.Context) error {
		local := l.positions.(*ride.Local)
		b.Subscribe(local)
		b.Subscribe(l.rides)
		b.Subscribe(l.hub)
		return []func(context.Context) error{local.Run}
	}
}

// openFoundation opens the store and the bus that the configuration names.
func openFoundation(ctx context.Context, a *app, r roles, reg prometheus.Registerer) (foundation, error) {
	switch cfg := a.cfg; {
	case cfg.Postgres == "":
		return openEmbedded(ctx, a, reg)
	case cfg.Redis == "":
		return openSolo(ctx, a, reg)
	default:
		return openNode(ctx, a, r, reg)
	}
}

// openEmbedded is SQLite in the data folder, which no other process may use.
func openEmbedded(ctx context.Context, a *app, reg prometheus.Registerer) (foundation, error) {
	local := bus.NewLocal()
	s, err := sqlite.Open(ctx, sqlite.Config{Dir: a.cfg.Data, Publisher: local, Log: a.log, Registerer: reg})
	if err != nil {
		return foundation{}, err
	}
	return foundation{
		store: s, bus: local, now: wall, ready: s.Ready, hear: ofOneProcess(local),
		positions: func(h *hub.Hub) positions { return ride.NewLocal(h, s, wall) },
	}, nil
}

// openSolo is Postgres for one node alone: without Redis a second one would not hear of what this one does.
func openSolo(ctx context.Context, a *app, reg prometheus.Registerer) (foundation, error) {
	local := bus.NewLocal()
	s, err := postgres.Open(ctx, postgres.Config{
		URL: a.cfg.Postgres, Node: uuid.NewString(), Publisher: local, Solo: true, Wall: wall, Log: a.log, Registerer: reg,
	})
	if err != nil {
		return foundation{}, fmt.Errorf("--postgres: %w", err)
	}
	return foundation{
		store: s, bus: local, now: s.Clock, ready: s.Ready, hear: ofOneProcess(local),
		positions: func(h *hub.Hub) positions { return ride.NewLocal(h, s, s.Clock) },
	}, nil
}

// openNode is one of many nodes, which share Postgres and hear of each other through Redis.
func openNode(ctx context.Context, a *app, r roles, reg prometheus.Registerer) (foundation, error) {
	node := uuid.NewString()
	redis, err := bus.NewRedis(bus.RedisConfig{
		URL: a.cfg.Redis, Prefix: a.cfg.RedisPrefix, Node: node, Publishes: r.api || r.hub, Receives: r.api || r.hub,
		Log: a.log, Registerer: reg,
	})
	if err != nil {
		return foundation{}, fmt.Errorf("--redis: %w", err)
	}
	s, err := postgres.Open(ctx, postgres.Config{
		URL: a.cfg.Postgres, Node: node, Publisher: redis, Restaurants: redis, Wall: wall, Log: a.log, Registerer: reg,
	})
	if err != nil {
		return foundation{}, fmt.Errorf("--postgres: %w", err)
	}
	return foundation{
		store: s, bus: redis, now: s.Clock, near: redis,
		ready: func(ctx context.Context) error {
			if !r.api && !r.callbacks { // sockets stay, and come back by what Redis keeps, while Postgres is away
				return redis.Ready()
			}
			return errors.Join(s.Ready(ctx), redis.Ready())
		},
		positions: func(*hub.Hub) positions { return channel{redis} }, follow: channel{redis}.follow,
		joined: redis.Joined,
		hear: func(l listeners) []func(context.Context) error {
			e := newEars(l, s, a.log)
			redis.Bind(s, e)
			return []func(context.Context) error{e.Run}
		},
	}, nil
}
