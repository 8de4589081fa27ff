package hub_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"doorbell/hub"
	"doorbell/hub/wire"
	"doorbell/orders"
	"doorbell/orders/store/storetest"
)

// A slow client costs the others nothing, and gets one snapshot when it reads again.
func TestSlow(t *testing.T) {
	inBubble(t, hub.Config{}, func(w *world) {
		id := w.confirmed(storetest.Draft{})
		slow, quick := w.connect(customer("cus_1")), w.connect(customer("cus_1"))
		w.watch(slow, orderTopic(id), 0)
		w.watch(quick, orderTopic(id), 0)
		synctest.Wait()
		slow.forget()
		slow.stall()
		for range 90 {
			w.delayed(id)
		}
		synctest.Wait()
		if got := quick.said(); len(got) != 91 {
			t.Errorf("the quick one was sent %d frames", len(got))
		}
		slow.resume()
		synctest.Wait()
		got := slow.said()
		if last := got[len(got)-1]; last != "snapshot order/"+id+" 92" {
			t.Errorf("the slow one was sent %q", got)
		}
		if n := slices.IndexFunc(got, func(s string) bool { return strings.HasPrefix(s, "snapshot") }); n != len(got)-1 {
			t.Errorf("more than one snapshot: %q", got)
		}
		for i, s := range got[:len(got)-1] { // what was on its way when it stalled
			if s != fmt.Sprintf("event order/%s %d", id, 3+i) {
				t.Errorf("the slow one was sent %q", got)
			}
		}
		slow.forget()
		w.delayed(id)
		synctest.Wait()
		slow.heard(id, "event ID 93")
	})
}

// A stream has no snapshots: it goes on from the last event that was written.
func TestSlow_Stream(t *testing.T) {
	for _, after := range []int64{0, 2} {
		t.Run(fmt.Sprintf("After%d", after), func(t *testing.T) {
			inBubble(t, hub.Config{}, func(w *world) {
				id := w.confirmed(storetest.Draft{})
				slow := w.stream(customer("cus_1"))
				w.watch(slow, orderTopic(id), after)
				synctest.Wait()
				slow.stall()
				for range 90 {
					w.delayed(id)
				}
				synctest.Wait()
				slow.resume()
				synctest.Wait()
				w.delayed(id)
				synctest.Wait()
				slow.streamed(after+1, 93)
			})
		})
	}
}

// A gap that is found while older events still wait is filled behind them.
func TestSlow_GapBehindWhatWaits(t *testing.T) {
	for _, stream := range []bool{false, true} {
		t.Run(fmt.Sprintf("Stream%v", stream), func(t *testing.T) {
			inBubble(t, hub.Config{}, func(w *world) {
				id := w.confirmed(storetest.Draft{})
				c := w.dial(customer("cus_1"), stream)
				w.watch(c, orderTopic(id), 2)
				synctest.Wait()
				c.forget()
				c.stall()
				for range 3 { // one is being written, two wait
					w.delayed(id)
				}
				w.pass = func(*orders.Order, []orders.Event) {}
				w.delayed(id)
				w.pass = w.hub.Publish
				w.delayed(id)
				synctest.Wait()
				c.resume()
				synctest.Wait()
				w.delayed(id)
				synctest.Wait()
				if stream {
					c.streamed(3, 8)
					return
				}
				c.heard(id, "event ID 3", "event ID 4", "event ID 5", "snapshot ID 7", "event ID 8")
			})
		})
	}
}

// flood brings events of many other orders to a session, so that whatever waits there is thrown away.
func (w *world) flood(ids []string) {
	w.Helper()
	for _, id := range ids {
		for range 8 {
			w.delayed(id)
		}
	}
}

// What a load queues may be thrown away like anything else, by the noise of other topics; then the load is made again.
func TestSlow_LoadIsThrownAway(t *testing.T) {
	for _, c := range []struct {
		name  string
		after int64
		read  string
	}{
		{"Snapshot", 0, "order"},
		{"Replay", 2, "events"},
	} {
		for _, stream := range []bool{false, true} {
			if stream && c.after == 0 {
				continue
			}
			t.Run(fmt.Sprintf("%sStream%v", c.name, stream), func(t *testing.T) {
				inBubble(t, hub.Config{}, func(w *world) {
					id := w.confirmed(storetest.Draft{})
					for range 30 {
						w.delayed(id)
					}
					noise := w.many(10, storetest.Draft{}, "")
					cl := w.dial(customer("cus_1"), stream)
					for _, n := range noise {
						w.watch(cl, orderTopic(n), 2)
					}
					synctest.Wait()
					cl.forget()
					// While the load reads, the client is flooded: what was read does not fit behind that.
					w.src.set(nil, func(read string) {
						if read == c.read {
							w.src.set(nil, nil)
							cl.stall()
							w.flood(noise[:4])
							w.delayed(id)
						}
					})
					w.watch(cl, orderTopic(id), c.after)
					synctest.Wait()
					w.delayed(id)
					w.flood(noise) // what is queued of the load is thrown away as well
					synctest.Wait()
					cl.resume()
					synctest.Wait()
					w.delayed(id)
					synctest.Wait()
					o := &oracle{t: t, seen: map[string]int64{"order/" + id: c.after}}
					for _, n := range noise {
						o.seen["order/"+n] = 2
					}
					if stream {
						return // many orders on one stream are told apart by nothing; only its liveness was of interest
					}
					o.read(cl)
					if got := o.seen["order/"+id]; got != w.order(id).Seq {
						t.Errorf("the client stands at %d, the order at %d", got, w.order(id).Seq)
					}
				})
			})
		}
	}
}

