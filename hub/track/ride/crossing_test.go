package ride_test

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"doorbell/hub/track/ride"
	"doorbell/orders"
)

// crossed has the crossings so far told, and returns what the order was told in all.
func (w *world) crossed(id string) (out []orders.EventType) {
	w.Helper()
	synctest.Wait()
	o, err := w.Order(context.Background(), id)
	if err != nil {
		w.Fatal(err)
	}
	for _, e := range o.Timeline {
		switch e.Type {
		case orders.CourierNearby, orders.CourierArrivedAtMerchant, orders.CourierArrivedAtCustomer:
			out = append(out, e.Type)
		}
	}
	return out
}

// inBubble runs a world's services in virtual time.
func inBubble(t *testing.T, cfg ride.Config, nodes int, test func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nodes, cfg)
		ctx, cancel := context.WithCancel(context.Background())
		for _, n := range w.nodes {
			go func() {
				if err := n.Run(ctx); err != nil {
					t.Error(err)
				}
			}()
		}
		go func() {
			if err := w.local.Run(ctx); err != nil {
				t.Error(err)
			}
		}()
		test(w)
		cancel()
		synctest.Wait()
	})
}

func TestCrossings_OncePerLeg(t *testing.T) {
	inBubble(t, ride.Config{}, 2, func(w *world) {
		id := w.assigned("cou_1", 3000)
		ride := func(from, to float64) { // 10 m/s, one fix in five seconds, now here, now there
			step := 50.
			if to < from {
				step = -50
			}
			for x, i := from, 0; x != to; x, i = x+step, i+1 {
				if _, err := w.nodes[i%2].Post(context.Background(), "cou_1", "", points(w.wait(5*time.Second).fix(x)), w.Now()); err != nil {
					w.Fatal(err)
				}
				synctest.Wait()
			}
		}
		stay := func(at float64) {
			for range 5 {
				w.post("cou_1", w.wait(5*time.Second).fix(at))
				synctest.Wait()
			}
		}
		want := func(want ...orders.EventType) {
			w.Helper()
			if got := w.crossed(id); !slices.Equal(got, want) {
				w.Errorf("told %v, want %v", got, want)
			}
		}
		ride(-1500, -700)
		want()
		ride(-700, -100)
		want(orders.CourierNearby)
		ride(-100, 0)
		stay(0)
		want(orders.CourierNearby, orders.CourierArrivedAtMerchant)
		w.do(id, ops, orders.Pickup{})
		ride(0, 2000)
		stay(2000)
		want(orders.CourierNearby, orders.CourierArrivedAtMerchant)
		ride(2000, 3000)
		stay(3000)
		all := []orders.EventType{orders.CourierNearby, orders.CourierArrivedAtMerchant, orders.CourierNearby, orders.CourierArrivedAtCustomer}
		want(all...)
		// Once is enough.
		ride(3000, 3500)
		ride(3500, 3000)
		stay(3000)
		want(all...)
		// But another courier is another leg.
		w.do(id, ops, assign("cou_2"))
		for range 5 {
			w.post("cou_2", w.wait(5*time.Second).fix(2990))
			synctest.Wait()
		}
		want(append(all, orders.CourierNearby, orders.CourierArrivedAtCustomer)...)
	})
}

func TestCrossings_ALostOneComesAgain(t *testing.T) {
	inBubble(t, ride.Config{}, 1, func(w *world) {
		id := w.picked("cou_1", 3000)
		w.failing = orders.Errorf(orders.Unavailable, "not now")
		w.post("cou_1", w.wait(5*time.Second).fix(2800))
		if got := w.crossed(id); len(got) != 0 {
			t.Errorf("told %v", got)
		}
		w.failing = nil
		w.post("cou_1", w.wait(5*time.Second).fix(2820))
		if got := w.crossed(id); len(got) != 1 {
			t.Errorf("told %v", got)
		}
	})
}

func TestCrossings_OtherStopsFirst(t *testing.T) {
	inBubble(t, ride.Config{}, 1, func(w *world) {
		first := w.picked("cou_1", 1000)
		w.wait(time.Second)
		second := w.picked("cou_1", 1060) // the next house
		stay := func(at float64) {
			for range 4 {
				w.post("cou_1", w.wait(6*time.Second).fix(at))
				synctest.Wait()
			}
		}
		stay(1010)
		if got := w.crossed(first); len(got) != 2 {
			t.Errorf("the first was told %v", got)
		}
		if got := w.crossed(second); len(got) != 0 {
			t.Errorf("the second was told %v while the courier is at the first", got)
		}
		w.do(first, ops, orders.Hand{})
		stay(1050)
		if got := w.crossed(second); len(got) != 2 {
			t.Errorf("the second was told %v", got)
		}
	})
}

// TestCrossings_TheCourierChoosesAnotherOrder: nobody tells us its route, but where it stands it has arrived.
func TestCrossings_TheCourierChoosesAnotherOrder(t *testing.T) {
	inBubble(t, ride.Config{}, 1, func(w *world) {
		first := w.picked("cou_1", 1000)
		w.wait(time.Second)
		second := w.picked("cou_1", 4000)
		for i := range 4 {
			w.post("cou_1", w.wait(6*time.Second).fix(4000+float64(i)))
			synctest.Wait()
		}
		if got := w.crossed(second); !slices.Contains(got, orders.CourierArrivedAtCustomer) {
			t.Errorf("the second was told %v", got)
		}
		w.take()
		w.post("cou_1", w.wait(6*time.Second).fix(4020))
		told := w.take()
		if told[second].Coarse != nil || told[first].Coarse == nil {
			t.Error("it is not the first now")
		}
	})
}
