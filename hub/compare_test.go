package hub_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"

	"doorbell/hub"
	"doorbell/hub/wire"
	"doorbell/orders"
	"doorbell/orders/store/storetest"
)

// restored is a source whose orders stand as they stood in a backup.
type restored struct {
	hub.Source
	old map[string]orders.Order
}

func (r restored) Order(ctx context.Context, id string) (orders.Order, error) {
	if o, ok := r.old[id]; ok {
		return o, nil
	}
	return r.Source.Order(ctx, id)
}

func (r restored) Ownership(ctx context.Context, id string) (orders.Ownership, error) {
	o, err := r.Order(ctx, id)
	return o.Ownership(), err
}

func (r restored) Events(ctx context.Context, id string, after int64, limit int) ([]orders.Event, error) {
	all, err := r.Source.Events(ctx, id, after, limit)
	for i, e := range all {
		if e.Seq > r.old[id].Seq {
			return all[:i], err
		}
	}
	return all, err
}

func (r restored) Seqs(ctx context.Context, ids []string) (map[string]int64, error) {
	out, err := r.Source.Seqs(ctx, ids)
	for id, o := range r.old {
		if _, ok := out[id]; ok {
			out[id] = o.Seq
		}
	}
	return out, err
}

func TestWhatTheBusLostIsComparedAndTold(t *testing.T) {
	inBubble(t, hub.Config{}, func(w *world) {
		lost, whole := w.confirmed(storetest.Draft{}), w.confirmed(storetest.Draft{}) // seq 2
		c, other := w.connect(customer("cus_1")), w.connect(customer("cus_1"))
		for _, x := range []*client{c, other} {
			w.watch(x, orderTopic(lost), 0)
		}
		w.watch(c, orderTopic(whole), 0)
		synctest.Wait()
		c.forget()
		other.forget()

		w.pass = func(*orders.Order, []orders.Event) {}
		w.delayed(lost)
		w.delayed(lost)
		synctest.Wait()
		c.heard(lost)

		before := w.src.count("order")
		if err := w.hub.Compare(w.ctx); err != nil {
			w.Fatal(err)
		}
		synctest.Wait()
		c.heard(lost, "snapshot ID 4") // and nothing of the order that was whole
		other.heard(lost, "snapshot ID 4")
		if n := w.src.count("order") - before; n != 1 {
			w.Errorf("%d reads for two watchers of one order", n)
		}
		if n := w.src.count("seqs"); n != 1 {
			w.Errorf("%d queries for two orders", n)
		}
		if err := w.hub.Compare(w.ctx); err != nil {
			w.Fatal(err)
		}
		synctest.Wait()
		c.heard(lost) // all is well

		w.pass = w.hub.Publish
		w.delayed(lost)
		synctest.Wait()
		c.heard(lost, "event ID 5")
	})
}

func TestARestoredDatabaseStepsBackByOneSnapshot(t *testing.T) {
	inBubble(t, hub.Config{}, func(w *world) {
		id := w.confirmed(storetest.Draft{}) // seq 2
		backup := w.order(id)
		c, stream := w.connect(customer("cus_1")), w.stream(customer("cus_1"))
		w.watch(c, orderTopic(id), 0)
		w.watch(stream, orderTopic(id), 1)
		w.delayed(id)
		w.delayed(id)
		synctest.Wait()
		c.forget()

		w.src.Source = restored{w.store, map[string]orders.Order{id: backup}}
		if err := w.hub.Compare(w.ctx); err != nil {
			w.Fatal(err)
		}
		synctest.Wait()
		c.heard(id, "snapshot ID 2")

		// What happens now is told, though a seq like it was told before.
		o, events := storetest.Apply(t, backup, orders.Delay{PrepMinutes: 7}, storetest.Merchant(), backup.UpdatedAt)
		w.src.Source = restored{w.store, map[string]orders.Order{id: o}}
		w.hub.Publish(&o, events)
		synctest.Wait()
		c.heard(id, "event ID 3")
		if got := stream.seqs(); len(got) == 0 || got[len(got)-1] != 3 {
			w.Errorf("the stream was told %v", got)
		}
	})
}

func TestABoardIsListedAgainAfterADoubt(t *testing.T) {
	inBubble(t, hub.Config{}, func(w *world) {
		c := w.connect(merchant("res_1"))
		w.watch(c, board(wire.TopicRestaurant, "res_1"), 0)
		synctest.Wait()
		w.pass = func(*orders.Order, []orders.Event) {}
		id := w.confirmed(storetest.Draft{})
		if err := w.hub.Compare(w.ctx); err != nil {
			w.Fatal(err)
		}
		synctest.Wait()
		w.showsAll(c, board(wire.TopicRestaurant, "res_1"))
		w.pass = w.hub.Publish
		w.delayed(id)
		synctest.Wait()
		w.showsAll(c, board(wire.TopicRestaurant, "res_1"))
	})
}

func TestAnOrderThatComesWithoutItselfIsReadOnceForAllBoards(t *testing.T) {
	inBubble(t, hub.Config{}, func(w *world) {
		w.pass = func(o *orders.Order, events []orders.Event) {
			d := hub.ChangeOf(o, events, o.UpdatedAt)
			d.Order = nil
			w.hub.Deliver(d)
		}
		b := board(wire.TopicRestaurant, "res_1")
		screens := []*client{w.connect(merchant("res_1")), w.connect(merchant("res_1")), w.connect(ops())}
		for _, c := range screens {
			w.watch(c, b, 0)
		}
		synctest.Wait()
		before := w.src.count("order")
		id := w.place(storetest.Draft{Method: orders.Cash})
		synctest.Wait()
		if n := w.src.count("order") - before; n != 1 {
			w.Errorf("%d reads for three screens", n)
		}
		w.do(id, storetest.Merchant(), orders.Confirm{PrepMinutes: 5})
		synctest.Wait()
		if n := w.src.count("order") - before; n != 1 {
			w.Errorf("%d reads where an event was enough", n)
		}
		for _, c := range screens {
			w.showsAll(c, b)
		}
	})
}

func TestClientsHearThatTheBusIsAway(t *testing.T) {
	inBubble(t, hub.Config{}, func(w *world) {
		early := w.connect(ops())
		w.hub.Degrade("Redis cannot be reached")
		late := w.connect(ops())
		synctest.Wait()
		for _, c := range []*client{early, late} {
			if said := strings.Join(c.said(), "|"); strings.Count(said, "degraded") != 1 {
				w.Errorf("said %s", said)
			}
		}
		w.hub.Recover()
		after := w.connect(ops())
		synctest.Wait()
		if said := strings.Join(after.said(), "|"); strings.Contains(said, "degraded") {
			w.Errorf("said %s", said)
		}
	})
}
