package callback

import (
	"container/heap"
	"time"
)

// alarm wakes what it belongs to at a time. It is part of a lane, an endpoint or an origin.
type alarm struct {
	at  time.Time
	pos int // in the heap, counted from 1; 0 = not set
	who ringer
}

// ringer is what an alarm wakes. The engine's lock is held.
type ringer interface {
	ring(e *Engine, now time.Time)
}

// alarms are the times at which something happens, the earliest first.
type alarms []*alarm

func (a alarms) Len() int           { return len(a) }
func (a alarms) Less(i, j int) bool { return a[i].at.Before(a[j].at) }
func (a alarms) Swap(i, j int) {
	a[i], a[j] = a[j], a[i]
	a[i].pos, a[j].pos = i+1, j+1
}
func (a *alarms) Push(x any) {
	v := x.(*alarm)
	*a = append(*a, v)
	v.pos = len(*a)
}
func (a *alarms) Pop() any {
	old := *a
	v := old[len(old)-1]
	old[len(old)-1] = nil
	*a = old[:len(old)-1]
	v.pos = 0
	return v
}

// set lets the alarm ring at t, instead of whenever it was set to before.
func (a *alarms) set(v *alarm, t time.Time) {
	v.at = t
	if v.pos == 0 {
		heap.Push(a, v)
		return
	}
	heap.Fix(a, v.pos-1)
}

// unset takes the alarm out.
func (a *alarms) unset(v *alarm) {
	if v.pos != 0 {
		heap.Remove(a, v.pos-1)
	}
}

// next is the earliest time; false when nothing is set.
func (a alarms) next() (time.Time, bool) {
	if len(a) == 0 {
		return time.Time{}, false
	}
	return a[0].at, true
}

// due takes out what rings now, nil when that is nothing.
func (a *alarms) due(now time.Time) *alarm {
	if at, ok := a.next(); !ok || at.After(now) {
		return nil
	}
	return heap.Pop(a).(*alarm)
}
