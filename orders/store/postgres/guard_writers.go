package postgres

import (
	"context"
	"errors"
)

// errNotHeld says that a committer found its node without the installation's lock.
var errNotHeld = errors.New("the lock of the installation is not held")

// guardHolds asks whether a process of the server has a lock.
const guardHolds = `SELECT EXISTS (SELECT FROM pg_locks WHERE ` + ofThisDatabase + ` AND pid = $2)`

// writer makes a committer's connection, for which forget must be called before it ends. Errors: awayError.
func (g *guard) writer(ctx context.Context) (*link, error) {
	l, err := g.db.connect(ctx, forWrites)
	if err != nil {
		return nil, err
	}
	if err := g.admit(ctx, l); err != nil {
		g.forget(l)
		l.drop()
		return nil, awayError{err}
	}
	return l, nil
}

// admit lets a connection write: it gets the lock of writers, and only then looks whether this node has the
// installation's. Another node looks for writers only after it has the installation's lock. So one of the two sees the
// other, however long either was asleep.
func (g *guard) admit(ctx context.Context, l *link) error {
	key := int64(clusterWriters)
	if g.solo {
		key = soloWriters
	}
	if _, err := l.Exec(ctx, `SELECT pg_advisory_lock_shared($1)`, key); err != nil { // nobody has it otherwise than shared
		return err
	}
	for try := 0; ; try++ {
		var held bool
		if err := l.QueryRow(ctx, guardHolds, []int64{installationLock}, int64(g.pid.Load())).Scan(&held); err != nil {
			return err
		}
		if held {
			break
		}
		if try > 0 {
			return errNotHeld
		}
		if err := g.look(ctx); err != nil { // after a restart of the server this may be the first to notice
			return err
		}
	}
	g.mu.Lock()
	g.writers[l] = struct{}{}
	g.mu.Unlock()
	return g.db.may() // asked when cut knows of l
}

// forget is told of a committer's connection that ends.
func (g *guard) forget(l *link) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.writers, l)
}

// cut hangs up on the server for all committers. They notice by themselves; the server gives their locks back.
func (g *guard) cut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for l := range g.writers {
		_ = l.socket.Close()
	}
}
