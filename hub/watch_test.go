package hub_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"doorbell/hub"
	"doorbell/hub/wire"
	"doorbell/orders"
	"doorbell/orders/store/storetest"
)

func TestWatch(t *testing.T) {
	inBubble(t, hub.Config{}, func(w *world) {
		id := w.confirmed(storetest.Draft{}) // seq 2
		c := w.connect(customer("cus_1"))
		t := orderTopic(id)

		w.handle(c, `{"op":"watch","id":7,"topics":[{"topic":"order/`+id+`"}]}`)
		synctest.Wait()
		c.heardInAnyOrder(id, "ok #7", "snapshot ID 2")
		w.delayed(id)
		synctest.Wait()
		c.heard(id, "event ID 3")
		w.hub.Publish(w.last[id].order, w.last[id].events)
		synctest.Wait()
		c.heard(id) // a repeat

		w.handle(c, `{"op":"unwatch","id":8,"topics":["order/`+id+`","order/never","nonsense"]}`)
		w.delayed(id)
		synctest.Wait()
		c.heard(id, "ok #8")

		w.watch(c, t, 3) // what was missed
		synctest.Wait()
		c.heard(id, "event ID 4")
		c.s.Unwatch(t)
		w.watch(c, t, 4)
		synctest.Wait()
		c.heard(id, "current ID 4")
		w.delayed(id)
		synctest.Wait()
		c.heard(id, "event ID 5")
		c.s.Unwatch(t)

		w.watch(c, t, 1<<62) // nobody has seen that
		synctest.Wait()
		c.heard(id, "snapshot ID 5")
		w.delayed(id)
		synctest.Wait()
		c.heard(id, "event ID 6")

		w.watch(c, t, 2) // again, without unwatch: a replay could repeat what is on its way, so it is a snapshot
		synctest.Wait()
		c.heard(id, "snapshot ID 6")
		w.watch(c, t, 6)
		synctest.Wait()
		c.heard(id, "current ID 6")
		w.watch(c, t, 0)
		synctest.Wait()
		c.heard(id, "snapshot ID 6")
	})
}

func TestWatch_ALongAbsenceGetsASnapshot(t *testing.T) {
	inBubble(t, hub.Config{}, func(w *world) {
		id := w.confirmed(storetest.Draft{})
		for range 64 {
			w.delayed(id)
		}
		c := w.connect(customer("cus_1"))
		w.watch(c, orderTopic(id), 2) // 64 events: the most that is replayed, in parts
		synctest.Wait()
		var want []string
		for seq := 3; seq <= 66; seq++ {
			want = append(want, fmt.Sprintf("event ID %d", seq))
		}
		c.heard(id, want...)
		c.s.Unwatch(orderTopic(id))
		w.watch(c, orderTopic(id), 1)
		synctest.Wait()
		c.heard(id, "snapshot ID 66")

		s := w.stream(customer("cus_1")) // a stream has no snapshots
		w.watch(s, orderTopic(id), 0)
		synctest.Wait()
		w.delayed(id)
		synctest.Wait()
		s.streamed(1, 67)
	})
}

// streamed fails the test unless a stream showed exactly these events, in order.
func (c *client) streamed(from, to int64) {
	c.Helper()
	got := c.seqs()
	for i, seq := range got {
		if seq != from+int64(i) {
			c.Fatalf("the stream showed %v, want %d to %d", got, from, to)
		}
	}
	if int64(len(got)) != to-from+1 {
		c.Fatalf("the stream showed %v, want %d to %d", got, from, to)
	}
}

func (c *client) heardInAnyOrder(id string, want ...string) {
	c.Helper()
	got := c.said()
	for _, x := range want {
		x = strings.ReplaceAll(x, "ID", "order/"+id)
		found := false
		for i := range got {
			if got[i] == x {
				got, found = append(got[:i:i], got[i+1:]...), true
				break
			}
		}
		if !found {
			c.Errorf("the client was not sent %s", x)
		}
	}
	if len(got) > 0 {
		c.Errorf("the client was also sent %q", got)
	}
	c.forget()
}

