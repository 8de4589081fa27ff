package faults

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"doorbell/orders"
)

// fault is one way to break a world.
type fault struct {
	name  string
	begin func(w *world)
	end   func(w *world) // nil where there is nothing to mend
	after func(w *world) // makes ready for the next fault; may be nil
	hold  time.Duration  // between the two, under load
	up    bool           // most of the system works all the while: the time to whole counts from each answer, not from the fault's end
	mute  bool           // it is not mended before all are whole, and nothing is changed meanwhile that would show what was missed
	blind bool           // hubs hear of nothing while it lasts: see unseen
	limit time.Duration  // for the p99 of the time to whole; 0 = wholeLimit
}

const (
	// wholeLimit is P3: within two seconds of the bus's return, or while it is up although it lost the message.
	wholeLimit = 2 * time.Second
	// failoverLimit is what a Sentinel failover may take, its own detection and election included.
	failoverLimit = 5 * time.Second
	// racedFactor stretches the limits under the race detector, where nodes and clients share two cores with each other
	// and with the rest of the check, at ten times the CPU.
	racedFactor = 4

	warmUp     = 500 * time.Millisecond // of load before a fault begins
	afterwards = 500 * time.Millisecond // of load after it has ended
	giveUp     = 30 * time.Second       // for all to be whole
)

// suffer breaks the world in one way under load, waits until everybody is whole, and holds all against the database.
func (w *world) suffer(f fault) {
	w.t.Helper()
	if f.limit == 0 {
		f.limit = wholeLimit
	}
	if raced {
		f.limit *= racedFactor
	}
	r := &row{fault: f.name, limit: f.limit, clients: len(w.watchers)}
	w.rest.asked.Store(0)
	w.rest.answered.Store(0)
	time.Sleep(warmUp)
	began := time.Now()
	f.begin(w)
	time.Sleep(f.hold)
	if f.mute {
		w.load.pause()
	} else if f.end != nil {
		f.end(w)
	}
	ended, owed := time.Now(), w.book.all() // what was answered by now
	if w.blind = (interval{}); f.blind {
		w.blind = interval{began, ended.Add(f.limit)}
	}
	if !f.mute {
		time.Sleep(afterwards)
	}
	from := ended
	if f.up {
		from = began
	}
	var slowest []entry
	r.whole, slowest = w.untilWhole(from, owed)
	w.slow(r, slowest)
	if f.mute {
		if f.end != nil {
			f.end(w)
		}
	} else {
		w.load.pause()
	}
	r.asked, r.answered = w.rest.asked.Load(), w.rest.answered.Load()
	r.events = w.check()
	w.load.resume()
	w.report(r)
	if f.after != nil {
		f.after(w)
	}
}

// untilWhole waits until every watcher has what it is owed, and returns how long each took: for each change from its
// answer on, or from a later moment; and for which change that was.
func (w *world) untilWhole(from time.Time, owed []entry) (took []time.Duration, slowest []entry) {
	var waits string     // the order that somebody waits for
	var looked time.Time // when the database was last asked about such a one: a clock may have ended it, which nobody was told
	all := func() (took []time.Duration, slowest []entry, late string) {
		if waits != "" && time.Since(looked) > 100*time.Millisecond {
			looked = time.Now()
			if tr, err := w.read(waits); err == nil && !tr.missing {
				w.book.change(waits, func(e *entry) { e.end(tr.order) })
			}
		}
		w.book.ends(owed)
		for _, x := range w.watchers {
			last, which := time.Duration(0), entry{}
			for _, e := range owed {
				if !x.owed(e) {
					continue
				}
				at, ok := w.has(x, e)
				if !ok {
					waits = e.id
					return nil, nil, fmt.Sprintf("%s waits for event %d of %s", x.view.name, e.seq, e.id)
				}
				since := from
				if e.heardAt.After(since) {
					since = e.heardAt
				}
				if d := at.Sub(since); d > last {
					last, which = d, e
				}
			}
			took, slowest = append(took, last), append(slowest, which)
		}
		return took, slowest, ""
	}
	why := within(giveUp, func() (bool, string) {
		var late string
		took, slowest, late = all()
		return late == "", late
	})
	if why != "" {
		w.oracle.note(0, 0, "not whole %v after the fault: %s", giveUp, why)
	}
	return took, slowest
}

// maxNotes is how many are named.
const maxNotes = 6

// slow says who took longer than a limit without the race detector, and fails nothing.
func (w *world) slow(r *row, last []entry) {
	for i, d := range r.whole {
		if x := w.watchers[i]; d > min(r.limit, wholeLimit) && len(r.notes) < maxNotes {
			_, _, said := x.at("")
			r.notes = append(r.notes, fmt.Sprintf("%s took %v for event %d of %s, answered at %s; it shows %s; heard beside orders: %s",
				x.view.name, d, last[i].seq, last[i].id, last[i].heardAt.Format(clock), x.history(last[i].id), said))
		}
	}
}

// interval is a time; the zero one is none.
type interval struct{ begin, end time.Time }

// has is when a watcher had all of an order up to the entry's seq.
func (w *world) has(x *watcher, e entry) (at time.Time, ok bool) {
	if at, ok = x.since(e, x.board()); ok || !x.board() {
		return at, ok
	}
	seq, _, _ := x.at(e.id)
	return e.endedAt, seq == 0 && w.unseen(x, e)
}

// unseen reports whether an order came and went while hubs heard of nothing. A board shows what runs: when hubs hear
// again there is nothing left to show of such an order, and nothing to be done about it.
func (w *world) unseen(x *watcher, e entry) bool {
	shown := orders.OrderPaid
	switch {
	case x.role == orders.RoleCourier:
		shown = orders.CourierAssigned
	case !slices.ContainsFunc(e.timeline, func(ev event) bool { return ev.EventType == orders.OrderPaid }):
		shown = orders.OrderCreated // cash
	}
	i := slices.IndexFunc(e.timeline, func(ev event) bool { return ev.EventType == shown })
	return i >= 0 && e.timeline[i].At.After(w.blind.begin) && !e.endedAt.IsZero() && e.endedAt.Before(w.blind.end)
}

// report closes a row with what the oracle and the nodes have to say.
func (w *world) report(r *row) {
	var wrong []string
	r.lost, r.repeated, wrong = w.oracle.take()
	r.wrong = append(r.wrong, wrong...)
	for _, n := range w.nodes {
		if text := n.races(); text != "" {
			r.wrong = append(r.wrong, n.name+" has a data race:\n"+text)
		}
	}
	if !r.fine() {
		for _, n := range w.nodes {
			r.wrong = append(r.wrong, fmt.Sprintf("the end of %s's log:\n      %s", n.name, strings.ReplaceAll(n.tail(25), "\n", "\n      ")))
		}
		w.t.Errorf("%s: %s", w.name, r)
	}
	results.add(r)
}

// end lets every order come to its end, and looks at the whole once more.
func (w *world) end() {
	w.t.Helper()
	w.load.pause() // for good
	time.Sleep(max(payBy, acceptBy))
	r := &row{fault: "at the end of it all", limit: wholeLimit, clients: len(w.watchers)}
	r.events = w.check()
	w.onlyOnce()
	w.load.resume()
	w.report(r)
}