// oracle holds what one client was sent against P2: seq by one, or a snapshot that is not older.
type oracle struct {
	t    testing.TB
	seen map[string]int64 // by topic, and board
}

func (o *oracle) read(c *client) {
	o.t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, f := range c.frames {
		key := f.Topic
		if f.Board != "" {
			key = f.Board + " " + f.Topic
		}
		last := o.seen[key]
		switch f.Op {
		case wire.OpEvent:
			if f.Seq != last+1 {
				o.t.Errorf("%s behind %d", short(f), last)
			}
		case wire.OpSnapshot:
			if f.Seq < last {
				o.t.Errorf("%s behind %d", short(f), last)
			}
		default:
			continue
		}
		o.seen[key] = f.Seq
	}
}

func TestSlow_NoProgressEnds(t *testing.T) {
	inBubble(t, hub.Config{}, func(w *world) {
		id := w.confirmed(storetest.Draft{})
		c, dead := w.connect(customer("cus_1")), w.connect(customer("cus_1"))
		w.watch(c, orderTopic(id), 0)
		w.watch(dead, orderTopic(id), 0)
		synctest.Wait()
		c.stall()
		dead.set(func() { dead.broken = true })
		w.delayed(id)
		start := time.Now()
		time.Sleep(patience + time.Second)
		synctest.Wait()
		if e, at := c.ending(); e != hub.TooSlow || at.Sub(start) != patience {
			t.Errorf("the slow one ended with %v after %s", e, at.Sub(start))
		}
		if e, _ := dead.ending(); e != hub.Vanished {
			t.Errorf("the broken one ended with %v", e)
		}
	})
}

// A client that asks faster than it reads is not read from any more.
func TestSlow_AsksFasterThanItReads(t *testing.T) {
	inBubble(t, hub.Config{}, func(w *world) {
		c := w.connect(customer("cus_1"))
		synctest.Wait()
		c.stall()
		asked := 0
		go func() {
			for range 10_000 {
				w.handle(c, `{"op":"ping"}`)
				asked++
			}
		}()
		synctest.Wait()
		if asked == 0 || asked > 2000 {
			t.Errorf("%d requests were read of a client that takes nothing", asked)
		}
		c.resume()
		synctest.Wait()
		if asked != 10_000 || len(c.said()) != 10_000 {
			t.Errorf("%d requests, %d answers", asked, len(c.said()))
		}
		c.stall()
		done := false
		go func() {
			for range 10_000 {
				w.handle(c, `{"op":"ping"}`)
			}
			done = true
		}()
		synctest.Wait()
		c.s.End(hub.Left)
		synctest.Wait()
		if !done {
			t.Error("the end of a session does not wake its reader")
		}
	})
}

// While the bus is behind, and after the database was set back, a load must not go round and round.
func TestSlow_HeardOfWhatIsNotThere(t *testing.T) {
	inBubble(t, hub.Config{}, func(w *world) {
		id := w.confirmed(storetest.Draft{})
		c := w.connect(customer("cus_1"))
		w.watch(c, orderTopic(id), 0)
		synctest.Wait()
		c.forget()
		o := w.order(id)
		o.Seq = 9
		w.hub.Publish(&o, []orders.Event{{OrderID: id, Seq: 9, Type: orders.OrderDelayed, Envelope: []byte(`{}`)}})
		synctest.Wait()
		c.heard(id, "snapshot ID 2")
		w.delayed(id)
		synctest.Wait()
		c.heard(id, "event ID 3")
		if n := w.src.count("order") + w.src.count("events"); n > 4 {
			t.Errorf("%d reads", n)
		}
	})
}

// A source that fails ends the sessions it cannot serve, and no others.
func TestSlow_SourceFails(t *testing.T) {
	for _, x := range []struct {
		err  error
		want hub.Ending
	}{
		{orders.Errorf(orders.Unavailable, "away"), hub.SourceAway},
		{fmt.Errorf("a bug"), hub.Failed},
	} {
		inBubble(t, hub.Config{}, func(w *world) {
			id := w.confirmed(storetest.Draft{})
			c, other := w.connect(customer("cus_1")), w.connect(customer("cus_1"))
			w.watch(other, orderTopic(id), 0)
			synctest.Wait()
			w.src.set(func(read string) error {
				if read == "order" {
					return x.err
				}
				return nil
			}, nil)
			w.watch(c, orderTopic(id), 0)
			w.delayed(id)
			synctest.Wait()
			if e, _ := c.ending(); e != x.want {
				t.Errorf("ended with %v, want %v", e, x.want)
			}
			if e, _ := other.ending(); e != (hub.Ending{}) {
				t.Errorf("the other ended with %v", e)
			}
			w.src.set(nil, nil)
		})
	}
}
