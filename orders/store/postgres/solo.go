package postgres

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"
)

// Advisory locks of the nodes: one alone has the installation's for itself, those of a cluster share it. A committer's
// connection shares the lock of its kind of writers, so that a node whose installation's lock was lost with its
// connection is still seen for as long as it can write.
const (
	installationLock = 0x646f6f72_6e6f6465
	soloWriters      = installationLock + 1
	clusterWriters   = installationLock + 2
)

const (
	// lockPatience is how long Open waits for a node that has just gone: its connection may outlive it a little.
	lockPatience = 3 * time.Second
	lockRetry    = 100 * time.Millisecond
	// lockWatch is the pause between looks whether the lock's connection still stands and the server's settings are as
	// they were. A look is one round trip.
	lockWatch = 250 * time.Millisecond
	// lookTimeout is how long a look waits for the server's answer.
	lookTimeout = 2 * time.Second
	// A node takes the lock from a connection of its own that the server has not missed yet: so often it tries…
	evictTries = 10
	evictPause = 20 * time.Millisecond // …and so long it waits in between
)

// errTaken says that the installation's lock is held in a way that keeps this node out.
var errTaken = errors.New("the installation is in use")

const (
	refuseSolo = refusal("another doorbell uses this database, and without Redis neither would hear of the other's changes: " +
		"give every node --redis, or stop the other one")
	refuseShared = refusal("a doorbell without --redis uses this database for itself: stop that one, or give it --redis, too")
)

const (
	// ofThisDatabase selects advisory locks by the upper and lower half of their key.
	ofThisDatabase = `locktype = 'advisory' AND granted AND objsubid = 1
	AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
	AND (classid::bigint << 32 | objid::bigint) = ANY($1)`

	// othersHold asks for locks of other nodes. A node's connections are known by their name, which is of this start.
	othersHold = `SELECT EXISTS (SELECT FROM pg_locks l LEFT JOIN pg_stat_activity a ON a.pid = l.pid
	WHERE ` + ofThisDatabase + ` AND a.application_name IS DISTINCT FROM current_setting('application_name'))`

	// evictOwn ends this node's other connections that have a lock.
	evictOwn = `SELECT COUNT(pg_terminate_backend(l.pid)) FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
	WHERE ` + ofThisDatabase + ` AND l.pid <> pg_backend_pid() AND a.application_name = current_setting('application_name')`
)

// guard holds the installation's lock on a connection of its own, whose end gives the lock back, and looks there whether
// the server still keeps what it confirms. What it finds amiss stops all use of the database until it is mended.
type guard struct {
	db      *connector
	solo    bool
	log     zerolog.Logger
	readers func() // ends the connections that read

	turn chan struct{} // one place: whoever has it owns link
	link *link         // nil: not held
	pid  atomic.Uint32 // the server's process behind link; 0 = none

	mu      sync.Mutex         // guards the following
	writers map[*link]struct{} // the committers' connections
}

func newGuard(db *connector, solo bool, log zerolog.Logger, readers func()) *guard {
	return &guard{db: db, solo: solo, log: log, readers: readers, turn: make(chan struct{}, 1), writers: map[*link]struct{}{}}
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

func (g *guard) refusal() refusal {
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
	if err := g.lock(ctx, l); err != nil {
		l.drop()
		return err
	}
	g.link = l
	g.pid.Store(l.PgConn().PID())
	return nil
}

// lock takes the lock on a connection. Then it looks for writers it would not get on with. In this order no writer is
// missed: one that comes later finds that its own node has not the lock, see admit.
func (g *guard) lock(ctx context.Context, l *link) error {
	try, rivals := `SELECT pg_try_advisory_lock_shared($1)`, []int64{soloWriters}
	if g.solo {
		try, rivals = `SELECT pg_try_advisory_lock($1)`, []int64{soloWriters, clusterWriters}
	}
	for n := 1; ; n++ {
		var got bool
		if err := l.QueryRow(ctx, try, int64(installationLock)).Scan(&got); err != nil {
			return err
		}
		if got {
			break
		}
		var evicted int
		if err := l.QueryRow(ctx, evictOwn, []int64{installationLock}).Scan(&evicted); err != nil {
			return err
		}
		if n > 1 && evicted == 0 || n == evictTries { // the first look may see what has just ended
			return errTaken
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(evictPause):
		}
	}
	var taken bool
	err := l.QueryRow(ctx, othersHold, rivals).Scan(&taken)
	if err == nil && taken {
		err = errTaken
	}
	return err
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
		_ = g.look(ctx) // said in the log if it matters
	}
}

// look makes sure of the lock and of the server's settings, and stops or allows the use of the database. It is not
// broken off when ctx ends, for that would cost the lock. Errors: awayError, a refusal inside one if it stopped the use.
func (g *guard) look(ctx context.Context) error {
	select {
	case g.turn <- struct{}{}:
		defer func() { <-g.turn }()
	case <-ctx.Done():
		return awayError{context.Cause(ctx)}
	}
	err := g.keep(context.WithoutCancel(ctx))
	if errors.Is(err, errTaken) {
		err = g.refusal()
	}
	var says refusal
	switch {
	case err == nil:
		g.allow()
		return nil
	case errors.As(err, &says):
		g.refuse(says)
	}
	return awayError{err}
}

// keep checks the connection that has the lock, or takes the lock on another one.
func (g *guard) keep(ctx context.Context) error {
	if g.link != nil {
		if g.link.alive() {
			ctx, cancel := context.WithTimeout(ctx, lookTimeout)
			defer cancel()
			err := g.db.check(ctx, g.link.PgConn(), forLock)
			var says refusal
			if err == nil || errors.As(err, &says) {
				return err
			}
		}
		g.pid.Store(0)
		g.link.drop()
		g.link = nil
	}
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	return g.take(ctx)
}

// refuse stops all use of the database, and ends the connections.
func (g *guard) refuse(says refusal) {
	if before := g.db.refused.Swap(&says); before == nil || *before != says {
		g.log.Error().Err(says).Str("kind", "unavailable").Msg("the database is not used until this is mended")
	}
	g.cut()
	g.readers()
}

func (g *guard) allow() {
	if g.db.refused.Swap(nil) != nil {
		g.log.Info().Msg("the database is used again")
	}
}

func (g *guard) close() {
	g.turn <- struct{}{}
	defer func() { <-g.turn }()
	if g.link != nil {
		g.pid.Store(0)
		g.link.bye()
		g.link = nil
	}
}
