package ride_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"doorbell/hub/track/ride"
	"doorbell/orders"
)

func TestLocal_ForgetsWhatIsIdle(t *testing.T) {
	inBubble(t, ride.Config{}, 1, func(w *world) {
		id := w.picked("cou_1", 3000)
		w.post("cou_1", w.wait(time.Second).fix(0))
		if p, ok := w.local.Last(context.Background(), id); !ok || p.Courier != "cou_1" || p.Exact == nil {
			t.Errorf("last %+v", p)
		}
		w.wait(ride.PointKept + time.Second)
		if _, ok := w.local.Last(context.Background(), id); ok {
			t.Error("an old position is shown")
		}
		w.wait(6 * time.Minute)
		time.Sleep(2 * time.Minute) // Run looks everywhere
		if couriers, orders := w.local.Kept(); couriers != 0 || orders != 0 {
			t.Errorf("%d couriers, %d orders", couriers, orders)
		}
		// Nothing is lost with it.
		w.take()
		w.post("cou_1", w.wait(time.Second).fix(50))
		w.shows(id, 50)
	})
}

// TestLocal_ATooOldReadOpensNothing: an order ends while it is read how it was before.
func TestLocal_ATooOldReadOpensNothing(t *testing.T) {
	w := newWorld(t, 0, ride.Config{})
	id := w.picked("cou_1", 3000)
	slow := &slowReader{world: w, between: func() { w.do(id, ops, orders.Hand{}) }}
	w.local = ride.NewLocal(w, slow, w.Now)
	sh := ride.Shown{Order: id, Courier: "cou_1", Epoch: 1, Phase: ride.Riding, Point: w.fix(0)}
	w.local.Tell(context.Background(), &sh)
	if sh.Outcome != ride.Closed {
		t.Errorf("outcome %d", sh.Outcome)
	}
	w.shows()
}

type slowReader struct {
	*world
	between func()
}

func (s *slowReader) Order(ctx context.Context, id string) (orders.Order, error) {
	o, err := s.world.Order(ctx, id)
	s.between()
	return o, err
}

// TestPost_RacesOnTwoNodes: one courier posts everywhere at once while its order changes hands; what is shown of
// a courier never goes back.
func TestPost_RacesOnTwoNodes(t *testing.T) {
	w := newWorld(t, 2, ride.Config{Tracks: &book{}})
	ctx, cancel := context.WithCancel(context.Background())
	var running, posting sync.WaitGroup
	for _, n := range w.nodes {
		running.Go(func() {
			if err := n.Run(ctx); err != nil {
				t.Error(err)
			}
		})
	}
	id := w.picked("cou_1", 9000)
	for i := range 8 {
		posting.Go(func() {
			for j := range 200 {
				now := w.wait(300 * time.Millisecond).Now()
				p := fixAt(now, float64(j*12))
				courier := fmt.Sprintf("cou_%d", 1+j/20%2)
				if _, err := w.nodes[i%2].Post(ctx, courier, fmt.Sprint("phone", i), points(p), now); err != nil {
					t.Error(err)
				}
			}
		})
	}
	posting.Go(func() {
		for i := range 40 {
			w.do(id, ops, assign(fmt.Sprintf("cou_%d", 1+i%2)))
		}
	})
	posting.Wait()
	cancel()
	running.Wait()

	last := map[string]string{}
	for _, p := range w.told {
		f := w.frame(p.Exact)
		if f.At < last[p.Courier] {
			t.Errorf("%s: %s behind %s", p.Courier, f.At, last[p.Courier])
		}
		last[p.Courier] = f.At
	}
	if len(w.told) < 20 {
		t.Errorf("only %d were shown", len(w.told))
	}
	if o, _ := w.Order(context.Background(), id); o.Status != orders.OnDelivery {
		t.Errorf("the order is %s", o.Status)
	}
}