// A change while the watch reads is not lost, wherever it falls.
func TestWatch_ChangeMeanwhile(t *testing.T) {
	for _, c := range []struct {
		read  string
		after int64
		place string // before or behind the read
		want  []string
	}{
		{"ownership", 2, "before", []string{"event ID 3"}},
		{"ownership", 2, "behind", []string{"event ID 3"}},
		{"ownership", 0, "before", []string{"snapshot ID 3"}},
		{"ownership", 0, "behind", []string{"snapshot ID 3"}},
		{"order", 0, "before", []string{"snapshot ID 3"}},
		{"order", 0, "behind", []string{"snapshot ID 2", "event ID 3"}},
		{"events", 1, "before", []string{"event ID 2", "event ID 3"}},
		{"events", 1, "behind", []string{"event ID 2", "event ID 3"}},
	} {
		t.Run(fmt.Sprintf("%sThe%sReadAfter%d", c.place, c.read, c.after), func(t *testing.T) {
			inBubble(t, hub.Config{}, func(w *world) {
				id := w.confirmed(storetest.Draft{})
				cl := w.connect(customer("cus_1"))
				once := false
				change := func(read string) {
					if read == c.read && !once {
						once = true
						w.delayed(id)
					}
				}
				if c.place == "before" {
					w.src.set(func(read string) error { change(read); return nil }, nil)
				} else {
					w.src.set(nil, change)
				}
				w.watch(cl, orderTopic(id), c.after)
				synctest.Wait()
				cl.heard(id, c.want...)
				w.src.set(nil, nil)
				w.delayed(id)
				synctest.Wait()
				cl.heard(id, "event ID 4")
			})
		})
	}
}

func TestWatch_Refused(t *testing.T) {
	inBubble(t, hub.Config{}, func(w *world) {
		mine := w.place(storetest.Draft{})
		theirs := w.place(storetest.Draft{Customer: "cus_2"})
		c := w.connect(customer("cus_1"))
		synctest.Wait()
		c.forget()
		for _, x := range []struct{ topic, kind string }{
			{"order/" + theirs, "not_found"},
			{"order/ord_unknown", "not_found"},
			{"restaurant/res_1", "not_found"},
			{"courier/cus_1", "not_found"},
			{"order/", "invalid"},
			{"order", "invalid"},
			{"orders/" + mine, "invalid"},
			{"order/" + mine + "/events", "invalid"},
			{"", "invalid"},
		} {
			w.handle(c, `{"op":"watch","id":1,"topics":[{"topic":"`+x.topic+`"}]}`)
			synctest.Wait()
			want := "error #1 " + x.topic + " " + x.kind
			if x.topic == "" {
				want = "error #1 " + x.kind
			}
			c.heard("", want)
		}
		long := "order/" + strings.Repeat("x", 500)
		w.handle(c, `{"op":"watch","topics":[{"topic":"`+long+`"},{"topic":"order/`+mine+`"}]}`)
		synctest.Wait()
		c.heardInAnyOrder(mine, "error invalid", "snapshot ID 1") // the good one is watched all the same

		for line, want := range map[string]string{
			`{"op":"shout","id":3}`:         "error #3 invalid",
			`nonsense`:                      "error invalid",
			`{"op":"ping","id":4,"x":1}`:    "error #4 invalid",
			`{"op":"ping"}`:                 "pong",
			`{"op":"locate","points":[{}]}`: "error forbidden",
			`{"op":"token","token":"x"}`:    "error unauthenticated",
		} {
			w.handle(c, line)
			synctest.Wait()
			c.heard("", want)
		}
		if n := w.hub.Topics(); n != 1 {
			t.Errorf("%d topics are watched, want 1", n)
		}
		w.src.set(func(string) error { return orders.Errorf(orders.Unavailable, "the disk is full") }, nil)
		w.handle(c, `{"op":"watch","topics":[{"topic":"order/`+theirs+`"}]}`)
		w.src.set(func(string) error { return fmt.Errorf("a driver's secret") }, nil)
		w.handle(c, `{"op":"watch","topics":[{"topic":"order/`+theirs+`"}]}`)
		synctest.Wait()
		if s := strings.Join(c.lines, ""); strings.Contains(s, "secret") || !strings.Contains(s, `"kind":"internal"`) ||
			!strings.Contains(s, `"kind":"unavailable","detail":"the disk is full"`) {
			t.Errorf("the client was sent %s", s)
		}
		if e, _ := c.ending(); e != (hub.Ending{}) {
			t.Errorf("the session ended: %v", e)
		}
	})
}

