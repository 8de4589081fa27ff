package hub

import (
	"context"
	"time"
)

// How a drain is cut up.
const (
	DrainNotice = 4 * time.Second // new sockets are still taken so long: balancers look at /readyz every 2 s
	drainTick   = 20 * time.Millisecond
)

// Drain moves every client to other nodes within window, without a spike: each is told a moment of its own, spread
// evenly, and those that have not left by then are closed at a steady pace. New sessions are taken for DrainNotice and
// told to move at once. It returns when no session is left or ctx ends.
func (h *Hub) Drain(ctx context.Context, window time.Duration) {
	h.draining.Store(true)
	list := h.all()
	start := time.Now()
	// Moments lie in the part of the window that leaves clients time to follow before stragglers are closed.
	first, last := min(DrainNotice/2, window/4), window*3/4
	for i, s := range list {
		slot := first + time.Duration(float64(last-first)*(float64(i)+0.5)/float64(len(list)))
		s.mu.Lock()
		if !s.ended {
			s.goaway(max(0, slot-time.Since(start)), start)
			s.leaveAt = time.Time{} // closed below, at a steady pace
		}
		s.mu.Unlock()
		h.m.moved.Inc()
	}
	t := time.NewTicker(drainTick)
	defer t.Stop()
	closed := 0
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-t.C:
			if h.Sessions() == 0 {
				return
			}
			// Who was told the moment at start+slot is closed a quarter of the window later.
			share := float64(now.Sub(start)-window/4-first) / float64(last-first)
			for due := int(share * float64(len(list))); closed < due && closed < len(list); closed++ {
				list[closed].End(GoingAway)
			}
			if now.Sub(start) >= window {
				for _, s := range h.all() {
					s.End(GoingAway)
				}
			}
		}
	}
}

// Draining reports whether the hub moves its clients away.
func (h *Hub) Draining() bool { return h.draining.Load() }
