package storetest

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"doorbell/orders"
)

// Marks learns the change ids that a store gives, as its publisher: so a benchmark can go on from a commit without
// reading it back. Either kind of publisher will do.
type Marks struct{ ids sync.Map }

// Publish implements [orders.Publisher].
func (m *Marks) Publish(o *orders.Order, _ []orders.Event) { m.ids.Store(o.ID, o.ChangeID) }

// PublishGroup implements [orders.GroupPublisher].
func (m *Marks) PublishGroup(g orders.Group) {
	for _, c := range g.Orders {
		m.Publish(c.Order, nil)
	}
}

func (m *Marks) take(id string) string {
	v, _ := m.ids.LoadAndDelete(id)
	mark, _ := v.(string)
	return mark
}

// script is an order's life with one of 10,000 couriers, four of ten changes moving its clock.
func script() []struct {
	c  orders.Command
	by orders.Actor
} {
	rider := orders.Courier{ID: anyOf("cou", 10_000), Name: "Zhang San", Vehicle: "e-bike", Phone: "+86 400 1"}
	courier := orders.Actor{Role: orders.RoleCourier, ID: rider.ID}
	return []struct {
		c  orders.Command
		by orders.Actor
	}{
		{orders.Confirm{PrepMinutes: 20}, Merchant()},
		{orders.Assign{Courier: rider}, Ops},
		{orders.Prepare{}, Merchant()},
		{orders.Arrive{}, courier},
		{orders.Delay{PrepMinutes: 25}, Merchant()},
		{orders.Ready{}, Merchant()},
		{orders.Pickup{Code: "17"}, courier},
		{orders.Arrive{}, courier},
		{orders.Hand{}, courier},
	}
}

// anyOf is one of n ids, so that the indexes are written all over, as they are in life.
func anyOf(kind string, n int) string { return fmt.Sprintf("%s_%06d", kind, rand.IntN(n)) }

// BenchmarkCommit measures durable changes of a running store: whole lives of orders by 512 callers at once, ten
// changes each, one event a change. With read, the order is read before each change, as a service does. marks must be
// the store's publisher.
func BenchmarkCommit(b *testing.B, s orders.Store, marks *Marks, read bool) {
	var changes, timers, events atomic.Int64
	var docs atomic.Int64
	b.SetParallelism(256)
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		var o orders.Order
		steps := script()
		next, now := len(steps), time.Now().UTC().Truncate(time.Microsecond)
		for pb.Next() {
			var c orders.Commit
			now = now.Add(20 * time.Second)
			if next == len(steps) {
				next, steps = 0, script()
				n, ev := Place(b, Draft{
					Customer: anyOf("cus", 1_000_000), Restaurant: anyOf("res", 20_000), Method: orders.Cash,
					ID: orders.NewID(time.Now()), At: now,
				})
				c = Change(orders.Order{}, n, ev)
			} else {
				n, ev := Apply(b, o, steps[next].c, steps[next].by, now)
				c = Change(o, n, ev[len(ev)-1:])
				next++
			}
			err := s.Commit(context.Background(), c)
			o = c.Order
			o.ChangeID = marks.take(o.ID)
			if err == nil && read {
				o, err = s.Order(context.Background(), o.ID)
			}
			if err != nil {
				b.Error(err)
				return
			}
			if c.DueChanged {
				timers.Add(1)
			}
			events.Add(int64(len(c.Events[0].Envelope)))
			if n := changes.Add(1); n%100 == 1 {
				doc, _ := json.Marshal(&o)
				docs.Add(int64(len(doc)))
			}
		}
	})
	b.StopTimer()
	n := float64(changes.Load())
	b.ReportMetric(n/b.Elapsed().Seconds(), "changes/s")
	b.ReportMetric(float64(timers.Load())/n, "timers/change")
	b.ReportMetric(float64(docs.Load())/float64((changes.Load()+99)/100), "doc-bytes")
	b.ReportMetric(float64(events.Load())/n, "event-bytes/change")
}

