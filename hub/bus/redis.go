package bus

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"

	"doorbell/hub"
	"doorbell/orders"
)

// RedisConfig is what a Redis bus works with.
type RedisConfig struct {
	// URL says where Redis is (6.2 or later, a Cluster 7.0):
	//
	//	redis://[[user]:password@]host[:6379][/db]
	//	redis+cluster://[[user]:password@]host[:6379],host…
	//	redis+sentinel://[[user]:password@]sentinel[:26379],sentinel…/name[?db=0&sentinel_user=…&sentinel_password=…]
	//
	// and rediss for redis where the way there is TLS. Redis must not evict keys, and need not keep anything on disk.
	URL    string
	Prefix string // what every key and channel begins with, one for each installation; "" = doorbell
	Node   string // this node's name in the log

	Publishes bool // hands out what the store commits, and what is left in its outbox
	Receives  bool // hears what all nodes publish

	Log        zerolog.Logger
	Registerer prometheus.Registerer // nil = no metrics
}

// Redis is the bus of many nodes. What is committed on one goes through Redis to all, and nothing there is trusted: a
// message lost is read again from a stream, and after any doubt that leaves, the database is asked. So it can be lost at
// any time, and whatever it says about who is watching what comes from nobody but the nodes.
//
// All methods may be called by any goroutine.
type Redis struct {
	cfg  RedisConfig
	log  zerolog.Logger
	at   address
	m    *metrics
	name [partitions]names
	send string // PUBLISH, or in a Cluster SPUBLISH

	store Store    // set by Bind
	to    Receiver // set by Bind
	wants func(order, restaurant, courier, previous string) bool

	data  atomic.Pointer[client]            // nil before the first generation; replaced when Redis is another
	using atomic.Pointer[orders.Generation] // nil while it is not known that Redis is in it
	told  atomic.Pointer[orders.Generation] // what the database said last; the looker and askLoop write it
	begun chan struct{}                     // closed when data is there
	wake  chan struct{}                     // capacity 1: look now

	looking looking // the looker's own
	health  health
	workers workers // short-lived goroutines

	// Of what is received.
	in     [partitions]inbound
	links  []*link // one, or in a Cluster one for each partition
	doubts doubts  // what the comparer has to do
	unread unread

	// Of what is published.
	out     [partitions]outbound
	waiting atomic.Int64         // in all of out
	marks   chan string          // rows of the outbox that are out; closed by Run
	again   atomic.Bool          // what the outbox kept is to be published again
	stuck   map[string]time.Time // rows of the outbox that cannot be read, since when; the sweeper's
	trail   trail
	kept    time.Duration // what a stream holds: streamKept, but in tests

	// Of what is read and kept.
	recent batcher
	cached chan *orders.Restaurant
	floors floors
}

// client is a connection pool that refuses to talk to another Redis than the one it was made for.
type client struct {
	redis.UniversalClient
	runs string // runOf
}

var (
	_ orders.GroupPublisher  = (*Redis)(nil)
	_ orders.RestaurantCache = (*Redis)(nil)
	_ hub.Recent             = (*Redis)(nil)
)

// NewRedis makes a bus. It starts and dials nothing. An error is a sentence that says what is wrong with the URL.
func NewRedis(cfg RedisConfig) (*Redis, error) {
	at, err := parseAddress(cfg.URL)
	if err != nil {
		return nil, err
	}
	if cfg.Prefix == "" {
		cfg.Prefix = "doorbell"
	}
	r := &Redis{
		cfg: cfg, at: at, kept: streamKept,
		log:   cfg.Log.With().Str("node", cfg.Node).Logger(),
		marks: make(chan string, maxWaiting), cached: make(chan *orders.Restaurant, maxCaching),
		begun: make(chan struct{}), wake: make(chan struct{}, 1),
	}
	r.send = "PUBLISH"
	if at.kind == cluster {
		r.send = "SPUBLISH"
	}
	for i := range r.name {
		r.name[i] = namesOf(cfg.Prefix, i)
	}
	r.stuck = map[string]time.Time{}
	r.told.Store(&orders.Generation{})
	r.doubts.wake = make(chan struct{}, 1)
	r.m = newMetrics(cfg.Registerer, r)
	r.makeLinks()
	return r, nil
}

// Bind says what the bus serves, before Run and once. to may be nil where the bus does not receive.
func (r *Redis) Bind(store Store, to Receiver) {
	r.store, r.to = store, to
	if s, ok := to.(Selective); ok {
		r.wants = s.Wants
	}
	if r.to == nil {
		r.to = nobody{}
	}
}

// Run works until ctx ends. Then it publishes what it has taken, as far as Redis answers soon, and returns when nothing
// of it runs any more. It never gives up: that Redis or the database cannot be reached is a state, not an error.
func (r *Redis) Run(ctx context.Context) error {
	if r.store == nil {
		return errors.New("the bus was not told what it serves: call Bind before Run")
	}
	var loops sync.WaitGroup
	loops.Go(func() { r.lookLoop(ctx) })
	loops.Go(func() { r.askLoop(ctx) })
	loops.Go(func() { r.cacheLoop(ctx) })
	loops.Go(func() { r.lateLoop(ctx) })
	if r.cfg.Receives {
		loops.Go(func() { r.compareLoop(ctx) })
		for _, l := range r.links {
			loops.Go(func() { l.run(ctx) })
		}
	}
	var marks sync.WaitGroup
	if r.cfg.Publishes {
		loops.Go(func() { r.sweepLoop(ctx) })
		marks.Go(r.markLoop)
	}
	<-ctx.Done()
	r.workers.end()
	loops.Wait()
	close(r.marks) // nobody publishes any more
	marks.Wait()
	r.using.Store(nil)
	if c := r.data.Load(); c != nil {
		_ = c.Close() // says only that it was closed
	}
	return nil
}

// Ready says whether this node hears what the others publish. It does not where messages are published and none of them
// comes, though Redis can be reached: then the node should get no new clients. While Redis is away it is ready, since
// no other node would be better.
func (r *Redis) Ready() error {
	for _, l := range r.links {
		if l.deaf.Load() {
			return orders.Errorf(orders.Unavailable, "this node does not hear what Redis publishes")
		}
	}
	return nil
}

// Joined waits until this node goes by the generation that the others go by, so that what it commits is published at
// once, or until ctx ends.
func (r *Redis) Joined(ctx context.Context) {
	t := time.NewTicker(5 * time.Millisecond)
	defer t.Stop()
	for r.generation() == nil && ctx.Err() == nil {
		select {
		case <-t.C:
		case <-ctx.Done():
		}
	}
}

// poke has the looker look now.
func (r *Redis) poke() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// workers are goroutines that live as long as there is something for them to do.
type workers struct {
	mu    sync.Mutex // guards the following, and that nothing is added behind Wait
	wg    sync.WaitGroup
	ended bool
}

// run starts f, and reports whether it did: not behind end.
func (w *workers) run(f func()) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.ended {
		w.wg.Go(f)
	}
	return !w.ended
}

// end waits for those that run, and lets no more start.
func (w *workers) end() {
	w.mu.Lock()
	w.ended = true
	w.mu.Unlock()
	w.wg.Wait()
}

// nobody is the Receiver of a node that receives nothing.
type nobody struct{}

func (nobody) Deliver(hub.Change)            {}
func (nobody) Compare(context.Context) error { return nil }
func (nobody) Degrade(string)                {}
func (nobody) Recover()                      {}
func (nobody) Restaurant(string, int64)      {}
func (nobody) Restaurants()                  {}
func (nobody) Revoked(string, time.Time)     {}
func (nobody) RereadRevocations()            {}
