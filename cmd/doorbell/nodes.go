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
	"doorbell/orders"
	"doorbell/orders/store/postgres"
	"doorbell/orders/store/sqlite"
	"doorbell/web/auth"
)

// backend is the store of either engine.
type backend interface {
	orders.Store
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
	now   func() time.Time                      // the clock all nodes share
	ready func(ctx context.Context) error       // of the store and the bus
	near  hub.Recent                            // what the bus keeps of orders; nil = nothing
	hear  func(h *hub.Hub, r *auth.Revocations) // has the hub told of changes; called once, before anything runs
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
		store: s, bus: local, now: wall, ready: s.Ready,
		hear: func(h *hub.Hub, _ *auth.Revocations) { local.Subscribe(h) },
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
		store: s, bus: local, now: s.Clock, ready: s.Ready,
		hear: func(h *hub.Hub, _ *auth.Revocations) { local.Subscribe(h) },
	}, nil
}

// openNode is one of many nodes, which share Postgres and hear of each other through Redis.
func openNode(ctx context.Context, a *app, r roles, reg prometheus.Registerer) (foundation, error) {
	node := uuid.NewString()
	redis, err := bus.NewRedis(bus.RedisConfig{
		URL: a.cfg.Redis, Prefix: a.cfg.RedisPrefix, Node: node, Publishes: r.api, Receives: r.api || r.hub,
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
		ready: func(ctx context.Context) error { return errors.Join(s.Ready(ctx), redis.Ready()) },
		hear: func(h *hub.Hub, revoked *auth.Revocations) {
			redis.Bind(s, &ears{Hub: h, store: s, revoked: revoked, log: a.log})
		},
	}, nil
}