func TestWatch_TwoHundredTopics(t *testing.T) {
	inBubble(t, hub.Config{}, func(w *world) {
		c := w.connect(ops())
		for i := range wire.MaxTopics {
			w.watch(c, board(wire.TopicRestaurant, fmt.Sprintf("res_%d", i)), 0)
		}
		err := c.s.Watch(w.ctx, board(wire.TopicRestaurant, "res_x"), 0)
		if orders.KindOf(err) != orders.Exhausted {
			t.Fatalf("one topic more: %v", err)
		}
		w.watch(c, board(wire.TopicRestaurant, "res_7"), 0) // again: not one more
		c.s.Unwatch(board(wire.TopicRestaurant, "res_7"))
		w.watch(c, board(wire.TopicRestaurant, "res_x"), 0)
		synctest.Wait()
		if n := w.hub.Topics(); n != wire.MaxTopics {
			t.Errorf("%d topics", n)
		}
	})
}

func TestWatch_AMerchantBeforeTheMoney(t *testing.T) {
	inBubble(t, hub.Config{}, func(w *world) {
		id := w.place(storetest.Draft{})
		m, other := w.connect(merchant("res_1", "res_2")), w.connect(merchant("res_2"))
		w.watch(m, board(wire.TopicRestaurant, "res_1"), 0)
		w.watch(m, board(wire.TopicRestaurant, "res_2"), 0)
		w.watch(other, board(wire.TopicRestaurant, "res_2"), 0)
		if err := m.s.Watch(w.ctx, orderTopic(id), 0); orders.KindOf(err) != orders.NotFound {
			t.Errorf("before PAID: %v", err)
		}
		if err := other.s.Watch(w.ctx, board(wire.TopicRestaurant, "res_1"), 0); orders.KindOf(err) != orders.NotFound {
			t.Errorf("another's board: %v", err)
		}
		synctest.Wait()
		m.heardInAnyOrder("", "snapshot restaurant/res_1 of 0", "snapshot restaurant/res_2 of 0")
		other.forget()

		w.do(id, storetest.Payer, orders.Pay{Amount: w.order(id).Total, TransactionID: "tx_1"})
		w.do(id, storetest.Merchant(), orders.Confirm{PrepMinutes: 5})
		synctest.Wait()
		m.heard(id, "snapshot ID 2 on restaurant/res_1", "event ID 3 on restaurant/res_1")
		other.heard(id)
		w.watch(m, orderTopic(id), 3)
		w.do(id, storetest.Merchant(), orders.Prepare{})
		synctest.Wait()
		m.heardInAnyOrder(id, "current ID 3", "event ID 4", "event ID 4 on restaurant/res_1")
	})
}

func TestWatch_AReplacedCourier(t *testing.T) {
	for _, resumed := range []bool{false, true} {
		t.Run(fmt.Sprintf("Resumed%v", resumed), func(t *testing.T) {
			inBubble(t, hub.Config{}, func(w *world) {
				id := w.carried(storetest.Draft{}, "cou_1")
				a, b := w.connect(courier("cou_1")), w.connect(courier("cou_2"))
				after := int64(0)
				if resumed {
					after = 3
				}
				w.watch(a, orderTopic(id), after)
				if err := b.s.Watch(w.ctx, orderTopic(id), 0); orders.KindOf(err) != orders.NotFound {
					t.Errorf("somebody else's order: %v", err)
				}
				w.watch(a, board(wire.TopicCourier, "cou_1"), 0)
				w.watch(b, board(wire.TopicCourier, "cou_2"), 0)
				synctest.Wait()
				a.forget()
				b.forget()
				w.do(id, storetest.Ops, assign("cou_2"))
				w.delayed(id)
				synctest.Wait()
				a.heard(id, "gone ID", "gone ID on courier/cou_1")
				b.heard(id, "snapshot ID 4 on courier/cou_2", "event ID 5 on courier/cou_2")
				if err := a.s.Watch(w.ctx, orderTopic(id), 3); orders.KindOf(err) != orders.NotFound {
					t.Errorf("after the handover: %v", err)
				}
				w.do(id, storetest.Ops, assign("cou_1")) // and back
				w.delayed(id)
				synctest.Wait()
				a.heard(id, "snapshot ID 6 on courier/cou_1", "event ID 7 on courier/cou_1")
				b.heard(id, "gone ID on courier/cou_2")
			})
		})
	}
}

