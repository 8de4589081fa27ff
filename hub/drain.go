package hub

import (
	"context"
	"time"
)

// How a drain is cut up.
const (
	// DrainNotice is how long new sockets are still taken: balancers look at /readyz every 2 s, and act on the second.
	DrainNotice = 4 * time.Second
	drainTick   = 20 * time.Millisecond
)

// Drain moves every client to other nodes within window, without a spike: each is told a moment of its own, spread
// evenly over the window, and who has not left a quarter of the window after its moment is closed. Streams end at their
// moment. New sessions are taken for DrainNotice and told to move at once; then Admit refuses. It returns when no
// session is left, but not before notice has passed, in which others may still be sent here; or when ctx ends. From then
// on Admit refuses in any case.
func (h *Hub) Drain(ctx context.Context, window, notice time.Duration) {
	start := time.Now()
	h.draining.Store(true)
	defer h.shut.Store(true)
	d := newDrain(h, start, window)
	t := time.NewTicker(drainTick)
	defer t.Stop()
	for h.Sessions() > 0 || time.Since(start) < notice {
		select {
		case <-ctx.Done():
			return
		case now := <-t.C:
			d.turn(now.Sub(start))
		}
	}
}

// drain is the clients of a hub on their way out.
type drain struct {
	hub         *Hub
	list        []*Session
	window      time.Duration
	first, last time.Duration // when the first and the last client move
	ended       int           // streams among list[:ended] have ended
	closed      int           // list[:closed] has been closed
}

func newDrain(h *Hub, start time.Time, window time.Duration) *drain {
	d := &drain{hub: h, list: h.all(), window: window, first: min(DrainNotice/2, window/4), last: window * 3 / 4}
	for i, s := range d.list {
		s.mu.Lock()
		if !s.ended && !s.replay {
			s.goaway(max(0, d.moment(i)-time.Since(start)), start)
			s.leaveAt = time.Time{} // closed by the drain, at its pace
		}
		s.mu.Unlock()
		h.m.asked.Inc()
	}
	return d
}

// moment is when the i-th client is to move, from the drain's start.
func (d *drain) moment(i int) time.Duration {
	return d.first + time.Duration(float64(d.last-d.first)*(float64(i)+0.5)/float64(len(d.list)))
}

// turn ends what is due.
func (d *drain) turn(passed time.Duration) {
	for ; d.ended < len(d.list) && d.moment(d.ended) <= passed; d.ended++ {
		if s := d.list[d.ended]; s.replay {
			s.End(GoingAway)
		}
	}
	for ; d.closed < len(d.list) && d.moment(d.closed)+d.window/4 <= passed; d.closed++ {
		d.list[d.closed].End(GoingAway)
	}
	if passed >= min(DrainNotice, d.window) {
		d.hub.shut.Store(true)
	}
	if passed >= d.window {
		for _, s := range d.hub.all() {
			s.End(GoingAway)
		}
	}
}

// Draining reports whether the hub moves its clients away.
func (h *Hub) Draining() bool { return h.draining.Load() }
