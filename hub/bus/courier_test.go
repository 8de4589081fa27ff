package bus_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"

	"doorbell/hub/bus"
	"doorbell/hub/bus/redistest"
	"doorbell/orders"
)

// post sends a point of a courier that has picked the order up, and reports whether it is on its way.
func post(ctx context.Context, r *bus.Redis, id, courier string, epoch int64, point string) (sent bool, err error) {
	for {
		_, mark, err := r.LoadCourier(ctx, courier)
		if err != nil {
			return false, err
		}
		p := []bus.Position{{Order: id, Courier: courier, Epoch: epoch, Riding: true, Point: []byte(point)}}
		lost, err := r.SaveCourier(ctx, courier, mark, []byte(point), p)
		if !lost {
			return p[0].Answer == bus.PositionSent, err
		}
	}
}

// What is remembered of a courier is changed by one node at a time, whoever asks.
func TestCourierIsSavedByCompareAndSet(t *testing.T) {
	t.Parallel()
	url, store := redistest.Start(t).URL(), newMemory()
	a, b := start(t, "a", url, store), start(t, "b", url, store)
	waitBegun(t, a, a, b)
	ctx := t.Context()
	var won atomic.Int64
	var all sync.WaitGroup
	for _, n := range []*node{a, b} {
		for range 4 {
			all.Go(func() {
				for range 25 {
					data, mark, err := n.bus.LoadCourier(ctx, "cou_1")
					if err != nil {
						t.Error(err)
						return
					}
					lost, err := n.bus.SaveCourier(ctx, "cou_1", mark, append(data, 'x'), nil)
					if err != nil {
						t.Error(err)
					} else if !lost {
						won.Add(1)
					}
				}
			})
		}
	}
	all.Wait()
	data, _, err := a.bus.LoadCourier(ctx, "cou_1")
	if err != nil || int64(len(data)) != won.Load() || won.Load() == 0 {
		t.Errorf("%d saves were kept of %d that were not lost, %v", len(data), won.Load(), err)
	}
}

// A position is told at its own part of the way only, never behind a later one, and a question tells nobody.
func TestPositionAnswers(t *testing.T) {
	t.Parallel()
	url, store := redistest.Start(t).URL(), newMemory()
	a := start(t, "a", url, store)
	waitBegun(t, a, a)
	ctx, id := t.Context(), store.place(a.bus)
	store.change(a.bus, id, func(o *orders.Order) {
		o.Status, o.Delivery.Epoch, o.Delivery.Courier = orders.Confirmed, 1, &orders.Courier{ID: "cou_1"}
	})
	ask := func(riding bool, point string) bus.PositionAnswer {
		t.Helper()
		_, mark, err := a.bus.LoadCourier(ctx, "cou_1")
		if err != nil {
			t.Fatal(err)
		}
		p := []bus.Position{{Order: id, Courier: "cou_1", Epoch: 1, Riding: riding}}
		if point != "" {
			p[0].Point = []byte(point)
		}
		if _, err := a.bus.SaveCourier(ctx, "cou_1", mark, nil, p); err != nil {
			t.Fatal(err)
		}
		return p[0].Answer
	}
	wait(t, patience, "the window", func() bool { return ask(false, "") == bus.PositionSent })
	if got := ask(true, "v00000001"); got != bus.PositionClosed {
		t.Errorf("riding before pick-up: %v", got)
	}
	if got := ask(false, "v00000002"); got != bus.PositionSent {
		t.Errorf("on the way to the merchant: %v", got)
	}
	if got := ask(false, "v00000001"); got != bus.PositionOlder {
		t.Errorf("an older one: %v", got)
	}
	store.change(a.bus, id, func(o *orders.Order) { o.Status = orders.OnDelivery })
	wait(t, patience, "the pick-up", func() bool { return ask(true, "") == bus.PositionSent })
	if got := ask(false, "v00000003"); got != bus.PositionClosed {
		t.Errorf("on the way to the merchant after pick-up: %v", got)
	}
	if got := ask(true, "v00000001"); got != bus.PositionSent {
		t.Errorf("the first of a new part of the way: %v", got)
	}
}
