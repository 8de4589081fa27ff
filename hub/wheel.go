package hub

import (
	"sync"
	"time"
)

// The timing wheel looks at each session when its next moment comes (ping, token's end, retirement) and at no other
// time, so an idle session costs one look per heartbeat and no timer of its own.
const (
	wheelTick  = time.Second
	wheelSlots = 64 // more than a heartbeat's seconds: few entries are looked at too early
)

type wheel struct {
	mu    sync.Mutex // guards the following
	slots [wheelSlots][]*Session
	pos   int       // slot of the last turn
	now   time.Time // of the last turn; zero before the first
}

// add has s looked at soon after at. A moment beyond the wheel's reach is looked at early and put back.
func (w *wheel) add(s *Session, at time.Time, now time.Time) {
	ticks := int((at.Sub(now) + wheelTick - 1) / wheelTick)
	ticks = min(max(ticks, 1), wheelSlots-1)
	w.mu.Lock()
	i := (w.pos + ticks) % wheelSlots
	w.slots[i] = append(w.slots[i], s)
	w.mu.Unlock()
}

// turn looks at the sessions of the next slot.
func (w *wheel) turn(now time.Time) {
	w.mu.Lock()
	w.pos = (w.pos + 1) % wheelSlots
	due := w.slots[w.pos]
	w.slots[w.pos] = nil
	w.mu.Unlock()
	for _, s := range due {
		if next := s.look(now); !next.IsZero() {
			w.add(s, next, now)
		}
	}
}
