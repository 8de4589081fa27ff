package hub_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"doorbell/hub"
	"doorbell/hub/wire"
	"doorbell/orders"
	"doorbell/orders/store/storetest"
)

// at is a position that says who was where.
func at(order, courier, place string) hub.Position {
	return hub.Position{Order: order, Courier: courier, Exact: fmt.Appendf(nil, `{"lat":%q}`, place)}
}

// latest is the positions and arrivals that a client was told since the last forget, in order.
func (c *client) latest() (out []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, f := range c.frames {
		switch f.Op {
		case wire.OpLocation:
			out = append(out, string(f.Location))
		case wire.OpETA:
			out = append(out, string(f.ETA))
		}
	}
	return out
}

func (c *client) told(want ...string) {
	c.Helper()
	synctest.Wait()
	if got := c.latest(); !slices.Equal(got, want) {
		c.Errorf("told %v, want %v", got, want)
	}
	c.forget()
}

// ride is an order that is on its way with a courier.
func (w *world) ride(courier string) string {
	w.Helper()
	id := w.carried(storetest.Draft{}, courier)
	w.do(id, storetest.Merchant(), orders.Prepare{})
	w.do(id, storetest.Ops, orders.Pickup{})
	return id
}

func TestAPositionIsToldInsideItsWindowOnly(t *testing.T) {
	inBubble(t, hub.Config{}, func(w *world) {
		id := w.carried(storetest.Draft{}, "cou_1")
		c := w.connect(customer("cus_1"))
		w.watch(c, orderTopic(id), 0)
		synctest.Wait()
		c.forget()
		tell := func(courier, place string) { w.hub.Locate(at(id, courier, place)) }

		tell("cou_1", "before pick-up")
		c.told()
		w.do(id, storetest.Merchant(), orders.Prepare{})
		w.do(id, storetest.Ops, orders.Pickup{})
		tell("cou_1", "a")
		c.told(`{"lat":"a"}`)
		tell("cou_2", "somebody else")
		c.told()
		w.do(id, storetest.Ops, assign("cou_2"))
		tell("cou_1", "replaced")
		c.told()
		tell("cou_2", "b")
		c.told(`{"lat":"b"}`)
		w.do(id, storetest.Ops, orders.Hand{})
		tell("cou_2", "after the end")
		c.told()
	})
}

func TestWhoResumesIsToldPositions(t *testing.T) {
	inBubble(t, hub.Config{}, func(w *world) {
		id := w.ride("cou_1")
		seq := w.order(id).Seq
		for _, after := range []int64{seq, seq - 1, 0} {
			c := w.connect(customer("cus_1"))
			w.watch(c, orderTopic(id), after)
			synctest.Wait()
			c.forget()
			w.hub.Locate(at(id, "cou_1", "a"))
			c.told(`{"lat":"a"}`)
		}
	})
}

func TestOnlyTheLatestPositionIsTold(t *testing.T) {
	inBubble(t, hub.Config{LocationEvery: 2 * time.Second}, func(w *world) {
		id := w.ride("cou_1")
		c, slow := w.connect(customer("cus_1")), w.connect(customer("cus_1"))
		for _, x := range []*client{c, slow} {
			w.watch(x, orderTopic(id), 0)
			synctest.Wait()
			x.forget()
		}
		for i := range 5 {
			w.hub.Locate(at(id, "cou_1", fmt.Sprint(i)))
			time.Sleep(450 * time.Millisecond)
		}
		c.told(`{"lat":"0"}`, `{"lat":"4"}`)

		slow.stall()
		time.Sleep(2 * time.Second)
		for i := range 4 {
			w.hub.Locate(at(id, "cou_1", fmt.Sprint("late ", i)))
			time.Sleep(2100 * time.Millisecond)
		}
		slow.forget()
		slow.resume()
		synctest.Wait()
		if got := slow.latest(); len(got) > 2 || got[len(got)-1] != `{"lat":"late 3"}` {
			w.Errorf("a slow client was told %v", got)
		}

		// What waits for its turn does not outlive the window.
		c.forget()
		w.hub.Locate(at(id, "cou_1", "now"))
		synctest.Wait()
		w.hub.Locate(at(id, "cou_1", "waits"))
		w.do(id, storetest.Ops, orders.Hand{})
		time.Sleep(3 * time.Second)
		c.told(`{"lat":"now"}`)
	})
}

