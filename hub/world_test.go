package hub_test

import (
	"context"
	"encoding/json"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"doorbell/hub"
	"doorbell/hub/wire"
	"doorbell/orders"
	"doorbell/orders/store/sqlite"
	"doorbell/orders/store/storetest"
)

// world is a hub on a real store. What the store commits goes to pass, which by default hands it to the hub.
type world struct {
	testing.TB
	ctx   context.Context
	store *sqlite.Store
	src   *source
	hub   *hub.Hub
	pass  func(o *orders.Order, events []orders.Event) // called by the store's writer
	acks  acks
	last  map[string]change // by order: the newest change, owned by the writer
}

type change struct {
	order  *orders.Order
	events []orders.Event
}

// Publish implements orders.Publisher.
func (w *world) Publish(o *orders.Order, events []orders.Event) {
	w.last[o.ID] = change{o, events}
	w.pass(o, events)
}

// inBubble runs a test in virtual time with a world of its own. Everything of the world has ended when it returns.
func inBubble(t *testing.T, cfg hub.Config, test func(w *world)) {
	t.Helper()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, cfg, dir)
		test(w)
	})
}

// newWorld opens a store and runs it and a hub until the test ends.
func newWorld(t testing.TB, cfg hub.Config, dir string) *world {
	t.Helper()
	w := &world{TB: t, last: map[string]change{}}
	ctx, cancel := context.WithCancel(context.Background())
	w.ctx = ctx
	var err error
	if w.store, err = sqlite.Open(ctx, sqlite.Config{Dir: dir, Publisher: w}); err != nil {
		t.Fatal(err)
	}
	w.src = &source{Source: w.store}
	cfg.Source = w.src
	if cfg.View == nil {
		cfg.View = view
	}
	if cfg.Verify == nil {
		cfg.Verify = func(context.Context, string) (hub.Identity, error) {
			return hub.Identity{}, orders.Errorf(orders.Unauthenticated, "no token is good here")
		}
	}
	cfg.OnAck = w.acks.note
	w.hub = hub.New(cfg)
	w.pass = w.hub.Publish
	var wg sync.WaitGroup
	for _, run := range []func(context.Context) error{w.store.Run, w.hub.Run} {
		wg.Go(func() {
			if err := run(ctx); err != nil {
				t.Error(err)
			}
		})
	}
	t.Cleanup(func() {
		cancel()
		wg.Wait()
		if err := w.store.Close(); err != nil {
			t.Error(err)
		}
		if n := w.hub.Sessions(); n != 0 {
			t.Errorf("%d sessions are left", n)
		}
		if n := w.hub.Topics(); n != 0 {
			t.Errorf("%d topics are left", n)
		}
	})
	return w
}

// acks is what the hub was told to be acknowledged.
type acks struct {
	mu   sync.Mutex
	list []ack
}

type ack struct {
	by    string
	order string
	seq   int64
}

func (a *acks) note(by orders.Caller, orderID string, seq int64) {
	a.mu.Lock()
	a.list = append(a.list, ack{by.ID, orderID, seq})
	a.mu.Unlock()
}

func (a *acks) all() []ack {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]ack(nil), a.list...)
}

// view is an order as its watchers here are shown it: about as long as the API's, and saying for whom it was made.
func view(o *orders.Order, role orders.Role, _ time.Time) []byte {
	v := struct {
		OrderID    string                 `json:"orderId"`
		Seq        int64                  `json:"seq"`
		Status     orders.Status          `json:"status"`
		Role       orders.Role            `json:"role"`
		Customer   string                 `json:"customerId"`
		Restaurant string                 `json:"restaurantId"`
		Delivery   orders.Delivery        `json:"delivery"`
		Items      []orders.Item          `json:"items"`
		Timeline   []orders.TimelineEntry `json:"timeline"`
	}{o.ID, o.Seq, o.Status, role, o.Customer, o.Restaurant, o.Delivery, o.Items, o.Timeline}
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}

// source is the real store, with a hook in front of and behind each read.
type source struct {
	hub.Source
	mu     sync.Mutex
	before func(read string) error // may block; an error is returned instead of the read
	after  func(read string)       // the read is done and on its way back
	reads  map[string]int
}

func (s *source) hooks(read string) (before func(string) error, after func(string)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.reads == nil {
		s.reads = map[string]int{}
	}
	s.reads[read]++
	if before, after = s.before, s.after; before == nil {
		before = func(string) error { return nil }
	}
	if after == nil {
		after = func(string) {}
	}
	return before, after
}

// set puts hooks in; nil for none.
func (s *source) set(before func(string) error, after func(string)) {
	s.mu.Lock()
	s.before, s.after = before, after
	s.mu.Unlock()
}

func (s *source) count(read string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.reads[read]
}

func hooked[T any](s *source, name string, read func() (T, error)) (v T, err error) {
	before, after := s.hooks(name)
	if err := before(name); err != nil {
		return v, err
	}
	v, err = read()
	after(name)
	return v, err
}

func (s *source) Order(ctx context.Context, id string) (orders.Order, error) {
	return hooked(s, "order", func() (orders.Order, error) { return s.Source.Order(ctx, id) })
}

func (s *source) Ownership(ctx context.Context, id string) (orders.Ownership, error) {
	return hooked(s, "ownership", func() (orders.Ownership, error) { return s.Source.Ownership(ctx, id) })
}

func (s *source) Events(ctx context.Context, id string, after int64, limit int) ([]orders.Event, error) {
	return hooked(s, "events", func() ([]orders.Event, error) { return s.Source.Events(ctx, id, after, limit) })
}

