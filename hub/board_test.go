package hub_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"doorbell/hub"
	"doorbell/hub/wire"
	"doorbell/orders"
	"doorbell/orders/store/storetest"
)

// screen is a board as a client shows it: each order's newest word by way of one board.
type screen struct {
	t     testing.TB
	board string
	rows  map[string]row
}

type row struct {
	Seq      int64         `json:"seq"`
	Status   orders.Status `json:"status"`
	Delivery struct {
		Status  orders.DeliveryStatus `json:"status"`
		Courier *struct {
			ID        string `json:"id"`
			CourierID string `json:"courierId"`
		} `json:"courier"`
	} `json:"delivery"`
}

func (r row) on() bool { return !r.Status.Final() || r.Delivery.Status == orders.Returning }

// show puts a frame on the screen, and holds it against P2.
func (s *screen) show(f wire.Frame) {
	s.t.Helper()
	put := func(id string, seq int64, b json.RawMessage) {
		var r row
		if err := json.Unmarshal(b, &r); err != nil {
			s.t.Error(err)
		}
		if r.Seq = seq; seq < s.rows[id].Seq {
			s.t.Errorf("%s: a snapshot of %s at %d behind %d", s.board, id, seq, s.rows[id].Seq)
		}
		s.rows[id] = r
	}
	id := strings.TrimPrefix(f.Topic, "order/")
	switch {
	case f.Topic == s.board:
		for _, b := range f.Orders {
			var o struct {
				OrderID string `json:"orderId"`
				Seq     int64  `json:"seq"`
			}
			if err := json.Unmarshal(b, &o); err != nil {
				s.t.Error(err)
			}
			put(o.OrderID, o.Seq, b)
		}
	case f.Board != s.board:
	case f.Op == wire.OpSnapshot:
		put(id, f.Seq, f.Order)
	case f.Op == wire.OpGone:
		delete(s.rows, id)
	case f.Op == wire.OpEvent:
		old, known := s.rows[id]
		if !known || f.Seq != old.Seq+1 {
			s.t.Errorf("%s: event %d of %s behind %d", s.board, f.Seq, id, old.Seq)
		}
		var e struct {
			Payload json.RawMessage `json:"payload"`
		}
		if err := json.Unmarshal(f.Event, &e); err != nil {
			s.t.Error(err)
		}
		put(id, f.Seq, e.Payload)
	}
}

// screenOf is what a client was sent of a board, from the beginning.
func screenOf(c *client, b wire.Topic) map[string]row {
	c.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	s := &screen{t: c.TB, board: b.String(), rows: map[string]row{}}
	for _, f := range c.frames {
		s.show(f)
	}
	for id, r := range s.rows {
		if !r.on() {
			delete(s.rows, id)
		}
	}
	return s.rows
}

// showsAll fails the test unless the client's board is exactly what the store says.
func (w *world) showsAll(c *client, b wire.Topic) {
	w.Helper()
	got := screenOf(c, b)
	var q orders.Query
	if b.Kind == wire.TopicRestaurant {
		q = orders.Query{Restaurants: []string{b.ID}}
	} else {
		q = orders.Query{Courier: b.ID}
	}
	list, _, err := w.store.List(w.ctx, q)
	if err != nil {
		w.Fatal(err)
	}
	n := 0
	for _, o := range list {
		if o.Status.Final() && o.Delivery.Status != orders.Returning {
			continue
		}
		if r, ok := got[o.ID]; o.Status.Final() && b.Kind == wire.TopicRestaurant && !ok {
			continue // a restaurant's list has running orders only; what fails on a board stays there
		} else if r.Seq != o.Seq || r.Status != o.Status {
			w.Errorf("%s: %s is shown as %s at %d, is %s at %d", b, o.ID, r.Status, r.Seq, o.Status, o.Seq)
		}
		n++
	}
	if len(got) != n {
		w.Errorf("%s: %d orders are shown, want %d", b, len(got), n)
	}
}

