package faults

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"doorbell/hub/wire"
)

// view is what a client shows its person: how far it is with every order, and since when.
type view struct {
	oracle *oracle
	name   string
	strict bool // also hold what the client makes of it against P2; else the tap does

	mu     sync.Mutex // guards the following
	orders map[string]*seen
	listed []time.Time // when a whole listing of the board began to come
	begun  time.Time   // when the listing that is under way did
	here   map[string]bool
	said   []string // the last of what is no news of an order
}

// saidKept is how much of that is kept.
const saidKept = 6

// seen is one order in a view.
type seen struct {
	seq   int64
	marks []mark // how it got there, oldest first
	back  int    // steps back after a restore
	gone  bool
	off   time.Time // when the first listing of the board began that left it out
}

type mark struct {
	seq int64
	at  time.Time
}

func newView(o *oracle, name string, strict bool) *view {
	return &view{oracle: o, name: name, strict: strict, orders: map[string]*seen{}, here: map[string]bool{}}
}

// of is the order in the view; it is made if need be. Called with v.mu held.
func (v *view) of(id string) *seen {
	s := v.orders[id]
	if s == nil {
		s = &seen{}
		v.orders[id] = s
	}
	s.gone = false
	return s
}

func (s *seen) reach(seq int64) {
	s.seq, s.off = seq, time.Time{}
	s.marks = append(s.marks, mark{seq, time.Now()})
}

func (v *view) event(id string, seq int64) {
	v.mu.Lock()
	defer v.mu.Unlock()
	s := v.of(id)
	if v.strict && seq != s.seq+1 {
		v.oracle.note(max(0, int(seq-s.seq-1)), b2i(seq <= s.seq), "%s shows event %d of %s after %d", v.name, seq, id, s.seq)
	}
	if seq > s.seq {
		s.reach(seq)
	}
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// snapshot is an order as a whole, also one on a page.
func (v *view) snapshot(id string, seq int64) {
	v.mu.Lock()
	defer v.mu.Unlock()
	s := v.of(id)
	switch {
	case seq > s.seq:
		s.reach(seq)
	case seq < s.seq:
		if s.back++; s.back > 1 || !v.oracle.mayBack(id, seq) {
			v.oracle.note(0, 1, "%s shows a snapshot %d of %s after %d, its step back no. %d", v.name, seq, id, s.seq, s.back)
		}
		s.marks = nil
		s.reach(seq)
	}
}

// page is a part of a board.
func (v *view) page(first, more bool, list []order) {
	for _, o := range list {
		v.snapshot(o.OrderID, o.Seq)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if first {
		v.begun = time.Now()
		clear(v.here)
	}
	for _, o := range list {
		v.here[o.OrderID] = true
	}
	if more {
		return
	}
	v.listed = append(v.listed, v.begun)
	for id, s := range v.orders {
		if n := len(s.marks); s.off.IsZero() && !v.here[id] && n > 0 && s.marks[n-1].at.Before(v.begun) { // else it was told faster than listed
			s.off = v.begun
		}
	}
}

// gone is an order that is no longer the person's, or left the board.
func (v *view) gone(id string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.of(id).gone = true
}

// other is what is no news of an order.
func (v *view) other(text string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.said = append(v.said[max(0, len(v.said)-saidKept+1):], time.Now().Format(clock+" ")+text)
}

// drop forgets an order.
func (v *view) drop(id string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	delete(v.orders, id)
}

// steady ends the time in which a step back may be right.
func (v *view) steady() {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, s := range v.orders {
		s.back = 0
	}
}

// strangers are orders in the view that a database does not know.
func (v *view) strangers(known map[string]int64) (out []string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for id, s := range v.orders {
		if _, ok := known[id]; !ok && !s.gone && s.off.IsZero() {
			out = append(out, id)
		}
	}
	return out
}

// since is when the person had everything of an order up to seq; ok is false when it has not. On a board, an order that
// ended is as good as known once a listing began after its end, which leaves it out.
func (v *view) since(e entry, board bool) (at time.Time, ok bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	s := v.orders[e.id]
	if s != nil {
		for _, m := range s.marks {
			if m.seq >= e.seq {
				return m.at, true
			}
		}
	}
	if !board || e.endedAt.IsZero() {
		return time.Time{}, false
	}
	var off time.Time // from then on, every listing left it out
	if s != nil && s.seq > 0 {
		if off = s.off; off.IsZero() {
			return time.Time{}, false
		}
	}
	for _, at := range v.listed {
		if at.After(e.endedAt) && !at.Before(off) {
			return at, true
		}
	}
	return time.Time{}, false
}

// history is how an order came to be in the view.
func (v *view) history(id string) string {
	v.mu.Lock()
	defer v.mu.Unlock()
	s := v.orders[id]
	if s == nil {
		return "nothing of it"
	}
	var out []string
	for _, m := range s.marks {
		out = append(out, fmt.Sprint(m.seq, " at ", m.at.Format(clock)))
	}
	return strings.Join(out, ", ")
}

// at is the last seq of an order in the view, 0 = none, and what else the person was told last.
func (v *view) at(id string) (seq int64, gone bool, said string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if s := v.orders[id]; s != nil {
		return s.seq, s.gone, strings.Join(v.said, "; ")
	}
	return 0, false, strings.Join(v.said, "; ")
}

// orderOf is the order of an order topic, "" for a board.
func orderOf(topic string) string {
	id, ok := strings.CutPrefix(topic, string(wire.TopicOrder)+"/")
	if !ok {
		return ""
	}
	return id
}