func (s *source) List(ctx context.Context, q orders.Query) (page []orders.Order, next string, err error) {
	page, err = hooked(s, "list", func() (p []orders.Order, err error) {
		p, next, err = s.Source.List(ctx, q)
		return p, err
	})
	return page, next, err
}

func (s *source) Seqs(ctx context.Context, ids []string) (map[string]int64, error) {
	return hooked(s, "seqs", func() (map[string]int64, error) { return s.Source.Seqs(ctx, ids) })
}

// place stores a new order. Zero fields of the draft have a value of their own.
func (w *world) place(d storetest.Draft) string {
	w.Helper()
	if d.At.IsZero() {
		d.At = time.Now()
	}
	o, events := storetest.Place(w, d)
	w.commit(orders.Order{}, o, events)
	return o.ID
}

// apply changes an order by the state machine, and returns what refused it.
func (w *world) apply(id string, by orders.Actor, c orders.Command) error {
	w.Helper()
	o := w.order(id)
	next, events, err := orders.DefaultPolicy.Apply(o, c, by, time.Now())
	if err != nil || len(events) == 0 {
		return err
	}
	w.commit(o, next, events)
	return nil
}

// do is apply of what must be taken.
func (w *world) do(id string, by orders.Actor, c orders.Command) {
	w.Helper()
	if err := w.apply(id, by, c); err != nil {
		w.Fatalf("%s: %v", c.Action(), err)
	}
}

func (w *world) commit(base, next orders.Order, events []orders.Event) {
	w.Helper()
	if err := w.store.Commit(w.ctx, storetest.Change(base, next, events)); err != nil {
		w.Error(err)
	}
}

func (w *world) order(id string) orders.Order {
	w.Helper()
	o, err := w.store.Order(w.ctx, id)
	if err != nil {
		w.Fatal(err)
	}
	return o
}

// The people of the tests.
func customer(id string) hub.Identity {
	return hub.Identity{Caller: orders.Caller{Actor: orders.Actor{Role: orders.RoleCustomer, ID: id}}}
}

func merchant(restaurants ...string) hub.Identity {
	return hub.Identity{Caller: orders.Caller{Actor: storetest.Merchant(), Restaurants: restaurants}}
}

func courier(id string) hub.Identity {
	return hub.Identity{Caller: orders.Caller{Actor: orders.Actor{Role: orders.RoleCourier, ID: id}}}
}

func ops() hub.Identity { return hub.Identity{Caller: orders.Caller{Actor: storetest.Ops}} }

func tracker(orderID string) hub.Identity {
	return hub.Identity{Caller: orders.Caller{Actor: orders.Actor{Role: orders.RoleTracker}, OrderID: orderID}}
}

func assign(id string) orders.Command {
	return orders.Assign{Courier: orders.Courier{ID: id, Name: "Li"}}
}

// confirmed stores a cash order that the merchant has taken: seq 2.
func (w *world) confirmed(d storetest.Draft) string {
	w.Helper()
	return w.many(1, d, "")[0]
}

// carried is confirmed and given to a courier: seq 3.
func (w *world) carried(d storetest.Draft, courier string) string {
	w.Helper()
	return w.many(1, d, courier)[0]
}

// many stores n orders at once, as they stand after confirmation, or with a courier's name after its assignment: a
// commit each, and few groups.
func (w *world) many(n int, d storetest.Draft, courier string) []string {
	w.Helper()
	ids := make([]string, n)
	var wg sync.WaitGroup
	for i := range ids {
		d := d
		d.Method = orders.Cash
		if d.At.IsZero() {
			d.At = time.Now()
		}
		o, events := storetest.Place(w, d)
		step := func(c orders.Command, by orders.Actor) {
			next, more := storetest.Apply(w, o, c, by, time.Now())
			o, events = next, append(events, more...)
		}
		step(orders.Confirm{PrepMinutes: 20}, storetest.Merchant())
		if courier != "" {
			step(assign(courier), storetest.Ops)
		}
		ids[i] = o.ID
		wg.Go(func() { w.commit(orders.Order{}, o, events) })
	}
	wg.Wait()
	return ids
}

// delayed changes an order, as often as one likes.
func (w *world) delayed(id string) {
	w.Helper()
	w.do(id, storetest.Merchant(), orders.Delay{PrepMinutes: 10 + int(w.order(id).Seq)%100})
}

// connect is a client with a session, which reads what it is sent.
func (w *world) connect(id hub.Identity) *client { return w.dial(id, false) }

// stream is a client of server-sent events.
func (w *world) stream(id hub.Identity) *client { return w.dial(id, true) }

func (w *world) dial(id hub.Identity, stream bool) *client {
	w.Helper()
	place, err := w.hub.Admit(id)
	if err != nil {
		w.Fatal(err)
	}
	c := newClient(w.TB)
	s := place.Connect(c, stream)
	c.set(func() { c.s = s })
	return c
}

// handle sends a line.
func (w *world) handle(c *client, line string) { c.s.Handle(w.ctx, []byte(line)) }

// watch is Session.Watch of what must be accepted.
func (w *world) watch(c *client, t wire.Topic, after int64) {
	w.Helper()
	if err := c.s.Watch(w.ctx, t, after); err != nil {
		w.Fatalf("watch %s: %v", t, err)
	}
}

func orderTopic(id string) wire.Topic { return wire.OrderTopic(id) }

func board(kind wire.TopicKind, id string) wire.Topic { return wire.Topic{Kind: kind, ID: id} }
