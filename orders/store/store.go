package store

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"doorbell/orders"
)

// Config is what a Store needs to know.
type Config struct {
	Engine   Engine
	Sessions []Session // one committer each; the Store closes them

	Publisher orders.Publisher        // told of each committed change that has events, before its caller is; nil = nobody
	Groups    orders.GroupPublisher   // told of each committed group, before its callers are; nil = nobody
	OutboxRow func(orders.Group) Step // makes the step that notes a group in the outbox; nil = there is none
	Shared    orders.RestaurantCache  // second level of the restaurants' cache; nil = none

	Log        zerolog.Logger
	Registerer prometheus.Registerer  // where doorbell_store_… is registered until Close; nil = nowhere
	Metrics    []prometheus.Collector // the engine's own, registered beside
}

// queueLength is how many changes of a committer may wait beyond those whose callers wait to put theirs on the queue.
// Four groups.
const queueLength = 4 * maxGroup

// Store writes and reads orders on an engine. Its methods may be called from any goroutine.
//
// A write waits for Run to take it. When the caller's context ends before the answer, the caller gets Unavailable, and
// the change may still be committed.
type Store struct {
	engine      Engine
	m           *metrics
	publisher   orders.Publisher
	committers  []*committer
	seed        maphash.Seed // spreads the orders over the committers
	restaurants *restaurantCache
	shared      orders.RestaurantCache
	unregister  func()
	tracks      chan struct{} // one for each AddTrack on its way

	stopped chan struct{} // closed when nothing on a queue will be written any more
	stop    sync.Once     // closes stopped
	running atomic.Bool   // Run was called
	ended   chan struct{} // closed by Run when it returns
	close   sync.Once
}

// New makes a Store. It starts nothing: writes wait for Run. When it fails, the sessions are closed.
func New(cfg Config) (*Store, error) {
	s := &Store{
		engine: cfg.Engine, publisher: cfg.Publisher, seed: maphash.MakeSeed(), restaurants: newRestaurantCache(),
		shared: cfg.Shared, unregister: func() {}, tracks: make(chan struct{}, trackWriters),
		stopped: make(chan struct{}), ended: make(chan struct{}),
	}
	s.m = newMetrics(s.Queued)
	var box *outbox
	if cfg.OutboxRow != nil || cfg.Groups != nil {
		box = &outbox{row: cfg.OutboxRow, newRow: func() string { return newRow(s.engine.Now()) }, publisher: cfg.Groups}
	}
	for _, session := range cfg.Sessions {
		s.committers = append(s.committers, &committer{
			session: session, fault: cfg.Engine.Fault, outbox: box, log: cfg.Log, m: s.m, queue: make(chan *change, queueLength),
		})
	}
	undo, err := s.m.register(cfg.Registerer, cfg.Metrics)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("register the store's metrics: %w", err), s.Close())
	}
	s.unregister = undo
	return s, nil
}

// Run writes until ctx ends. Then it commits what waits on the queues, and returns when every goroutine it started has
// ended; later writes answer Unavailable, reads go on until Close. It may be called once.
func (s *Store) Run(ctx context.Context) error {
	if !s.running.CompareAndSwap(false, true) {
		return errors.New("the store has been run already")
	}
	defer close(s.ended)
	var wg sync.WaitGroup
	for _, c := range s.committers {
		wg.Go(func() { c.run(ctx) })
	}
	wg.Wait()
	s.refuse()
	return nil
}

// Queued is how many changes wait for a transaction.
func (s *Store) Queued() (n int) {
	for _, c := range s.committers {
		n += len(c.queue)
	}
	return n
}

// refuse ends writing: whoever waits or comes later is told so.
func (s *Store) refuse() { s.stop.Do(func() { close(s.stopped) }) }

// committerOf is the one that writes all changes of what c is about, so that they stay in their order.
func (s *Store) committerOf(c *change) *committer {
	if len(s.committers) == 1 || c.lock == "" {
		return s.committers[0]
	}
	return s.committers[maphash.String(s.seed, c.lock)%uint64(len(s.committers))]
}

// submit puts a change on its committer's queue.
func (s *Store) submit(ctx context.Context, c *change) error {
	select {
	case <-s.stopped:
		return unavailable(errStopped)
	default:
	}
	select {
	case s.committerOf(c).queue <- c:
		return nil
	case <-s.stopped:
		return unavailable(errStopped)
	case <-ctx.Done():
		return unavailable(context.Cause(ctx))
	}
}

// wait is the answer to a submitted change.
func (s *Store) wait(ctx context.Context, c *change) error {
	select {
	case err := <-c.done:
		return err
	case <-ctx.Done():
		return unavailable(context.Cause(ctx))
	case <-s.stopped:
		select {
		case err := <-c.done: // answered before the end
			return err
		default:
			return unavailable(errStopped)
		}
	}
}

// do writes one change.
func (s *Store) do(ctx context.Context, c *change) error {
	if err := s.submit(ctx, c); err != nil {
		return err
	}
	return s.wait(ctx, c)
}

// Commit implements [orders.Store]. When ctx ends first it returns Unavailable, and the change may still be made.
func (s *Store) Commit(ctx context.Context, c orders.Commit) error {
	ch, err := orderChange(c)
	if err != nil {
		return internal(err)
	}
	if len(c.Events) > 0 {
		c.Order.ChangeID = ch.mark // whoever is told may keep the order and change it
		s.announce(ch, &c)
	}
	return s.do(ctx, ch)
}

// announce lets the committer tell of a change, so that changes of one order are told in the order of their seq.
func (s *Store) announce(ch *change, c *orders.Commit) {
	ch.tell = func(g *orders.Group) {
		g.Orders = append(g.Orders, orders.Committed{Order: &c.Order, Events: c.Events})
	}
	if s.publisher == nil {
		return
	}
	ch.after = func(err error) {
		if err == nil {
			s.publisher.Publish(&c.Order, c.Events)
		}
	}
}

// Ready writes a row and waits for its fsync: a full, broken or absent database answers Unavailable. Before Run it
// waits.
func (s *Store) Ready(ctx context.Context) error {
	return s.do(ctx, newChange(Step{markReady, []any{s.engine.Now().UnixMicro()}}))
}

// Close ends the store and its sessions. If Run runs, its context must have ended: Close waits for it.
func (s *Store) Close() (err error) {
	s.close.Do(func() {
		if s.running.Load() {
			<-s.ended
		}
		s.refuse()
		s.unregister()
		for _, c := range s.committers {
			err = errors.Join(err, c.session.Close())
		}
		s.restaurants.close()
	})
	return err
}

// row and each are the engine's, counted.
func (s *Store) row(ctx context.Context, text string, args []any, into ...any) error {
	s.m.reads.Inc()
	return s.engine.Row(ctx, text, args, into...)
}

func (s *Store) each(ctx context.Context, text string, args []any, f func(Scan) error) error {
	s.m.reads.Inc()
	return s.engine.Each(ctx, text, args, f)
}
