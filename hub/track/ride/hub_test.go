package ride_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"doorbell/hub"
	"doorbell/hub/bus"
	"doorbell/hub/track"
	"doorbell/hub/track/ride"
	"doorbell/hub/wire"
	"doorbell/orders"
	"doorbell/orders/store/sqlite"
	"doorbell/orders/store/storetest"
)

// listener is a client that writes down what it is sent.
type listener struct {
	mu    sync.Mutex // guards the following
	lines []string
}

func (l *listener) Write(batch []*hub.Message) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, m := range batch {
		l.lines = append(l.lines, string(m.Frame))
	}
	return nil
}

func (l *listener) Ping() error      { return nil }
func (l *listener) Close(hub.Ending) {}

// ops is what the lines so far are, in short.
func (l *listener) ops() (out []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, line := range l.lines {
		_, rest, _ := strings.Cut(line, `"op":"`)
		op, _, _ := strings.Cut(rest, `"`)
		if _, rest, ok := strings.Cut(line, `"eventType":"`); ok {
			op, _, _ = strings.Cut(rest, `"`)
		}
		out = append(out, op)
	}
	return out
}

// lateHub is a Locator that has its hub later: each of both wants the other first.
type lateHub struct{ *hub.Hub }

// TestFromPostToSession drives an order through the real store, bus, service and hub: its customer is told where the
// courier is from pick-up on, that it comes near, and nothing behind the end.
func TestFromPostToSession(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	local := bus.NewLocal()
	store, err := sqlite.Open(ctx, sqlite.Config{Dir: t.TempDir(), Publisher: local})
	if err != nil {
		t.Fatal(err)
	}
	machine := orders.NewService(store, orders.Config{})
	to := &lateHub{}
	channel := ride.NewLocal(to, store, nil)
	rides := ride.New(ride.Config{Store: store, Channel: channel, Commands: machine})
	h := hub.New(hub.Config{Source: store, Last: channel.Last, View: func(*orders.Order, orders.Role, time.Time) []byte { return []byte("{}") }})
	to.Hub = h
	for _, p := range []orders.Publisher{channel, rides, h} {
		local.Subscribe(p)
	}
	for _, run := range []func(context.Context) error{store.Run, local.Run, channel.Run, rides.Run, h.Run} {
		running.Go(func() {
			if err := run(ctx); err != nil {
				t.Error(err)
			}
		})
	}
	defer func() {
		cancel()
		running.Wait()
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	}()
	w := &world{TB: t}
	o, events := storetest.Place(t, storetest.Draft{Method: orders.Cash, At: time.Now()})
	if err := store.Commit(ctx, storetest.Change(orders.Order{}, o, events)); err != nil {
		t.Fatal(err)
	}
	by := func(role orders.Role, id string) orders.Caller {
		return orders.Caller{Actor: orders.Actor{Role: role, ID: id}, Restaurants: []string{o.Restaurant}}
	}
	do := func(c orders.Command, caller orders.Caller) {
		t.Helper()
		if _, _, err := machine.Do(ctx, o.ID, c, caller, nil); err != nil {
			t.Fatal(err)
		}
	}
	do(orders.Confirm{PrepMinutes: 10}, by(orders.RoleMerchant, "mer_1"))
	do(assign("cou_1"), by(orders.RoleOps, "ops_1"))

	customer := &listener{}
	place, err := h.Admit(hub.Identity{Caller: by(orders.RoleCustomer, o.Customer)})
	if err != nil {
		t.Fatal(err)
	}
	session := place.Connect(customer, false)
	if err := session.Watch(ctx, wire.OrderTopic(o.ID), 0); err != nil {
		t.Fatal(err)
	}
	x, now := 2000., time.Now()
	move := func(metres float64) { // in five seconds of the phone's; nobody waits for them
		t.Helper()
		x, now = x-metres, now.Add(5*time.Second)
		p := track.Point{At: track.MilliOf(now), Lat: o.Address.Lat + x/degree, Lon: o.Address.Lon}
		p.Set(track.Accuracy, 5)
		if _, err := rides.Post(ctx, "cou_1", "phone", points(p), now); err != nil {
			t.Fatal(err)
		}
	}
	hears := func(op string) bool { return slices.Contains(customer.ops(), op) }
	w.until("the order is watched", func() bool { return hears("snapshot") })
	move(20)
	w.until("an arrival is told", func() bool { return hears("eta") })
	if hears("location") {
		t.Error("a point before pick-up")
	}
	do(orders.Pickup{}, by(orders.RoleOps, "ops_1"))
	w.until("pick-up is told", func() bool { return hears("order.on_delivery") })
	move(20)
	w.until("a point is told", func() bool { return hears("location") })
	for range 12 {
		move(140)
	}
	w.until("nearby is told", func() bool { return hears("courier.nearby") })
	if _, ok := channel.Last(ctx, o.ID); !ok {
		t.Error("nothing is kept")
	}
	do(orders.Hand{}, by(orders.RoleOps, "ops_1"))
	for range 5 {
		move(20)
	}
	w.until("the end is told", func() bool { return hears("order.completed") })
	move(20)
	if _, ok := channel.Last(ctx, o.ID); ok {
		t.Error("a position outlives its window")
	}
	if all := customer.ops(); all[len(all)-1] != "order.completed" {
		t.Errorf("behind the end: %v", all)
	}
	session.End(hub.GoingAway)
}
