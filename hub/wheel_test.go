package hub

import (
	"testing"
	"time"
)

// A wheel whose ticks were dropped catches up, one whose sessions end forgets them, and a session stands in it once.
func TestWheel(t *testing.T) {
	start := time.Now()
	at := func(s int) time.Time { return start.Add(time.Duration(s) * wheelTick) }
	var w wheel
	w.turn(at(0))
	all := make([]*Session, wheelSlots-1)
	for i := range all {
		all[i] = &Session{ended: true} // looking at it does nothing, and does not put it back
		w.add(all[i], at(i+1), at(0))
		w.add(all[i], at(i+5), at(0)) // later: stays where it is
	}
	moved, gone := all[60], all[30]
	w.add(moved, at(2), at(0)) // earlier: moves
	w.remove(gone)
	w.remove(gone)
	if gone.turn != 0 {
		t.Error("what is removed is still there")
	}
	for _, now := range []int{1, 2, 3, 13, 14, 40, 63} { // ten seconds are lost, then 26, then 23
		w.turn(at(now))
		for i, s := range all {
			if due := i+1 <= now || s == moved && now >= 2 || s == gone; due != (s.turn == 0) {
				t.Errorf("in second %d, the session of second %d: looked at is %v", now, i+1, s.turn == 0)
			}
		}
	}
	for i, first := range w.slots {
		if first != nil {
			t.Errorf("slot %d is not empty", i)
		}
	}
}