// BenchmarkTracks measures fixes written to a running store by one writer, as a node has it: a thousand at a time, in
// batches of five by one of 20,000 couriers after another, with 80 bytes of data: perSecond of them, 0 = as many as the
// store takes. Beside them 300 orders a second are placed; how long they take is reported. One op is a thousand fixes.
func BenchmarkTracks(b *testing.B, s Store, perSecond int) {
	const ordersPerSecond = 300
	const couriers, batch = 20_000, 5
	ids := make([]string, couriers)
	for i := range ids {
		ids[i] = orders.NewID(time.Now().Add(-time.Duration(rand.IntN(3600)) * time.Second))
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	var mu sync.Mutex
	var took []time.Duration
	wg.Go(func() {
		tick := time.NewTicker(time.Second / time.Duration(ordersPerSecond))
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			o, ev := Place(b, Draft{
				Customer: anyOf("cus", 1_000_000), Restaurant: anyOf("res", 20_000), ID: orders.NewID(time.Now()), At: time.Now().UTC(),
			})
			wg.Go(func() {
				start := time.Now()
				if err := s.Commit(context.Background(), Change(orders.Order{}, o, ev)); err != nil {
					b.Error(err)
				}
				mu.Lock()
				took = append(took, time.Since(start))
				mu.Unlock()
			})
		}
	})
	next, now := 0, time.Now().Truncate(time.Second)
	fixes := make([]orders.TrackFix, orders.MaxTrackFixes)
	pace := time.NewTicker(time.Second * orders.MaxTrackFixes / time.Duration(max(perSecond, 1)))
	defer pace.Stop()
	for b.Loop() {
		if perSecond > 0 {
			<-pace.C
		}
		for i := range fixes {
			if i%batch == 0 {
				if next++; next%couriers == 0 {
					now = now.Add(batch * 5 * time.Second)
				}
			}
			who := next % couriers
			fixes[i] = orders.TrackFix{
				Order: ids[who], Courier: fmt.Sprintf("cou_%06d", who), At: now.Add(time.Duration(i%batch) * 5 * time.Second),
				Device: uint64(who) * 0x9e37_79b9_7f4a_7c15, Data: make([]byte, 80),
			}
		}
		if err := s.AddTrack(context.Background(), fixes); err != nil {
			b.Fatal(err)
		}
	}
	cancel()
	wg.Wait()
	b.ReportMetric(float64(b.N*len(fixes))/b.Elapsed().Seconds(), "fixes/s")
	slices.Sort(took)
	for _, q := range []int{50, 99} {
		if len(took) > 0 {
			b.ReportMetric(float64(took[len(took)*q/100].Microseconds())/1000, fmt.Sprintf("order-p%d-ms", q))
		}
	}
	b.ReportMetric(float64(len(took))/b.Elapsed().Seconds(), "orders/s")
}

// BenchmarkThin measures what becomes of fixes a day later. One op is a thousand fixes looked at, of orders that had one
// every five seconds.
func BenchmarkThin(b *testing.B, s Store) {
	var waiting int
	at := time.Now().Add(-48 * time.Hour).Truncate(time.Minute)
	fixes := make([]orders.TrackFix, orders.MaxTrackFixes)
	for b.Loop() {
		if waiting < orders.MaxTrackFixes {
			b.StopTimer()
			for range 100 { // four minutes of 2,000 couriers
				id := orders.NewID(at)
				for i := range fixes {
					if i%50 == 0 {
						id = orders.NewID(at)
					}
					fixes[i] = orders.TrackFix{Order: id, Courier: id, At: at.Add(time.Duration(i%50) * 5 * time.Second), Data: make([]byte, 80)}
				}
				if err := s.AddTrack(context.Background(), fixes); err != nil {
					b.Fatal(err)
				}
			}
			waiting += 100 * len(fixes)
			at = at.Add(time.Minute)
			b.StartTimer()
		}
		n, err := s.ThinTracks(context.Background(), at.Add(time.Hour), 1000)
		if err != nil {
			b.Fatal(err)
		}
		waiting -= n
	}
	b.ReportMetric(float64(b.N*1000)/b.Elapsed().Seconds(), "fixes/s")
}

// BenchmarkDeviceByToken measures what a post by a device token costs the store.
func BenchmarkDeviceByToken(b *testing.B, s Store) {
	var hashes [][]byte
	for n := range 1000 {
		d := device(fmt.Sprint("cou_", n), n)
		if err := s.AddDevice(context.Background(), d); err != nil {
			b.Fatal(err)
		}
		hashes = append(hashes, d.TokenHash)
	}
	n := 0
	for b.Loop() {
		if _, err := s.DeviceByToken(context.Background(), hashes[n%len(hashes)]); err != nil {
			b.Fatal(err)
		}
		n++
	}
}
