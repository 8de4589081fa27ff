package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/rs/zerolog"
)

const (
	// installationLock is the advisory lock of the nodes: one alone has it for itself, those of a cluster share it.
	installationLock = 0x646f6f72_6e6f6465
	// lockPatience is how long Open waits for a node that has just gone: its connection may outlive it a little.
	lockPatience = 3 * time.Second
	lockRetry    = 100 * time.Millisecond
	// lockWatch is the pause between looks whether the lock's connection still stands.
	lockWatch = time.Second
)

// errTaken says that the installation's lock is held in a way that keeps this node out.
var errTaken = errors.New("the installation is in use")

const (
	refuseSolo = refusal("another doorbell uses this database, and without Redis neither would hear of the other's changes: " +
		"give every node --redis, or stop the other one")
	refuseShared = refusal("a doorbell without --redis uses this database for itself: stop that one, or give it --redis, too")
)

// guard holds the installation's lock on a connection of its own, whose end gives the lock back.
type guard struct {
	db   *connector
	solo bool
	log  zerolog.Logger

	link *link // nil: not held
	said bool  // that it was lost
}

// open takes the lock, or says who has it and what to do.
func (g *guard) open(ctx context.Context) error {
	end := time.Now().Add(lockPatience)
	for {
		err := g.take(ctx)
		if !errors.Is(err, errTaken) {
			return err
		}
		if time.Now().After(end) {
			return g.refusal()
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(lockRetry):
		}
	}
}

func (g *guard) refusal() error {
	if g.solo {
		return refuseSolo
	}
	return refuseShared
}

// take tries once.
func (g *guard) take(ctx context.Context) error {
	l, err := g.db.connect(ctx, forLock)
	if err != nil {
		return err
	}
	try := `SELECT pg_try_advisory_lock_shared($1)`
	if g.solo {
		try = `SELECT pg_try_advisory_lock($1)`
	}
	var got bool
	err = l.QueryRow(ctx, try, int64(installationLock)).Scan(&got)
	if err == nil && !got {
		err = errTaken
	}
	if err != nil {
		l.drop()
		return err
	}
	g.link = l
	return nil
}

// run keeps the lock until ctx ends: a server that was restarted has forgotten it.
func (g *guard) run(ctx context.Context) {
	tick := time.NewTicker(lockWatch)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		g.look(ctx)
	}
}

func (g *guard) look(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	if g.link != nil {
		if g.link.alive() && g.link.Ping(ctx) == nil {
			return
		}
		g.link.drop()
		g.link = nil
	}
	switch err := g.take(ctx); {
	case err == nil && g.said:
		g.said = false
		g.log.Info().Msg("the lock of the installation is held again")
	case errors.Is(err, errTaken) && !g.said:
		g.said = true
		g.log.Error().Err(g.refusal()).Msg("the lock of the installation was lost")
	}
}

func (g *guard) close() {
	if g.link != nil {
		g.link.bye()
		g.link = nil
	}
}