// The bus may lose the very change that replaced a courier, in front of a client that resumes, too.
func TestWatch_AReplacedCourierWhomNobodyTold(t *testing.T) {
	inBubble(t, hub.Config{}, func(w *world) {
		id := w.carried(storetest.Draft{}, "cou_1")
		live, late := w.connect(courier("cou_1")), w.connect(courier("cou_1"))
		onBoard := w.connect(courier("cou_1"))
		w.watch(live, orderTopic(id), 0)
		w.watch(onBoard, board(wire.TopicCourier, "cou_1"), 0)
		synctest.Wait()
		for _, c := range []*client{live, late, onBoard} {
			c.forget()
		}
		w.src.set(nil, func(read string) {
			if read == "ownership" { // late has just been found to see the order
				w.src.set(nil, nil)
				w.pass = func(*orders.Order, []orders.Event) {}
				w.do(id, storetest.Ops, assign("cou_2"))
				w.delayed(id)
				w.pass = w.hub.Publish
			}
		})
		w.watch(late, orderTopic(id), 2)
		synctest.Wait()
		late.heard(id, "gone ID")
		live.heard(id)
		w.delayed(id)
		synctest.Wait()
		live.heard(id, "gone ID")
		onBoard.heard(id, "gone ID on courier/cou_1")
		late.heard(id)
	})
}