func TestBoard(t *testing.T) {
	inBubble(t, hub.Config{}, func(w *world) {
		ids := w.many(30, storetest.Draft{}, "")
		w.do(ids[3], storetest.Ops, orders.Cancel{Reason: orders.Admin})
		w.place(storetest.Draft{})                        // not paid: no business of the merchant's
		w.confirmed(storetest.Draft{Restaurant: "res_2"}) // somebody else's
		b := board(wire.TopicRestaurant, "res_1")
		m, o := w.connect(merchant("res_1")), w.connect(ops())
		w.watch(m, b, 0)
		w.watch(o, b, 0)
		synctest.Wait()
		for _, c := range []*client{m, o} {
			if n := len(screenOf(c, b)); n != 29 {
				t.Errorf("%d orders on the board", n)
			}
			more := 0
			for i, f := range c.frames[1:] {
				if f.More != (i < len(c.frames)-2) {
					t.Errorf("page %d says more: %v", i, f.More)
				}
				if f.More {
					more++
				}
				if n := len(c.lines[i+1]); n > 16<<10+1000 {
					t.Errorf("a page of %d bytes", n)
				}
			}
			if more < 3 {
				t.Errorf("%d pages", more)
			}
		}
		w.do(ids[5], storetest.Merchant(), orders.Prepare{})
		w.do(ids[6], storetest.Ops, orders.Cancel{Reason: orders.Admin})
		w.delayed(w.confirmed(storetest.Draft{}))
		synctest.Wait()
		w.showsAll(m, b)
		w.showsAll(o, b)
	})
}

// What a courier carries back is on its board, also when it connects only then, and until it is back.
func TestBoard_WhatIsOnItsWayBack(t *testing.T) {
	inBubble(t, hub.Config{}, func(w *world) {
		id := w.carried(storetest.Draft{}, "cou_1")
		b := board(wire.TopicCourier, "cou_1")
		early := w.connect(courier("cou_1"))
		w.watch(early, b, 0)
		w.do(id, storetest.Ops, orders.Pickup{})
		w.do(id, storetest.Ops, orders.Fail{Reason: orders.Damaged})
		late := w.connect(courier("cou_1"))
		w.watch(late, b, 0)
		synctest.Wait()
		for _, c := range []*client{early, late} {
			if r := screenOf(c, b)[id]; r.Delivery.Status != orders.Returning {
				t.Errorf("on the board: %+v", r)
			}
		}
		w.do(id, storetest.Merchant(), orders.ReturnMade{})
		synctest.Wait()
		for _, c := range []*client{early, late} {
			if got := screenOf(c, b); len(got) != 0 {
				t.Errorf("back, and still on the board: %v", got)
			}
		}
	})
}

// An order that ended before a board was watched is not put on it by what is still said of it, however late.
func TestBoard_EndedLongAgo(t *testing.T) {
	inBubble(t, hub.Config{}, func(w *world) {
		id := w.place(storetest.Draft{})
		total := w.order(id).Total
		w.do(id, storetest.Payer, orders.Pay{Amount: total, TransactionID: "tx_1"})
		w.do(id, storetest.Merchant(), orders.Confirm{PrepMinutes: 5})
		w.do(id, storetest.Ops, assign("cou_1"))
		w.do(id, storetest.Ops, orders.Pickup{})
		w.do(id, storetest.Ops, orders.Hand{})
		c, m := w.connect(courier("cou_1")), w.connect(merchant("res_1"))
		w.watch(c, board(wire.TopicCourier, "cou_1"), 0)
		w.watch(m, board(wire.TopicRestaurant, "res_1"), 0)
		synctest.Wait()
		c.forget()
		m.forget()
		w.do(id, storetest.Payer, orders.RefundMade{Amount: total, Reason: "cold"})
		synctest.Wait()
		c.heard(id)
		m.heard(id)
	})
}

