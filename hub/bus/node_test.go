package bus_test

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"doorbell/hub"
	"doorbell/hub/bus"
	"doorbell/orders"
)

// patience is how long a test waits for what must come. P3's two seconds are measured where they are promised.
const patience = 15 * time.Second

// node is a bus and the people behind it.
type node struct {
	t     *testing.T
	bus   *bus.Redis
	store *memory
	reg   *prometheus.Registry
	stop  func() // ends the node and waits for it

	mu          sync.Mutex       // guards the following
	last        map[string]int64 // what was shown of each order: each watcher's last seq
	shown       map[string]int   // how many events, one after another
	steps       []string         // what nobody should ever see
	gaps        int              // deliveries that did not follow the one before
	repeats     int              // that brought nothing new
	compares    int
	differences int
	back        bool // the database may go back
	degraded    bool
	degrades    int
	recovers    int
	restaurants map[string]int64
	doubtful    int // times that all restaurants were
	revoked     map[string]time.Time
	reread      int
	points      map[string][]string
}

type option func(*bus.RedisConfig)

func hubOnly(c *bus.RedisConfig) { c.Publishes = false }

// start runs a node that publishes and receives, until the test ends.
func start(t *testing.T, name, url string, store *memory, options ...option) *node {
	t.Helper()
	n := prepare(t, name, url, store, options...)
	n.run()
	return n
}

func prepare(t *testing.T, name, url string, store *memory, options ...option) *node {
	t.Helper()
	n := &node{
		t: t, store: store, reg: prometheus.NewRegistry(), last: map[string]int64{}, shown: map[string]int{},
		restaurants: map[string]int64{}, revoked: map[string]time.Time{}, points: map[string][]string{},
	}
	cfg := bus.RedisConfig{
		URL: url, Prefix: "test", Node: name, Publishes: true, Receives: true, Registerer: n.reg,
		Log: zerolog.New(zerolog.NewTestWriter(t)).With().Timestamp().Logger(),
	}
	for _, o := range options {
		o(&cfg)
	}
	var err error
	if n.bus, err = bus.NewRedis(cfg); err != nil {
		t.Fatal(err)
	}
	n.bus.Bind(store.as(name), n)
	return n
}

func (n *node) run() {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- n.bus.Run(ctx) }()
	n.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			n.t.Error(err)
		}
	})
	n.t.Cleanup(n.stop)
}

// Deliver does what a hub does for somebody who watches the order.
func (n *node) Deliver(c hub.Change) {
	n.mu.Lock()
	defer n.mu.Unlock()
	id, was := c.Own.ID, n.last[c.Own.ID]
	if c.Events[len(c.Events)-1].Seq != c.Own.Seq {
		n.steps = append(n.steps, fmt.Sprintf("%s: the last event of a change to seq %d is not its own", id, c.Own.Seq))
	}
	if c.Own.Seq <= was {
		n.repeats++
		return
	}
	for _, e := range c.Events {
		switch {
		case e.Seq <= n.last[id]:
		case e.Seq == n.last[id]+1:
			n.last[id] = e.Seq
			n.shown[id]++
		default:
			n.gaps++
			n.load(id)
			return
		}
	}
}

// load shows an order as the database has it. Called with n.mu held.
func (n *node) load(id string) {
	if o, err := n.store.Order(context.Background(), id); err == nil {
		if o.Seq < n.last[id] {
			n.steps = append(n.steps, fmt.Sprintf("%s: shown at %d, loaded at %d", id, n.last[id], o.Seq))
		}
		n.last[id] = o.Seq
	}
}

func (n *node) Compare(context.Context) error {
	if err := n.store.lock(); err != nil {
		return err
	}
	n.store.mu.Unlock()
	now := n.store.seqs()
	n.mu.Lock()
	defer n.mu.Unlock()
	n.compares++
	for id, seq := range now {
		if n.last[id] < seq || n.back && n.last[id] != seq {
			n.differences++
			n.last[id] = seq
		}
	}
	return nil
}

func (n *node) Degrade(string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.degraded {
		n.steps = append(n.steps, "degraded twice")
	}
	n.degraded = true
	n.degrades++
}

func (n *node) Recover() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.degraded {
		n.steps = append(n.steps, "recovered from nothing")
	}
	n.degraded = false
	n.recovers++
}

func (n *node) Restaurant(id string, version int64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.restaurants[id] = version
}

func (n *node) Restaurants() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.doubtful++
}

func (n *node) Revoked(sub string, at time.Time) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.revoked[sub] = at
}

func (n *node) RereadRevocations() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.reread++
}

func (n *node) Position(id string, point []byte) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.points[id] = append(n.points[id], string(point))
}

// get reads what a node noted.
func get[T any](n *node, f func() T) T {
	n.mu.Lock()
	defer n.mu.Unlock()
	return f()
}

// whole reports whether everybody behind the node sees what the database has.
func (n *node) whole() bool {
	now := n.store.seqs()
	n.mu.Lock()
	defer n.mu.Unlock()
	return maps.Equal(now, n.last)
}

// wait polls until done, and fails the test where that takes longer than at most.
func wait(t *testing.T, at time.Duration, what string, done func() bool) (took time.Duration) {
	t.Helper()
	begin := time.Now()
	for !done() {
		if time.Since(begin) > at {
			t.Fatalf("waited %v in vain: %s", at, what)
		}
		<-time.After(2 * time.Millisecond)
	}
	return time.Since(begin)
}

// waitBegun waits until a node goes by a generation and hears: a change of somebody's reaches it by pub/sub.
func waitBegun(t *testing.T, from *node, all ...*node) {
	t.Helper()
	for _, n := range append([]*node{from}, all...) {
		wait(t, patience, "the node to begin", func() bool {
			return counted(t, n.reg, "doorbell_bus_generations_total") > 0 && get(n, func() int { return n.compares }) > 0
		})
	}
	id := from.store.place(from.bus)
	for _, n := range all {
		wait(t, patience, "the first change", func() bool { return get(n, func() int64 { return n.last[id] }) > 0 })
	}
}

// check fails the test where anybody behind a node saw what nobody may see.
func check(t *testing.T, nodes ...*node) {
	t.Helper()
	for i, n := range nodes {
		if steps := get(n, func() []string { return slices.Clone(n.steps) }); len(steps) > 0 {
			t.Errorf("node %d: %v", i, steps)
		}
	}
}

// load changes random orders of a store, a change every pause, until stop is called. It returns when it has stopped.
func load(store *memory, pause time.Duration, ids []string, from ...orders.GroupPublisher) (stop func()) {
	ended, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		t := time.NewTicker(pause)
		defer t.Stop()
		for {
			select {
			case <-t.C:
				store.change(from[rand.IntN(len(from))], ids[rand.IntN(len(ids))], nil)
			case <-ended:
				return
			}
		}
	}()
	return sync.OnceFunc(func() { close(ended); <-done })
}

func place(store *memory, to orders.GroupPublisher, n int) (ids []string) {
	for range n {
		ids = append(ids, store.place(to))
	}
	return ids
}

// counted is the sum of a counter over its labels.
func counted(t *testing.T, reg *prometheus.Registry, name string, label ...string) (sum float64) {
	t.Helper()
	all, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range all {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			if len(label) == 0 || m.GetLabel()[0].GetValue() == label[0] {
				sum += m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	return sum
}
