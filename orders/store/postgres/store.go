package postgres

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"doorbell/orders"
	"doorbell/orders/store"
)

// committers is how many groups of a node are under way at once: while one waits for the disk, the others' rows are
// written. An order is always with the same one.
const committers = 3

// taskPartitions is the claim of the node that makes partitions ahead.
const taskPartitions = "partitions"

// Config is what a Store needs to know.
type Config struct {
	URL  string // postgres://user:password@host:5432/database?sslmode=…; several hosts are parted by commas
	Node string // this node's id, fresh at each start: two nodes of one id would share their claims

	// Solo: this is the only node, without Redis. It keeps others out, and writes no outbox.
	Solo bool

	Publisher   orders.GroupPublisher  // told of each committed group, before its callers are; nil = nobody
	Restaurants orders.RestaurantCache // the cache that the nodes share; nil = none
	Wall        func() time.Time       // this machine's clock; nil = time.Now

	Log        zerolog.Logger        // the zero Logger is silent
	Registerer prometheus.Registerer // where doorbell_store_… is registered until Close; nil = nowhere
}

// Store is one node's part of the store that all share. Its methods may be called from any goroutine.
//
// A write waits for Run to take it. When the caller's context ends before the answer, the caller gets Unavailable, and
// the change may still be committed.
type Store struct {
	*store.Store
	node string
	solo bool
	log  zerolog.Logger

	db         *connector
	pool       *pool
	clock      *clock
	partitions *partitions
	guard      *guard
	metrics    *metrics
	sessions   []*session // owned by Run

	archives sync.Mutex // one Archive at a time
	close    sync.Once
}

var (
	_ orders.Store       = (*Store)(nil)
	_ orders.Outbox      = (*Store)(nil)
	_ orders.Generations = (*Store)(nil)
	_ orders.TrackStore  = (*Store)(nil)
	_ orders.DeviceStore = (*Store)(nil)
)

// Open connects, refuses a server that would lose orders, brings the schema up to date, makes the partitions of the
// next days and learns the database's clock. It starts nothing: writes wait for Run. An error is a sentence for the
// operator, without the password.
func Open(ctx context.Context, cfg Config) (_ *Store, err error) {
	base, err := parseURL(cfg.URL)
	if err != nil {
		return nil, err
	}
	s := &Store{
		node: cfg.Node, solo: cfg.Solo, log: cfg.Log, clock: newClock(cfg.Wall),
		db: &connector{base: base, node: cfg.Node, warn: func(says string) { cfg.Log.Warn().Msg(says) }},
	}
	s.pool = newPool(s.db, s.clock)
	s.partitions = &partitions{db: s.db}
	s.guard = newGuard(s.db, cfg.Solo, cfg.Log, s.pool.forget)
	s.metrics = newMetrics(s.pool, s.clock)
	defer func() {
		if err != nil {
			_ = s.Close()
		}
	}()
	if err := s.prepare(ctx); err != nil {
		var says refusal
		if errors.As(err, &says) {
			return nil, says
		}
		return nil, fmt.Errorf("open Postgres at %s: %w", address(base.Host, base.Port), err)
	}
	s.Store, err = store.New(s.storeConfig(cfg))
	if err != nil {
		return nil, err
	}
	return s, nil
}

func address(host string, port uint16) string { return host + ":" + strconv.Itoa(int(port)) }

// prepare is what Open does at the database.
func (s *Store) prepare(ctx context.Context) error {
	if err := s.guard.open(ctx); err != nil {
		return err
	}
	if err := s.migrate(ctx); err != nil {
		return err
	}
	if err := s.clock.measure(func() (time.Time, error) { return s.pool.askNow(ctx) }); err != nil {
		return err
	}
	if err := s.makeAhead(ctx); err != nil {
		return err
	}
	reach, err := s.partitions.reach(ctx)
	s.metrics.reach.Store(reach.Unix())
	return err
}

// makeAheadTries is how often Open waits for other nodes that make the same partitions, on a server that is busy.
const makeAheadTries = 5

func (s *Store) makeAhead(ctx context.Context) error {
	for try := 1; ; try++ {
		err := s.partitions.makeAhead(ctx, s.clock.now())
		if codeOf(err) != codeLockTimeout || try == makeAheadTries || ctx.Err() != nil {
			return err
		}
	}
}

func (s *Store) migrate(ctx context.Context) error {
	l, err := s.db.connect(ctx, forDDL)
	if err != nil {
		return err
	}
	defer l.bye()
	return migrate(ctx, l)
}

func (s *Store) storeConfig(cfg Config) store.Config {
	out := store.Config{
		Engine: s.pool, Groups: cfg.Publisher, Shared: cfg.Restaurants, Log: cfg.Log, Registerer: cfg.Registerer,
		Metrics: s.metrics.all(),
	}
	breakNext := new(atomic.Pointer[brokenCommit])
	for range committers {
		c := &session{db: s.db, guard: s.guard, partitions: s.partitions, breakNext: breakNext}
		s.sessions = append(s.sessions, c)
		out.Sessions = append(out.Sessions, c)
	}
	if !cfg.Solo {
		out.OutboxRow = outboxRow
	}
	return out
}

// Run writes until ctx ends. Then it commits what waits on the queues, gives its claims back, and returns when every
// goroutine it started has ended; later writes answer Unavailable, reads go on until Close. It may be called once.
//
// While the server is set so that it would lose orders, or another node keeps this one out, everything answers
// Unavailable, the log says what to do, and it goes on by itself afterwards.
func (s *Store) Run(ctx context.Context) (err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var wg sync.WaitGroup
	wg.Go(func() {
		defer cancel()
		err = s.Store.Run(ctx)
	})
	for _, work := range []func(context.Context){s.watchClock, s.watchPartitions, s.countOutbox, s.guard.run} {
		wg.Go(func() { work(ctx) })
	}
	wg.Wait()
	s.giveBack()
	return err
}

// watchPartitions makes the partitions of the days to come, on one node at a time.
func (s *Store) watchPartitions(ctx context.Context) {
	tick := time.NewTicker(partitionsEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := s.makePartitions(ctx); err != nil && ctx.Err() == nil {
			s.log.Error().Err(err).Msg("the partitions of the next days cannot be made: does the user of doorbell own its tables?")
		}
	}
}

// makePartitions makes them, unless another node is at it, and notes how far they reach.
func (s *Store) makePartitions(ctx context.Context) error {
	mine, _, err := s.Claim(ctx, taskPartitions)
	if err == nil && mine {
		err = s.partitions.makeAhead(ctx, s.clock.now())
	}
	if err != nil {
		return err
	}
	reach, err := s.partitions.reach(ctx)
	if err == nil {
		s.metrics.reach.Store(reach.Unix())
	}
	return err
}

// Close ends the store and its connections. If Run runs, its context must have ended: Close waits for it.
func (s *Store) Close() (err error) {
	s.close.Do(func() {
		if s.Store != nil {
			err = s.Store.Close()
		}
		s.guard.close()
		s.pool.Close()
	})
	return err
}
