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

// wheel holds each session at most once. A slot is a list through the sessions themselves, so one that ends is taken
// out at once.
type wheel struct {
	mu    sync.Mutex // guards the following, and each session's before, behindMe and turn
	slots [wheelSlots]*Session
	turns int64     // done so far
	now   time.Time // of the last turn; zero before the first
}

// add has s looked at within a tick of at. A moment beyond the wheel's reach is looked at early and put back. A session
// that is to be looked at before that already stays where it is. A zero at is none.
func (w *wheel) add(s *Session, at, now time.Time) {
	if at.IsZero() {
		return
	}
	ticks := int64((at.Sub(now) + wheelTick - 1) / wheelTick)
	ticks = min(max(ticks, 1), wheelSlots-1)
	w.mu.Lock()
	defer w.mu.Unlock()
	turn := w.turns + ticks
	if s.turn != 0 && s.turn <= turn {
		return
	}
	w.unlink(s)
	first := &w.slots[turn%wheelSlots]
	s.turn, s.behindMe = turn, *first
	if *first != nil {
		(*first).before = s
	}
	*first = s
}

// remove takes s out of the wheel.
func (w *wheel) remove(s *Session) {
	w.mu.Lock()
	w.unlink(s)
	w.mu.Unlock()
}

// unlink is remove with w.mu held.
func (w *wheel) unlink(s *Session) {
	if s.turn == 0 {
		return
	}
	if s.before != nil {
		s.before.behindMe = s.behindMe
	} else {
		w.slots[s.turn%wheelSlots] = s.behindMe
	}
	if s.behindMe != nil {
		s.behindMe.before = s.before
	}
	s.before, s.behindMe, s.turn = nil, nil, 0
}

// turn looks at the sessions of the next slot, and of as many more as ticks were missed: a ticker drops what a busy or
// suspended machine does not take.
func (w *wheel) turn(now time.Time) {
	var due []*Session
	w.mu.Lock()
	steps := int64(1)
	if !w.now.IsZero() {
		steps = min(max(int64((now.Sub(w.now)+wheelTick/2)/wheelTick), 1), wheelSlots)
	}
	w.now = now
	for range steps {
		w.turns++
		for s := w.slots[w.turns%wheelSlots]; s != nil; s = w.slots[w.turns%wheelSlots] {
			due = append(due, s)
			w.unlink(s)
		}
	}
	w.mu.Unlock()
	for _, s := range due {
		w.add(s, s.look(now), now)
	}
}