func TestAPositionHasItsWordsForEachRole(t *testing.T) {
	inBubble(t, hub.Config{}, func(w *world) {
		id := w.carried(storetest.Draft{}, "cou_1")
		people := map[orders.Role]*client{
			orders.RoleCustomer: w.connect(customer("cus_1")), orders.RoleMerchant: w.connect(merchant("res_1")),
			orders.RoleOps: w.connect(ops()), orders.RoleTracker: w.connect(tracker(id)),
		}
		for _, c := range people {
			w.watch(c, orderTopic(id), 0)
			synctest.Wait()
			c.forget()
		}
		p := hub.Position{
			Order: id, Courier: "cou_1", Exact: []byte(`{"lat":1}`), Coarse: []byte(`{"stopsAhead":2}`),
			ETA: []byte(`{"etaAt":"x"}`), MerchantETA: []byte(`{"etaAt":"x","distance":3}`),
		}
		w.hub.Locate(p) // before pick-up nobody sees the point
		people[orders.RoleCustomer].told(`{"etaAt":"x"}`)
		people[orders.RoleTracker].told(`{"etaAt":"x"}`)
		people[orders.RoleMerchant].told(`{"etaAt":"x","distance":3}`)
		people[orders.RoleOps].told(`{"etaAt":"x"}`)

		w.do(id, storetest.Merchant(), orders.Prepare{})
		w.do(id, storetest.Ops, orders.Pickup{})
		p.ETA, p.MerchantETA = nil, nil
		w.hub.Locate(p)
		people[orders.RoleCustomer].told(`{"stopsAhead":2}`)
		people[orders.RoleTracker].told(`{"stopsAhead":2}`)
		people[orders.RoleMerchant].told(`{"lat":1}`)
		people[orders.RoleOps].told(`{"lat":1}`)
	})
}

func TestASnapshotHasTheLastPosition(t *testing.T) {
	var id string
	cfg := hub.Config{Last: func(_ context.Context, order string) (hub.Position, bool) { return at(order, "cou_1", "last"), true }}
	inBubble(t, cfg, func(w *world) {
		id = w.ride("cou_1")
		other := w.ride("cou_2")
		c := w.connect(ops())
		for order, want := range map[string]bool{id: true, other: false} {
			c.forget()
			w.watch(c, orderTopic(order), 0)
			synctest.Wait()
			c.mu.Lock()
			if said := strings.Join(c.lines, ""); strings.Contains(said, `"location":{"lat":"last"}`) != want {
				w.Errorf("%v: the client was sent %s", want, said)
			}
			c.mu.Unlock()
		}
	})
}

// TestTheBusFollowsWhatIsCarriedAndWatched: no order is followed that nobody watches or nobody carries.
func TestTheBusFollowsWhatIsCarriedAndWatched(t *testing.T) {
	var mu sync.Mutex
	followed := map[string]int{}
	cfg := hub.Config{Follow: func(id string, on bool) {
		mu.Lock()
		defer mu.Unlock()
		if followed[id]--; on {
			followed[id] += 2
		}
	}}
	inBubble(t, cfg, func(w *world) {
		id := w.confirmed(storetest.Draft{})
		is := func(want int) {
			w.Helper()
			synctest.Wait()
			mu.Lock()
			defer mu.Unlock()
			if followed[id] != want {
				w.Errorf("followed %d times, want %d", followed[id], want)
			}
		}
		c, other := w.connect(customer("cus_1")), w.connect(ops())
		w.watch(c, orderTopic(id), 0)
		w.watch(other, orderTopic(id), 0)
		is(0)
		w.do(id, storetest.Ops, assign("cou_1"))
		is(1)
		w.do(id, storetest.Ops, assign("cou_2"))
		is(1)
		other.s.Unwatch(orderTopic(id))
		is(1)
		c.s.Unwatch(orderTopic(id))
		is(0)
		w.watch(c, orderTopic(id), w.order(id).Seq)
		is(1)
		w.do(id, storetest.Merchant(), orders.Prepare{})
		w.do(id, storetest.Ops, orders.Pickup{})
		w.do(id, storetest.Ops, orders.Hand{})
		is(0)
	})
}
