package storetest

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
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
