package hub_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"doorbell/hub"
	"doorbell/hub/wire"
	"doorbell/orders"
)

const window = 20 * time.Second

// drained runs a drain and returns how long it took.
func (w *world) drained(d time.Duration) <-chan time.Duration {
	out := make(chan time.Duration, 1)
	start := time.Now()
	go func() {
		w.hub.Drain(w.ctx, d, 0)
		out <- time.Since(start)
	}()
	synctest.Wait()
	return out
}

// flat fails the test unless the moments are spread evenly over their span: no second has twice its share.
func flat(t *testing.T, what string, moments []time.Duration) {
	t.Helper()
	slices.Sort(moments)
	span := moments[len(moments)-1] - moments[0]
	if span < window/2 {
		t.Errorf("%s within %s only", what, span)
	}
	share := float64(len(moments)) / span.Seconds()
	count := map[int]int{}
	for _, m := range moments {
		count[int((m-moments[0]).Seconds())]++
	}
	for s, n := range count {
		if float64(n) > 1.4*share+10 { // sockets and streams stand in one list, mixed by chance
			t.Errorf("%s: %d in second %d, %.0f a second on average", what, n, s, share)
		}
	}
}

// Well-behaved clients are moved at an even pace; a new socket is open before the old one is left.
func TestDrain(t *testing.T) {
	inBubble(t, hub.Config{}, func(w *world) {
		start := time.Now()
		const n = 1000
		leave := make(chan time.Duration, n)
		for i := range n {
			c := w.connect(customer(fmt.Sprint("cus_", i)))
			c.set(func() {
				c.onFrame = func(f wire.Frame) {
					if f.Op == wire.OpGoaway {
						time.AfterFunc(time.Duration(f.ReconnectInMs)*time.Millisecond, func() {
							leave <- time.Since(start)
							c.s.End(hub.Left)
						})
					}
				}
			})
		}
		took := <-w.drained(window)
		close(leave)
		var moments []time.Duration
		for m := range leave {
			moments = append(moments, m)
		}
		if len(moments) != n {
			t.Errorf("%d of %d moved", len(moments), n)
		}
		flat(t, "moves", moments)
		if took > window*3/4+time.Second {
			t.Errorf("took %s", took)
		}
		if _, err := w.hub.Admit(ops()); orders.KindOf(err) != orders.Unavailable {
			t.Errorf("when it is over: %v", err)
		}
	})
}

// Clients that do nothing they are told are closed at an even pace, and all are out in time.
func TestDrain_Stragglers(t *testing.T) {
	inBubble(t, hub.Config{}, func(w *world) {
		start := time.Now()
		var sockets, streams []*client
		for i := range 1000 {
			id := customer(fmt.Sprint("cus_", i))
			if i%2 == 0 {
				sockets = append(sockets, w.connect(id))
			} else {
				streams = append(streams, w.stream(id))
			}
		}
		for i, c := range sockets {
			if i%3 == 0 {
				c.stall()
			}
		}
		done := w.drained(window)
		for range 30 { // who comes in the first four seconds is told to move at once
			time.Sleep(100 * time.Millisecond)
			c := w.connect(customer("late"))
			synctest.Wait()
			if got := c.lines[len(c.lines)-1]; got != `{"op":"goaway","reconnectInMs":0}`+"\n" {
				t.Fatalf("a newcomer was sent %q", got)
			}
		}
		late := w.stream(customer("late"))
		if e, _ := late.ending(); e != hub.GoingAway {
			t.Errorf("a stream that comes late: %v", e)
		}
		time.Sleep(time.Second + 100*time.Millisecond)
		if _, err := w.hub.Admit(customer("late")); orders.KindOf(err) != orders.Unavailable {
			t.Errorf("after four seconds: %v", err)
		}
		if took := <-done; took > window+time.Second/2 {
			t.Errorf("took %s", took)
		}
		for what, list := range map[string][]*client{"closed sockets": sockets, "ended streams": streams} {
			var moments []time.Duration
			for _, c := range list {
				e, at := c.ending()
				if e != hub.GoingAway && e != hub.TooSlow {
					t.Fatalf("%s: %v", what, e)
				}
				if !c.stalled {
					moments = append(moments, at.Sub(start))
				}
			}
			flat(t, what, moments)
		}
	})
}

func TestDrain_AtOnce(t *testing.T) {
	inBubble(t, hub.Config{}, func(w *world) {
		if took := <-w.drained(window); took != 0 {
			t.Errorf("a hub without sessions took %s", took)
		}
		if !w.hub.Draining() {
			t.Error("it does not say that it drains")
		}
	})
	for _, d := range []time.Duration{0, time.Millisecond, 2 * time.Second} { // shorter than the notice
		inBubble(t, hub.Config{}, func(w *world) {
			c := w.connect(ops())
			if took := <-w.drained(d); took > d+100*time.Millisecond {
				t.Errorf("a drain of %s took %s", d, took)
			}
			if e, _ := c.ending(); e != hub.GoingAway {
				t.Errorf("ended with %v", e)
			}
		})
	}
	inBubble(t, hub.Config{}, func(w *world) { // a second signal
		w.connect(ops())
		ctx, cancel := context.WithTimeout(w.ctx, 3*time.Second)
		defer cancel()
		start := time.Now()
		w.hub.Drain(ctx, window, 0)
		if took := time.Since(start); took > 3*time.Second+100*time.Millisecond {
			t.Errorf("took %s", took)
		}
	})
}

// TestANodeWithoutClientsTakesNewcomersUntilItsNotice: who is sent here by a gateway that has not looked yet is taken,
// and told to move at once.
func TestANodeWithoutClientsTakesNewcomersUntilItsNotice(t *testing.T) {
	inBubble(t, hub.Config{}, func(w *world) {
		const notice = 4 * time.Second
		start := time.Now()
		done := make(chan time.Duration, 1)
		go func() {
			w.hub.Drain(w.ctx, 20*time.Second, notice)
			done <- time.Since(start)
		}()
		time.Sleep(3 * time.Second)
		c := w.connect(customer("cus_1"))
		synctest.Wait()
		c.heard("", "goaway")
		c.s.End(hub.Left)
		if took := <-done; took < notice || took > notice+time.Second {
			w.Errorf("over after %v", took)
		}
		if _, err := w.hub.Admit(customer("cus_1")); err == nil {
			w.Error("a newcomer was taken behind the end")
		}
	})
}
