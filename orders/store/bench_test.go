package store

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"doorbell/orders"
	"doorbell/orders/store/storetest"
)

// benchDir is a folder on a real disk where there is one: a temporary folder may live in memory, whose fsync is free.
func benchDir(b *testing.B) string {
	dir, err := os.MkdirTemp(os.Getenv("DOORBELL_BENCH_DIR"), "store-bench-")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
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
		{orders.Confirm{PrepMinutes: 20}, storetest.Merchant()},
		{orders.Assign{Courier: rider}, storetest.Ops},
		{orders.Prepare{}, storetest.Merchant()},
		{orders.Arrive{}, courier},
		{orders.Delay{PrepMinutes: 25}, storetest.Merchant()},
		{orders.Ready{}, storetest.Merchant()},
		{orders.Pickup{Code: "17"}, courier},
		{orders.Arrive{}, courier},
		{orders.Hand{}, courier},
	}
}

// anyOf is one of n ids, so that the indexes are written all over, as they are in life.
func anyOf(kind string, n int) string { return fmt.Sprintf("%s_%06d", kind, rand.IntN(n)) }

// BenchmarkCommit measures durable changes: whole lives of orders by 512 callers at once, ten changes each, one event a
// change, each encoded as in Commit. AndRead reads the order before each change, as a service does.
func BenchmarkCommit(b *testing.B) {
	b.Run("Alone", func(b *testing.B) { benchmarkCommit(b, false) })
	b.Run("AndRead", func(b *testing.B) { benchmarkCommit(b, true) })
}

func benchmarkCommit(b *testing.B, read bool) {
	s, err := Open(b.Context(), Config{Dir: benchDir(b), Log: zerolog.Nop()})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	ctx, cancel := context.WithCancel(context.Background())
	var run sync.WaitGroup
	run.Go(func() { _ = s.Run(ctx) })
	defer run.Wait()
	defer cancel()

	var changes, timers, bytes, docs atomic.Int64
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
				n, ev := storetest.Place(b, storetest.Draft{Customer: anyOf("cus", 1_000_000), Restaurant: anyOf("res", 20_000), Method: orders.Cash,
					ID: orders.NewID(time.Now()), At: now})
				c = storetest.Change(orders.Order{}, n, ev)
			} else {
				n, ev := storetest.Apply(b, o, steps[next].c, steps[next].by, now)
				c = storetest.Change(o, n, ev[len(ev)-1:])
				next++
			}
			ch, err := orderChange(c)
			if err == nil {
				err = s.do(context.Background(), ch)
			}
			if err != nil {
				b.Error(err)
				return
			}
			changes.Add(1)
			if c.DueChanged {
				timers.Add(1)
			}
			o, o.ChangeID = c.Order, ch.mark
			if read {
				if o, err = s.Order(context.Background(), c.Order.ID); err != nil {
					b.Error(err)
					return
				}
			}
			docs.Add(int64(len(ch.rows[0].args[docAt(ch)].(string))))
			bytes.Add(int64(len(c.Events[0].Envelope)))
		}
	})
	b.StopTimer()
	n := float64(changes.Load())
	b.ReportMetric(n/b.Elapsed().Seconds(), "changes/s")
	b.ReportMetric(float64(timers.Load())/n, "timers/change")
	b.ReportMetric(float64(docs.Load())/n, "doc-bytes")
	b.ReportMetric(float64(bytes.Load())/n, "event-bytes/change")
}

// docAt is the place of the document among the arguments of a change's order row.
func docAt(c *change) int {
	return len(c.rows[0].args) - 1 // without an idempotency key it is the last
}
