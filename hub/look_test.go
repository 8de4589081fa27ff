package hub_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"doorbell/hub"
	"doorbell/orders"
	"doorbell/orders/store/storetest"
)

// tick is how exactly the wheel looks at a session.
const tick = time.Second

func TestLook_Heartbeat(t *testing.T) {
	inBubble(t, hub.Config{}, func(w *world) {
		time.Sleep(300 * time.Millisecond) // between two ticks
		start := time.Now()
		c, mute := w.connect(customer("cus_1")), w.connect(customer("cus_1"))
		mute.set(func() { mute.mute = true })
		stream := w.stream(customer("cus_1"))
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		for i, at := range c.pings {
			since := start
			if i > 0 {
				since = c.pings[i-1]
			}
			if d := at.Sub(since); d < 25*time.Second || d > 26*time.Second {
				t.Errorf("ping %d after %s", i, d)
			}
		}
		if len(c.pings) != 4 || len(stream.pings) != 4 {
			t.Errorf("%d and %d pings in two minutes", len(c.pings), len(stream.pings))
		}
		if e, at := mute.ending(); e != hub.Silent || at.Sub(start) < 62*time.Second || at.Sub(start) > 64*time.Second {
			t.Errorf("the silent one ended with %v after %s", e, at.Sub(start))
		}
		for _, c := range []*client{c, stream} {
			if e, _ := c.ending(); e != (hub.Ending{}) {
				t.Errorf("ended with %v", e)
			}
		}
		c.set(func() { c.broken = true })
		time.Sleep(26 * time.Second)
		if e, _ := c.ending(); e != hub.Vanished {
			t.Errorf("a ping that fails: %v", e)
		}
	})
}

// What a client sends is a sign of life as well: a client that talks is not pinged.
func TestLook_WhoTalksIsNotPinged(t *testing.T) {
	inBubble(t, hub.Config{}, func(w *world) {
		c := w.connect(customer("cus_1"))
		for range 20 {
			time.Sleep(20 * time.Second)
			c.s.Heard()
		}
		if len(c.pings) != 0 {
			t.Errorf("%d pings", len(c.pings))
		}
	})
}

// A session ends with its token to the second, however far off that is.
func TestLook_TokenEnds(t *testing.T) {
	for _, lives := range []time.Duration{
		time.Millisecond, time.Second, 10 * time.Second, 62500 * time.Millisecond, 63 * time.Second, 64 * time.Second, 65 * time.Second,
		128 * time.Second, 1000 * time.Second,
	} {
		for _, stream := range []bool{false, true} {
			t.Run(fmt.Sprintf("%sStream%v", lives, stream), func(t *testing.T) {
				inBubble(t, hub.Config{Heartbeat: time.Hour}, func(w *world) {
					time.Sleep(777 * time.Millisecond)
					id := customer("cus_1")
					id.ExpiresAt = time.Now().Add(lives)
					c := w.dial(id, stream)
					time.Sleep(lives - time.Nanosecond)
					if e, _ := c.ending(); e != (hub.Ending{}) {
						t.Fatalf("ended with %v before its time", e)
					}
					time.Sleep(tick)
					synctest.Wait()
					if e, _ := c.ending(); e != hub.TokenEnded {
						t.Errorf("%s after the token's end: %v", tick, e)
					}
				})
			})
		}
	}
}

func TestLook_TokenIsRenewed(t *testing.T) {
	inTime := func(d time.Duration) time.Time { return time.Now().Add(d) }
	tokens := map[string]func() (hub.Identity, error){
		"longer": func() (hub.Identity, error) {
			id := customer("cus_1")
			id.ExpiresAt = inTime(time.Minute)
			return id, nil
		},
		"shorter": func() (hub.Identity, error) {
			id := customer("cus_1")
			id.ExpiresAt = inTime(5 * time.Second)
			return id, nil
		},
		"other": func() (hub.Identity, error) {
			id := customer("cus_2")
			id.ExpiresAt = inTime(time.Hour)
			return id, nil
		},
		"role": func() (hub.Identity, error) { id := courier("cus_1"); return id, nil },
		"bad":  func() (hub.Identity, error) { return hub.Identity{}, orders.Errorf(orders.Unauthenticated, "expired") },
	}
	cfg := hub.Config{Verify: func(_ context.Context, token string) (hub.Identity, error) { return tokens[token]() }}
	inBubble(t, cfg, func(w *world) {
		dial := func() *client {
			id := customer("cus_1")
			id.ExpiresAt = time.Now().Add(20 * time.Second)
			c := w.connect(id)
			synctest.Wait()
			c.forget()
			return c
		}
		ends := func(c *client, want hub.Ending, after time.Duration) {
			t.Helper()
			start := time.Now()
			time.Sleep(after + 2*tick)
			e, at := c.ending()
			if d := at.Sub(start); e != want || d < after || d > after+tick {
				t.Errorf("ended with %v after %s, want %v after %s", e, d, want, after)
			}
		}
		c := dial()
		w.handle(c, `{"op":"token","id":1,"token":"bad"}`)
		w.handle(c, `{"op":"token","id":2,"token":"longer"}`)
		synctest.Wait()
		c.heard("", "error #1 unauthenticated", "ok #2")
		ends(c, hub.TokenEnded, time.Minute)

		c = dial()
		w.handle(c, `{"op":"token","token":"shorter"}`) // earlier than the wheel would have looked
		ends(c, hub.TokenEnded, 5*time.Second)

		for _, token := range []string{"other", "role"} {
			c = dial()
			w.handle(c, `{"op":"token","token":"`+token+`"}`)
			ends(c, hub.OtherToken, 0)
		}
	})
	restaurants := hub.Config{Verify: func(context.Context, string) (hub.Identity, error) { return merchant("res_2", "res_1"), nil }}
	inBubble(t, restaurants, func(w *world) {
		same, fewer := w.connect(merchant("res_1", "res_2")), w.connect(merchant("res_1"))
		w.handle(same, `{"op":"token","token":"x"}`)
		w.handle(fewer, `{"op":"token","token":"x"}`)
		if e, _ := same.ending(); e != (hub.Ending{}) {
			t.Errorf("the same restaurants in another order: %v", e)
		}
		if e, _ := fewer.ending(); e != hub.OtherToken {
			t.Errorf("other restaurants: %v", e)
		}
	})
}

