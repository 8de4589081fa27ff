package postgres

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"doorbell/orders"
	"doorbell/orders/store/storetest"
)

// TestGroupsOfSeveralNodesNeverDeadlock lets two nodes change the same few orders with the same few keys, in groups of
// many. Every change is told what became of it, and no deadlock is ever met.
func TestGroupsOfSeveralNodesNeverDeadlock(t *testing.T) {
	url := shared.Database(t)
	before := number(t, url, `SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()`)
	nodes := []*Store{opened(t, url), opened(t, url)}
	for _, s := range nodes {
		running(t, s)
	}
	var placed []orders.Order
	for range 30 {
		placed = append(placed, place(t, nodes[0], storetest.Draft{Method: orders.Cash}))
	}
	var won, lost, taken atomic.Int64
	var wg sync.WaitGroup
	end := time.Now().Add(2 * time.Second)
	for i := range 64 {
		wg.Go(func() {
			s := nodes[i%2]
			for n := 0; time.Now().Before(end); n++ {
				o, err := s.Order(context.Background(), placed[rand.IntN(len(placed))].ID)
				if err != nil {
					t.Error(err)
					return
				}
				next := o
				next.Seq++
				ev := orders.Event{OrderID: o.ID, Seq: next.Seq, Type: orders.OrderDelayed, Envelope: []byte(`{}`)}
				c := storetest.Change(o, next, []orders.Event{ev})
				c.Key = &orders.KeyRecord{Scope: "s", Key: fmt.Sprint(rand.IntN(3000)), Hash: []byte{1}, OrderID: o.ID, At: storetest.Start}
				switch err := s.Commit(context.Background(), c); {
				case err == nil:
					won.Add(1)
				case errors.Is(err, orders.ErrLost):
					lost.Add(1)
				case errors.Is(err, orders.ErrKeyTaken):
					taken.Add(1)
				default:
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Go(func() {
		for time.Now().Before(end) {
			if _, err := nodes[1].DropKeys(context.Background(), storetest.Start.Add(time.Hour), 1000); err != nil {
				t.Error(err)
				return
			}
		}
	})
	wg.Wait()
	t.Logf("%d won, %d lost, %d keys taken", won.Load(), lost.Load(), taken.Load())
	if n := number(t, url, `SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()`); n != before {
		t.Errorf("%d deadlocks", n-before)
	}
	var seqs int64
	for _, o := range placed {
		now, err := nodes[0].Order(t.Context(), o.ID)
		if err != nil {
			t.Fatal(err)
		}
		seqs += now.Seq - o.Seq
		if n := number(t, url, `SELECT COUNT(*) FROM events WHERE order_id = $1`, o.ID); n != now.Seq {
			t.Errorf("%d events at seq %d", n, now.Seq)
		}
	}
	if seqs != won.Load() || won.Load() == 0 {
		t.Errorf("seqs rose by %d, %d changes won", seqs, won.Load())
	}
}

// TestGroupsArePublishedInTheOrderOfTheirSeq: changes of one order are handed on one after another, however many
// committers there are.
func TestGroupsArePublishedInTheOrderOfTheirSeq(t *testing.T) {
	heard := new(published)
	s := opened(t, shared.Database(t), func(c *Config) { c.Publisher = heard })
	running(t, s)
	var wg sync.WaitGroup
	for range 40 {
		wg.Go(func() {
			o := place(t, s, storetest.Draft{})
			for range 10 {
				stored, err := s.Order(context.Background(), o.ID)
				if err != nil {
					t.Error(err)
					return
				}
				next := stored
				next.Seq++
				ev := []orders.Event{{OrderID: o.ID, Seq: next.Seq, Type: orders.OrderDelayed, Envelope: []byte(`{}`)}}
				if err := s.Commit(context.Background(), storetest.Change(stored, next, ev)); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	last := map[string]int64{}
	for _, g := range heard.all() {
		for _, c := range g.Orders {
			for _, e := range c.Events {
				if e.Seq != last[e.OrderID]+1 {
					t.Fatalf("order %s: seq %d behind %d", e.OrderID, e.Seq, last[e.OrderID])
				}
				last[e.OrderID] = e.Seq
			}
		}
	}
	if len(last) != 40 {
		t.Errorf("%d orders were published", len(last))
	}
}

// TestAnUnknownOutcomeIsReadBack: what was made is success, with its publication; what was not is Unavailable, with
// none.
func TestAnUnknownOutcomeIsReadBack(t *testing.T) {
	for _, made := range []bool{true, false} {
		heard := new(published)
		s := opened(t, shared.Database(t), func(c *Config) { c.Publisher = heard })
		running(t, s)
		place(t, s, storetest.Draft{})
		s.breakNext(made)
		o, ev := storetest.Place(t, storetest.Draft{})
		err := s.Commit(t.Context(), storetest.Change(orders.Order{}, o, ev))
		if (err == nil) != made || !made && orders.KindOf(err) != orders.Unavailable {
			t.Errorf("made %t: %v", made, err)
		}
		if n := len(heard.all()); (n == 2) != made {
			t.Errorf("made %t: %d groups were published", made, n)
		}
		place(t, s, storetest.Draft{})
	}
}