// While a page is read, anything may happen to what is on it.
func TestBoard_ChangeMeanwhile(t *testing.T) {
	happen := map[string]func(w *world, ids []string){
		"Event": func(w *world, ids []string) { w.delayed(ids[0]); w.delayed(ids[len(ids)-1]) },
		"New":   func(w *world, _ []string) { w.carried(storetest.Draft{}, "cou_1") },
		"End": func(w *world, ids []string) {
			w.do(ids[0], storetest.Ops, orders.Cancel{Reason: orders.Admin})
			w.do(ids[len(ids)-1], storetest.Ops, orders.Cancel{Reason: orders.Admin})
		},
		"Handed": func(w *world, ids []string) {
			w.do(ids[0], storetest.Ops, assign("cou_2"))
			w.do(ids[len(ids)-1], storetest.Ops, assign("cou_2"))
		},
		"AndBack": func(w *world, ids []string) {
			w.do(ids[0], storetest.Ops, assign("cou_2"))
			w.do(ids[0], storetest.Ops, assign("cou_1"))
		},
		"TakenOff": func(w *world, ids []string) { w.do(ids[0], storetest.Ops, orders.Unassign{}) },
		"Much": func(w *world, ids []string) { // more than is held
			w.do(ids[1], storetest.Ops, assign("cou_2"))
			w.carried(storetest.Draft{}, "cou_1")
			for range 4 {
				for _, id := range ids {
					w.delayed(id)
				}
			}
			w.do(ids[2], storetest.Ops, orders.Cancel{Reason: orders.Admin})
		},
	}
	for name, change := range happen {
		for _, page := range []int{1, 2, 3} {
			for _, behind := range []bool{false, true} {
				t.Run(fmt.Sprintf("%sAtPage%dBehindTheRead%v", name, page, behind), func(t *testing.T) {
					inBubble(t, hub.Config{}, func(w *world) {
						ids := w.many(17, storetest.Draft{}, "cou_1")
						var n atomic.Int64
						hook := func(read string) {
							if read == "list" && n.Add(1) == int64(page) {
								change(w, ids)
							}
						}
						if behind {
							w.src.set(nil, hook)
						} else {
							w.src.set(func(read string) error { hook(read); return nil }, nil)
						}
						cou, mer := board(wire.TopicCourier, "cou_1"), board(wire.TopicRestaurant, "res_1")
						c, m := w.connect(courier("cou_1")), w.connect(merchant("res_1"))
						if page%2 == 1 {
							w.watch(c, cou, 0)
						}
						synctest.Wait()
						w.watch(m, mer, 0)
						w.watch(c, cou, 0)
						synctest.Wait()
						c2 := screenOfLast(c, cou)
						for id := range c2 {
							if r := w.order(id); r.Delivery.Courier == nil || r.Delivery.Courier.ID != "cou_1" {
								t.Errorf("%s is shown to a courier who has not got it", id)
							}
						}
						w.showsAll(m, mer)
						w.sameBoard(c2, cou)
					})
				})
			}
		}
	}
}

// screenOfLast is screenOf from the last time the board's first page was sent behind a last one: a client that watches
// anew begins anew.
func screenOfLast(c *client, b wire.Topic) map[string]row {
	c.mu.Lock()
	s := &screen{t: c.TB, board: b.String(), rows: map[string]row{}}
	last := true
	for _, f := range c.frames {
		if f.Topic == s.board {
			if last {
				s.rows = map[string]row{}
			}
			last = !f.More
		}
		s.show(f)
	}
	c.mu.Unlock()
	for id, r := range s.rows {
		if !r.on() {
			delete(s.rows, id)
		}
	}
	return s.rows
}

func (w *world) sameBoard(got map[string]row, b wire.Topic) {
	w.Helper()
	list, _, err := w.store.List(w.ctx, orders.Query{Courier: b.ID, Running: true})
	if err != nil {
		w.Fatal(err)
	}
	for _, o := range list {
		if got[o.ID].Seq != o.Seq {
			w.Errorf("%s: %s is shown at %d, is at %d", b, o.ID, got[o.ID].Seq, o.Seq)
		}
	}
	if len(got) != len(list) {
		w.Errorf("%s: %d orders are shown, want %d", b, len(got), len(list))
	}
}