func TestLook_Revoke(t *testing.T) {
	inBubble(t, hub.Config{}, func(w *world) {
		now := time.Now().Truncate(time.Second).Add(500 * time.Millisecond)
		issued := func(d time.Duration) hub.Identity {
			id := customer("cus_1")
			id.IssuedAt = now.Add(d)
			return id
		}
		before, sameSecond, after := w.connect(issued(-time.Hour)), w.connect(issued(400*time.Millisecond)), w.connect(issued(500*time.Millisecond))
		silent, other := w.connect(customer("cus_1")), w.connect(customer("cus_2"))
		w.hub.Revoke("cus_1", now)
		for c, want := range map[*client]hub.Ending{
			before: hub.TokenRevoked, sameSecond: hub.TokenRevoked, silent: hub.TokenRevoked, after: {}, other: {},
		} {
			if e, _ := c.ending(); e != want {
				t.Errorf("a token of %s ended with %v, want %v", c.s.Caller().ID, e, want)
			}
		}
	})
}

// A tracking link dies an hour after its order's end, also under a session that was there before the end.
func TestLook_TrackingLinkEnds(t *testing.T) {
	inBubble(t, hub.Config{MaxAge: 10 * time.Hour}, func(w *world) {
		id := w.confirmed(storetest.Draft{})
		early := w.connect(tracker(id))
		w.watch(early, orderTopic(id), 0)
		if err := early.s.Watch(w.ctx, orderTopic(w.confirmed(storetest.Draft{})), 0); orders.KindOf(err) != orders.NotFound {
			t.Errorf("another order: %v", err)
		}
		time.Sleep(10 * time.Minute)
		end := time.Now()
		w.do(id, storetest.Ops, orders.Cancel{Reason: orders.Admin})
		c := w.connect(customer("cus_1"))
		w.watch(c, orderTopic(id), 0)
		time.Sleep(59 * time.Minute)
		late := w.connect(tracker(id))
		w.watch(late, orderTopic(id), 0)
		time.Sleep(time.Minute - tick)
		for _, x := range []*client{early, late} {
			if e, _ := x.ending(); e != (hub.Ending{}) {
				t.Errorf("ended with %v before its time", e)
			}
		}
		time.Sleep(3 * tick)
		for _, x := range []*client{early, late} {
			if e, at := x.ending(); e != hub.TokenEnded || at.Sub(end) < time.Hour || at.Sub(end) > time.Hour+tick {
				t.Errorf("ended with %v after %s", e, at.Sub(end))
			}
		}
		if e, _ := c.ending(); e != (hub.Ending{}) {
			t.Errorf("the customer's ended with %v", e)
		}
		if err := w.connect(tracker(id)).s.Watch(w.ctx, orderTopic(id), 0); orders.KindOf(err) != orders.NotFound {
			t.Errorf("a dead link: %v", err)
		}
	})
}

func TestLook_MaxAge(t *testing.T) {
	inBubble(t, hub.Config{}, func(w *world) {
		start := time.Now()
		var all []*client
		for i := range 200 {
			all = append(all, w.dial(customer(fmt.Sprint("cus_", i)), i%4 == 0))
		}
		time.Sleep(37 * time.Minute)
		synctest.Wait()
		first, last := time.Hour, time.Duration(0)
		for _, c := range all {
			e, at := c.ending()
			age := at.Sub(start)
			stream := c.s.Name() != "" && len(c.said()) == 0
			grace := 10 * time.Second
			if stream {
				grace = 0
			} else {
				c.heard("", "goaway")
			}
			if e != hub.GoingAway {
				t.Fatalf("ended with %v", e)
			}
			first, last = min(first, age-grace), max(last, age-grace)
		}
		if first < 24*time.Minute || first > 26*time.Minute || last > 36*time.Minute+2*tick || last < 34*time.Minute {
			t.Errorf("ages from %s to %s", first, last)
		}
	})
}

// When Run ends, nothing of the hub is left, whoever is just coming in.
func TestHub_RunEnds(t *testing.T) {
	for range 20 {
		h := hub.New(hub.Config{View: view})
		ctx, cancel := context.WithCancel(context.Background())
		var ended = make(chan struct{})
		go func() {
			defer close(ended)
			if err := h.Run(ctx); err != nil {
				t.Error(err)
			}
		}()
		var places []*hub.Place
		for i := range 50 {
			p, err := h.Admit(customer(fmt.Sprint("cus_", i)))
			if err != nil {
				t.Fatal(err)
			}
			places = append(places, p)
		}
		all := make(chan *client, len(places))
		go func() {
			for _, p := range places {
				c := newClient(t)
				p.Connect(c, false)
				all <- c
			}
			close(all)
		}()
		cancel()
		<-ended
		for c := range all {
			if e, _ := c.ending(); e != hub.GoingAway {
				t.Errorf("ended with %v", e)
			}
		}
		if n := h.Sessions(); n != 0 {
			t.Errorf("%d sessions are left", n)
		}
		if _, err := h.Admit(ops()); orders.KindOf(err) != orders.Unavailable {
			t.Errorf("after the end: %v", err)
		}
	}
}
