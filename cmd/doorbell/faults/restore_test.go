package faults

import (
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"time"
)

// restore puts a backup in place of the database while everything runs. What was changed after the backup is gone and
// out of the count; of each order that was further every watcher is owed one snapshot of what is restored.
func restore(w *world) {
	w.t.Helper()
	r := &row{fault: "Postgres restored from a backup", limit: wholeLimit, clients: len(w.watchers)}
	if raced {
		r.limit *= racedFactor
	}
	w.rest.asked.Store(0)
	w.rest.answered.Store(0)
	file, was := w.backUp()
	time.Sleep(2 * time.Second) // of changes that will be gone
	w.load.pause()
	r.events = w.check() // up to here as always

	seqs := map[string]int64{}
	for _, o := range was {
		seqs[o.OrderID] = o.Seq
	}
	w.oracle.allowBack(seqs)
	w.cli("restore", "--postgres", w.database, file)
	ended := time.Now()
	unknown := w.rewind(was, seqs)
	r.whole = w.untilBack(ended, seqs)
	for _, id := range unknown {
		w.forget(id)
	}
	w.endOld(was)
	w.load.resume()
	time.Sleep(afterwards) // of load on what is restored
	w.load.pause()
	r.asked, r.answered = w.rest.asked.Load(), w.rest.answered.Load()
	r.events += w.check()
	w.oracle.allowBack(nil)
	for _, x := range w.watchers {
		x.steady()
	}
	w.load.resume()
	w.report(r)
}

// backUp writes a backup of a moment at which nothing changes, and returns what is in it.
func (w *world) backUp() (file string, was []order) {
	w.t.Helper()
	w.load.pause()
	defer w.load.resume()
	time.Sleep(max(payBy, acceptBy) + time.Second) // of what is left now, no clock runs out soon
	was, err := w.list()
	if err != nil {
		w.t.Fatal(err)
	}
	file = filepath.Join(w.dir, fmt.Sprintf("backup-%d", time.Now().UnixNano()))
	w.cli("backup", "--postgres", w.database, file)
	return file, was
}

// rewind makes the book what the restored database is, and returns what that does not know. Orders that had ended
// meanwhile are watched again.
func (w *world) rewind(was []order, seqs map[string]int64) (unknown []string) {
	for _, e := range w.book.all() {
		if _, ok := seqs[e.id]; !ok {
			w.book.drop(e.id)
			unknown = append(unknown, e.id)
		}
	}
	w.book.mu.Lock()
	maps.DeleteFunc(w.book.notes, func(_, id string) bool { _, ok := seqs[id]; return !ok })
	var again []order
	for _, o := range was {
		if o.Status.Final() {
			continue
		}
		e := &entry{id: o.OrderID, note: o.Items[0].Note, courier: o.Delivery.Courier.CourierID, old: true}
		e.take(o)
		if w.book.entries[o.OrderID] == nil {
			again = append(again, o)
		}
		w.book.entries[o.OrderID] = e
	}
	w.book.mu.Unlock()
	for _, o := range again {
		w.placed(o)
	}
	return unknown
}

// untilBack waits until every watcher is where the restored database is, and shows nothing that it does not know.
func (w *world) untilBack(ended time.Time, seqs map[string]int64) []time.Duration {
	took := make([]time.Duration, len(w.watchers))
	back := func(x *watcher) string {
		if list := x.strangers(seqs); len(list) > 0 {
			return fmt.Sprintf("%s still shows %v", x.view.name, list)
		}
		for _, e := range w.book.all() {
			if seq, _, said := x.at(e.id); x.owed(e) && seq != e.seq {
				return fmt.Sprintf("%s shows %s at %d, and it is at %d; heard last: %s", x.view.name, e.id, seq, e.seq, said)
			}
		}
		return ""
	}
	within(giveUp, func() (bool, string) {
		all := true
		for i, x := range w.watchers {
			if took[i] == 0 {
				if back(x) == "" {
					took[i] = time.Since(ended)
				} else {
					all = false
				}
			}
		}
		return all, ""
	})
	for i, x := range w.watchers {
		if why := back(x); why != "" {
			took[i] = giveUp
			w.oracle.note(1, 0, "%v after the restore: %s", giveUp, why)
		}
	}
	return took
}

// endOld ends the orders that stepped back: those who took them through their lives do not know where they are.
func (w *world) endOld(was []order) {
	for _, o := range was {
		if o.Status.Final() {
			continue
		}
		a, err := w.rest.do(context.Background(), "POST", "/v1/orders/"+o.OrderID+"/cancel", w.people.ops.token, js{"reason": "ADMIN"})
		if err != nil || a.code/100 != 2 {
			w.oracle.note(0, 0, "cancelling %s: %v %v", o.OrderID, a, err)
			continue
		}
		if _, err := w.book.heard(o.Items[0].Note, "", a); err != nil {
			w.oracle.note(0, 0, "%v", err)
		}
	}
}