func TestWatch_TwoSessionsOfOnePerson(t *testing.T) {
	inBubble(t, hub.Config{MaxPerSubject: 2, MaxSessions: 4}, func(w *world) {
		id := w.confirmed(storetest.Draft{})
		a, b := w.connect(customer("cus_1")), w.connect(customer("cus_1"))
		if _, err := w.hub.Admit(customer("cus_1")); orders.KindOf(err) != orders.Exhausted {
			t.Errorf("a third: %v", err)
		}
		w.watch(a, orderTopic(id), 0)
		w.watch(b, orderTopic(id), 0)
		synctest.Wait()
		a.forget()
		b.forget()
		w.delayed(id)
		synctest.Wait()
		a.heard(id, "event ID 3")
		b.heard(id, "event ID 3")
		a.s.End(hub.Left)
		w.delayed(id)
		synctest.Wait()
		a.heard(id)
		b.heard(id, "event ID 4")

		p, err := w.hub.Admit(customer("cus_1"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.hub.Admit(customer("cus_1")); orders.KindOf(err) != orders.Exhausted {
			t.Errorf("a third, while the second is being admitted: %v", err)
		}
		for range 3 {
			p.Release() // twice is as good as once
		}
		if n := w.hub.Sessions(); n != 1 {
			t.Errorf("%d sessions, want 1", n)
		}
		o := []*client{w.connect(ops()), w.connect(ops()), w.connect(ops())} // ops have no limit of their own
		if _, err := w.hub.Admit(customer("cus_9")); orders.KindOf(err) != orders.Unavailable {
			t.Errorf("beyond the node's limit: %v", err)
		}
		if n := w.hub.Sessions(); n != 4 {
			t.Errorf("%d sessions, want 4", n)
		}
		for _, c := range append(o, b) {
			c.s.End(hub.Left)
			c.s.End(hub.Vanished) // only the first counts
		}
		if n := w.hub.Sessions(); n != 0 {
			t.Errorf("%d sessions, want 0", n)
		}
		if err := b.s.Watch(w.ctx, orderTopic(id), 0); orders.KindOf(err) != orders.Unavailable {
			t.Errorf("watch of an ended session: %v", err)
		}
	})
}

func TestAck(t *testing.T) {
	inBubble(t, hub.Config{}, func(w *world) {
		id := w.confirmed(storetest.Draft{})
		other := w.confirmed(storetest.Draft{Customer: "cus_2"})
		c := w.connect(customer("cus_1"))
		w.watch(c, orderTopic(id), 0)
		synctest.Wait()
		c.forget()
		ack := func(c *client, topic string, seq int64) {
			w.handle(c, fmt.Sprintf(`{"op":"ack","topic":%q,"seq":%d}`, topic, seq))
		}
		ack(c, "order/"+id, 2)
		ack(c, "order/"+id, 3) // was never sent
		ack(c, "order/"+other, 1)
		ack(c, "restaurant/res_1", 1)
		ack(c, "nonsense", 1)
		w.handle(c, `{"op":"ack","id":5,"topic":"order/`+id+`","seq":1}`)
		synctest.Wait()
		c.heard(id, "error ID unprocessable", "error order/"+other+" unprocessable", "error restaurant/res_1 invalid",
			"error nonsense invalid", "ok #5")

		m := w.connect(merchant("res_1"))
		w.watch(m, board(wire.TopicRestaurant, "res_1"), 0)
		synctest.Wait()
		ack(m, "order/"+id, 2)    // came on the board's page
		ack(m, "order/"+other, 2) //
		ack(m, "order/"+id, 3)
		w.delayed(id)
		synctest.Wait()
		ack(m, "order/"+id, 3)

		back := w.connect(customer("cus_1"))
		w.watch(back, orderTopic(id), 3) // current
		ack(back, "order/"+id, 3)
		ack(back, "order/"+id, 4)
		synctest.Wait()
		want := []orderAck{{"cus_1", id, 2}, {"cus_1", id, 1}, {"mer_1", id, 2}, {"mer_1", other, 2}, {"mer_1", id, 3}, {"cus_1", id, 3}}
		if got := w.acks.all(); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("acknowledged %v, want %v", got, want)
		}
	})
}

type orderAck = ack

// A client may answer before the call that wrote to it has returned.
func TestAck_FasterThanTheWrite(t *testing.T) {
	inBubble(t, hub.Config{}, func(w *world) {
		id := w.confirmed(storetest.Draft{})
		c := w.connect(customer("cus_1"))
		c.set(func() {
			c.onFrame = func(f wire.Frame) {
				if f.Seq > 0 {
					w.handle(c, fmt.Sprintf(`{"op":"ack","topic":%q,"seq":%d}`, f.Topic, f.Seq))
				}
			}
		})
		w.watch(c, orderTopic(id), 0)
		w.delayed(id)
		synctest.Wait()
		if n := len(w.acks.all()); n != len(c.said()) {
			t.Errorf("%d of %v acknowledged", n, c.said())
		}
	})
}

// A snapshot that several watchers share is read once, and not kept once nobody may be given it.
func TestWatch_OneReadForMany(t *testing.T) {
	inBubble(t, hub.Config{}, func(w *world) {
		id := w.carried(storetest.Draft{}, "cou_1")
		var all []*client
		for range 10 {
			all = append(all, w.connect(customer("cus_1")), w.connect(merchant("res_1")), w.connect(courier("cou_1")))
		}
		for _, c := range all {
			w.watch(c, orderTopic(id), 0)
		}
		synctest.Wait()
		for _, c := range all {
			f := c.frames[len(c.frames)-1]
			if role := c.s.Caller().Role; f.Seq != 3 || !strings.Contains(string(f.Order), `"role":"`+string(role)+`"`) {
				t.Fatalf("%s was sent %s", role, c.lines)
			}
		}
		if n := w.src.count("order"); n > 2 { // the first is alone, and a topic with one watcher keeps nothing
			t.Errorf("%d reads for %d watchers", n, len(all))
		}
		time.Sleep(5 * time.Second)
	})
}
