package hub_test

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"doorbell/hub"
	"doorbell/hub/wire"
	"doorbell/orders"
	"doorbell/orders/store/storetest"
)

// sink is a client that counts what it is sent.
type sink struct{ n *atomic.Int64 }

func (s sink) Write(batch []*hub.Message) error { s.n.Add(int64(len(batch))); return nil }
func (s sink) Ping() error                      { return nil }
func (s sink) Close(hub.Ending)                 {}

// crowd is many sessions that watch one order, or its restaurant's board, and the order's next event.
type crowd struct {
	hub    *hub.Hub
	got    *atomic.Int64
	o      orders.Order
	events []orders.Event
	all    []*hub.Session
	stop   func()
}

// one is a source with one order.
type one struct{ o orders.Order }

func (s one) Order(context.Context, string) (orders.Order, error) { return s.o, nil }
func (s one) Ownership(context.Context, string) (orders.Ownership, error) {
	return s.o.Ownership(), nil
}
func (s one) Events(context.Context, string, int64, int) ([]orders.Event, error) { return nil, nil }
func (s one) List(context.Context, orders.Query) ([]orders.Order, string, error) {
	return []orders.Order{s.o}, "", nil
}

func (s one) Seqs(context.Context, []string) (map[string]int64, error) {
	return map[string]int64{s.o.ID: s.o.Seq}, nil
}

func newCrowd(t testing.TB, n int, onBoard bool) *crowd {
	t.Helper()
	o, _ := storetest.Place(t, storetest.Draft{Method: orders.Cash, At: time.Now()})
	o, events := storetest.Apply(t, o, orders.Confirm{PrepMinutes: 20}, storetest.Merchant(), time.Now())
	h := hub.New(hub.Config{Source: one{o}, View: view, Registerer: prometheus.NewRegistry()})
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { _ = h.Run(ctx) })
	c := &crowd{hub: h, got: new(atomic.Int64), o: o, events: events, stop: func() { cancel(); wg.Wait() }}
	for i := range n {
		id := ops()
		id.ID = fmt.Sprint("ops_", i)
		p, err := h.Admit(id)
		if err != nil {
			t.Fatal(err)
		}
		s := p.Connect(sink{c.got}, false)
		topic := wire.OrderTopic(o.ID)
		if onBoard {
			topic = wire.Topic{Kind: wire.TopicRestaurant, ID: o.Restaurant}
		}
		if err := s.Watch(ctx, topic, o.Seq); err != nil {
			t.Fatal(err)
		}
		c.all = append(c.all, s)
	}
	c.wait(int64(2 * n)) // hello, and current or a page
	return c
}

// wait waits until so many messages were written in all.
func (c *crowd) wait(n int64) {
	for c.got.Load() < n {
		runtime.Gosched()
	}
}

// next publishes the order's next event and waits until everybody has it.
func (c *crowd) next() {
	o := c.o
	o.Seq++
	e := c.events[0]
	e.Seq = o.Seq
	c.o = o
	want := c.got.Load() + int64(len(c.all))
	c.hub.Publish(&o, []orders.Event{e})
	c.wait(want)
}

// An event costs its encoding, and nothing for each who watches.
func TestFanOut_AllocatesNothingPerWatcher(t *testing.T) {
	const few, many = 10, 1010
	limit := 0.05
	if raceEnabled {
		limit = 0.6 // the race detector has sync.Pool forget one thing in four
	}
	for _, onBoard := range []bool{false, true} {
		allocs := map[int]float64{}
		for _, n := range []int{few, many} {
			c := newCrowd(t, n, onBoard)
			for range 50 {
				c.next() // goroutines and buffers to be used again
			}
			allocs[n] = testing.AllocsPerRun(200, c.next)
			c.stop()
		}
		per := (allocs[many] - allocs[few]) / (many - few)
		t.Logf("on a board %v: %.1f allocations an event with %d watchers, %.1f with %d: %.3f per watcher",
			onBoard, allocs[few], few, allocs[many], many, per)
		if per > limit {
			t.Errorf("on a board %v: %.3f allocations per watcher", onBoard, per)
		}
	}
}

func BenchmarkFanOut(b *testing.B) {
	for _, n := range []int{1, 100, 5000} {
		for _, onBoard := range []bool{false, true} {
			b.Run(fmt.Sprintf("Watchers%dBoard%v", n, onBoard), func(b *testing.B) {
				c := newCrowd(b, n, onBoard)
				defer c.stop()
				b.ReportAllocs()
				for b.Loop() {
					c.next()
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/watcher")
			})
		}
	}
}

// BenchmarkPublish_NobodyWatches is what each event of the whole system costs each node: design.md section 10 allows
// 2 µs.
func BenchmarkPublish_NobodyWatches(b *testing.B) {
	c := newCrowd(b, 1000, false)
	defer c.stop()
	o := c.o
	o.ID, o.Restaurant = "ord_other", "res_other"
	b.ReportAllocs()
	for b.Loop() {
		c.hub.Publish(&o, c.events)
	}
}

// An idle session that watches holds almost nothing.
func TestSession_Idle(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector's memory is not ours")
	}
	const n = 20_000
	memory := func() uint64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc + m.StackInuse
	}
	o, _ := storetest.Place(t, storetest.Draft{Method: orders.Cash, At: time.Now()})
	h := hub.New(hub.Config{Source: one{o}, View: view})
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { _ = h.Run(ctx) })
	defer wg.Wait()
	defer cancel()
	got := new(atomic.Int64)
	ids := make([]string, n)
	for i := range ids {
		ids[i] = fmt.Sprintf("ord_00dc6acf-ac00-7ff8-942a-%012d", i)
	}
	before, goroutines := memory(), runtime.NumGoroutine()
	all := make([]*hub.Session, n)
	for i := range all {
		id := ops()
		id.ID = fmt.Sprint("cus_", i)
		p, err := h.Admit(id)
		if err != nil {
			t.Fatal(err)
		}
		all[i] = p.Connect(sink{got}, false)
		if err := all[i].Watch(ctx, wire.OrderTopic(ids[i/2]), 0); err != nil { // two on each: customer and courier
			t.Fatal(err)
		}
		for got.Load() < int64(2*i-100) { // the pumps keep up, so that few goroutines are made
			runtime.Gosched()
		}
	}
	for got.Load() < 2*n {
		runtime.Gosched()
	}
	time.Sleep(2500 * time.Millisecond) // snapshots that were shared are thrown away
	per := float64(memory()-before) / n
	t.Logf("%.0f bytes per session that watches an order", per)
	if per > 1536 {
		t.Errorf("%.0f bytes per idle session", per)
	}
	if extra := runtime.NumGoroutine() - goroutines; extra > 10 {
		t.Errorf("%d goroutines for idle sessions", extra)
	}
	runtime.KeepAlive(all)
}
