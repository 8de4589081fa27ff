package callback

import (
	"slices"
	"time"
)

// lane is what waits of one order at one endpoint. All of it is guarded by the engine's lock.
type lane struct {
	to    *endpoint
	id    string
	at    int    // its place in to.lanes
	rows  []*Row // by seq and kind; the first is the one that is tried
	busy  bool   // a try of rows[0] is under way
	ready bool   // it stands in to.ready
	acked bool   // rows[0] was acked while it was under way: not to be tried again
	gone  bool   // the engine has let go of it: what is under way counts for nothing
	bell  alarm
}

// insert puts a row in its place. False: it is there already.
func (l *lane) insert(r *Row) bool {
	i, found := slices.BinarySearchFunc(l.rows, r, func(a, b *Row) int { return a.inLane(b.Key) })
	if found {
		return false
	}
	if l.busy && i == 0 { // older than what is under way, so it was late: it goes next
		i = 1
	}
	l.rows = slices.Insert(l.rows, i, r)
	return true
}

// superseded takes out what a newer status of the order says as well. What is under way stays.
func (l *lane) superseded() []*Row {
	var newest int64
	for _, r := range l.rows {
		if r.Class.supersedes() {
			newest = max(newest, r.Seq)
		}
	}
	return l.takeOut(func(r *Row) bool { return r.Class == ClassStatus && r.Seq < newest })
}

// calledOff takes out what an ack calls off. What is under way is only not tried again.
func (l *lane) calledOff(a Ack) []*Row {
	if l.busy && a.calls(l.rows[0]) {
		l.acked = true
	}
	return l.takeOut(a.calls)
}

// takeOut takes out all rows that wait and that f is true of.
func (l *lane) takeOut(f func(*Row) bool) (out []*Row) {
	from := 0
	if l.busy {
		from = 1
	}
	rest := slices.DeleteFunc(l.rows[from:], func(r *Row) bool {
		if !f(r) {
			return false
		}
		out = append(out, r)
		return true
	})
	l.rows = l.rows[:from+len(rest)]
	return out
}

// ring implements [ringer]: the first row is due.
func (l *lane) ring(e *Engine, now time.Time) { e.schedule(l, now) }