// A board whose client fell behind is sent again, and then says how the orders ended that are on it no more.
func TestBoard_Overflow(t *testing.T) {
	inBubble(t, hub.Config{}, func(w *world) {
		ids := w.many(20, storetest.Draft{}, "cou_1")
		mer, cou := board(wire.TopicRestaurant, "res_1"), board(wire.TopicCourier, "cou_1")
		m, c := w.connect(merchant("res_1")), w.connect(courier("cou_1"))
		w.watch(m, mer, 0)
		w.watch(c, cou, 0)
		synctest.Wait()
		m.stall()
		c.stall()
		noise := func() {
			for range 8 {
				for _, id := range ids[10:] {
					w.delayed(id)
				}
			}
		}
		noise()
		w.do(ids[0], storetest.Ops, orders.Cancel{Reason: orders.Admin})
		w.do(ids[1], storetest.Ops, assign("cou_2"))
		w.do(ids[2], storetest.Ops, orders.Pickup{})
		w.do(ids[2], storetest.Ops, orders.Hand{})
		w.confirmed(storetest.Draft{})
		noise()
		synctest.Wait()
		// And once more while it is sent again.
		var n atomic.Int64
		w.src.set(nil, func(read string) {
			if read == "list" && n.Add(1) == 3 {
				w.do(ids[3], storetest.Ops, orders.Cancel{Reason: orders.Admin})
				w.do(ids[4], storetest.Ops, assign("cou_2"))
				noise()
				noise()
			}
		})
		m.resume()
		c.resume()
		synctest.Wait()
		w.showsAll(m, mer)
		w.showsAll(c, cou)
		if got := m.said(); !strings.Contains(fmt.Sprint(got), fmt.Sprintf("snapshot order/%s %d on restaurant/res_1", ids[0], w.order(ids[0]).Seq)) {
			t.Errorf("nobody said how %s ended: %q", ids[0], got)
		}
		if got := fmt.Sprint(c.said()); strings.Count(got, "gone order/"+ids[1]+" on") != 1 || strings.Count(got, "gone order/"+ids[4]+" on") != 1 {
			t.Errorf("gone is said once: %q", got)
		}
	})
}

// Orders too large for a page of many are sent on pages of few, however large they are.
func TestBoard_LargeOrders(t *testing.T) {
	large := func(o *orders.Order, role orders.Role, now time.Time) []byte {
		b := view(o, role, now)
		return append(append(b[:len(b)-1], `,"note":"`+strings.Repeat("x", 20<<10)...), `"}`...)
	}
	inBubble(t, hub.Config{View: large}, func(w *world) {
		ids := w.many(12, storetest.Draft{}, "cou_1")
		b := board(wire.TopicRestaurant, "res_1")
		m := w.connect(merchant("res_1"))
		w.watch(m, b, 0)
		synctest.Wait()
		w.showsAll(m, b)
		m.stall()
		w.flood(ids)
		for _, id := range ids {
			w.do(id, storetest.Ops, orders.Cancel{Reason: orders.Admin})
		}
		m.resume()
		synctest.Wait()
		w.showsAll(m, b)
	})
}

// A board whose client takes nothing keeps nothing alive but its queue.
func TestBoard_StalledHoldsNothing(t *testing.T) {
	inBubble(t, hub.Config{}, func(w *world) {
		ids := w.many(5, storetest.Draft{}, "")
		b := board(wire.TopicRestaurant, "res_1")
		m := w.connect(merchant("res_1"))
		w.watch(m, b, 0)
		synctest.Wait()
		m.stall()
		lists := w.src.count("list")
		for range 60 {
			for _, id := range ids {
				w.delayed(id)
			}
		}
		synctest.Wait()
		if n := w.src.count("list") - lists; n != 0 {
			t.Errorf("%d lists were read for a client that takes nothing", n)
		}
		m.resume()
		synctest.Wait()
		w.showsAll(m, b)
	})
}
