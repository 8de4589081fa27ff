package faults

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"doorbell/orders"
)

// truth is what the database says of an order.
type truth struct {
	order
	events  []event
	missing bool
}

// read asks for an order and its history, as ops. A clock may fire between the two, so they are asked until they agree.
func (w *world) read(id string) (tr truth, err error) {
	for range 5 {
		if tr, err = w.readOnce(id); err != nil || tr.missing || int64(len(tr.events)) == tr.Seq {
			break
		}
	}
	return tr, err
}

func (w *world) readOnce(id string) (tr truth, err error) {
	ctx := context.Background()
	a, err := w.rest.do(ctx, "GET", "/v1/orders/"+id, w.people.ops.token, nil)
	if err != nil {
		return tr, err
	}
	if a.code == 404 {
		return truth{missing: true}, nil
	}
	if err := json.Unmarshal(a.raw, &tr.order); err != nil || a.code != 200 {
		return tr, fmt.Errorf("%s: %v %v", id, a, err)
	}
	for after := int64(0); ; {
		a, err = w.rest.do(ctx, "GET", fmt.Sprintf("/v1/orders/%s/events?limit=200&after=%d", id, after), w.people.ops.token, nil)
		if err != nil {
			return tr, err
		}
		var page struct{ Items []event }
		if err := json.Unmarshal(a.raw, &page); err != nil || a.code != 200 {
			return tr, fmt.Errorf("events of %s: %v %v", id, a, err)
		}
		tr.events = append(tr.events, page.Items...)
		if len(page.Items) < 200 {
			return tr, nil
		}
		after = page.Items[len(page.Items)-1].Seq
	}
}

// readAll reads the truth of every entry.
func (w *world) readAll(entries []entry) map[string]truth {
	var mu sync.Mutex
	out := map[string]truth{}
	todo := make(chan string)
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for id := range todo {
				tr, err := w.read(id)
				mu.Lock()
				if err != nil {
					w.oracle.note(0, 0, "reading the truth: %v", err)
				} else {
					out[id] = tr
				}
				mu.Unlock()
			}
		})
	}
	for _, e := range entries {
		todo <- e.id
	}
	close(todo)
	readers.Wait()
	return out
}

// check holds everything that was answered and everything that was told against the database. The load is paused. It
// returns how many events were owed, and forgets the orders that have ended.
func (w *world) check() (owed int) {
	entries := w.book.all()
	truths := w.readAll(entries)
	for i := range entries {
		e := &entries[i]
		tr, ok := truths[e.id]
		if !ok {
			continue
		}
		if tr.missing {
			w.oracle.note(int(e.seq), 0, "%s was answered at seq %d and is gone from the database", e.id, e.seq)
			continue
		}
		w.promised(e, tr)
		w.timely(e.id, tr)
		e.take(tr.order)
		if c := tr.Delivery.Courier.CourierID; c != "" {
			e.courier = c
		}
		w.book.change(e.id, func(b *entry) { b.courier, b.shown, b.endedAt = e.courier, e.shown, e.endedAt })
	}
	w.settled(entries)
	for _, e := range entries {
		final := e.status.Final()
		for _, x := range w.watchers {
			if !x.owed(e) {
				continue
			}
			owed += int(e.seq)
			if seq, _, _ := x.at(e.id); final && seq > e.seq {
				w.oracle.note(1, 0, "%s was told event %d of %s, which ended with %d", x.view.name, seq, e.id, e.seq)
			}
		}
		if final {
			w.forget(e.id)
		}
	}
	w.book.mu.Lock()
	unknown := w.book.unknown
	w.book.unknown = nil
	w.book.mu.Unlock()
	for _, u := range unknown {
		w.oracle.note(0, 0, "no answer: %s", u)
	}
	return owed
}

// promised is P1: what was answered is there.
func (w *world) promised(e *entry, tr truth) {
	if tr.Seq < e.seq {
		w.oracle.note(int(e.seq-tr.Seq), 0, "%s was answered at seq %d and is at %d", e.id, e.seq, tr.Seq)
	}
	if int64(len(tr.events)) != tr.Seq {
		w.oracle.note(1, 0, "%s is at seq %d with %d events", e.id, tr.Seq, len(tr.events))
	}
	for i, ev := range tr.events {
		if ev.Seq != int64(i+1) {
			w.oracle.note(1, 0, "event %d of %s has seq %d", i+1, e.id, ev.Seq)
		}
	}
	for i, told := range e.timeline {
		if i >= len(tr.events) {
			break
		}
		if is := tr.events[i]; !e.old && (is.EventType != told.EventType || !is.OccurredAt.Equal(told.At)) {
			w.oracle.note(1, 0, "%s was answered with %v, and %v is stored", e.id, told, is)
		}
	}
	if len(e.refused) > 0 && !tr.Status.Final() && !e.old {
		w.oracle.note(0, 0, "%s is %s, and was refused %s", e.id, tr.Status, strings.Join(e.refused, "; "))
	}
}

// clockSlack is how far a time in the database may lie from this process's clock.
const clockSlack = 3 * time.Second

// timely holds an order's times and timers against the clock: none fired twice or early.
func (w *world) timely(id string, tr truth) {
	fired := map[orders.EventType]int{}
	var created, due time.Time
	for _, ev := range tr.events {
		if ev.OccurredAt.Before(w.born.Add(-clockSlack)) || ev.OccurredAt.After(time.Now().Add(clockSlack)) {
			w.oracle.note(0, 0, "event %d of %s happened at %v, by a clock that is wrong", ev.Seq, id, ev.OccurredAt)
		}
		switch ev.EventType {
		case orders.OrderCreated:
			created, due = ev.OccurredAt, ev.OccurredAt.Add(payBy)
		case orders.OrderPaid:
			due = ev.OccurredAt.Add(acceptBy)
		case orders.OrderConfirmed:
			due = time.Time{}
		}
		if ev.Actor.Role != orders.RoleSystem {
			continue
		}
		if fired[ev.EventType]++; fired[ev.EventType] > 1 {
			w.oracle.note(0, 1, "the timer of %s fired %s for the %d. time", id, ev.EventType, fired[ev.EventType])
		}
		if ev.EventType == orders.OrderCancelled && ev.OccurredAt.Before(due.Add(-100*time.Millisecond)) {
			w.oracle.note(0, 0, "%s, created at %v, was cancelled at %v, and had until %v", id, created, ev.OccurredAt, due)
		}
	}
}

// settleFor is how long the last events may take once nothing happens any more.
const settleFor = 15 * time.Second

// settled waits until every watcher has everything of every order, and notes what it has not.
func (w *world) settled(entries []entry) {
	missing := func() (out []string, events int) {
		for _, x := range w.watchers {
			for _, e := range entries {
				if !x.owed(e) {
					continue
				}
				if _, ok := w.has(x, e); !ok {
					seq, gone, said := x.at(e.id)
					events += max(1, int(e.seq-seq))
					out = append(out, fmt.Sprintf("%s has %d of the %d events of %s, %s, gone %v; heard last: %s",
						x.view.name, seq, e.seq, e.id, e.status, gone, said))
				}
			}
		}
		return out, events
	}
	var list []string
	events := 0
	why := within(settleFor, func() (bool, string) {
		list, events = missing()
		return len(list) == 0, "missing"
	})
	if why != "" {
		w.oracle.note(events, 0, "%v after the last change: %s", settleFor, strings.Join(list[:min(len(list), 12)], "\n      "))
	}
}

// forget ends everybody's interest in an order that has ended.
func (w *world) forget(id string) {
	w.book.drop(id)
	for _, x := range w.watchers {
		if !x.board() {
			x.unwatch("order/" + id)
		}
		x.drop(id)
	}
}

// list reads every order there is, as ops.
func (w *world) list() (out []order, err error) {
	for cursor := ""; ; {
		a, err := w.rest.do(context.Background(), "GET", "/v1/orders?limit=200&cursor="+cursor, w.people.ops.token, nil)
		var page struct {
			Items []order
			Next  string
		}
		if err == nil {
			err = json.Unmarshal(a.raw, &page)
		}
		if err != nil || a.code != 200 {
			return nil, fmt.Errorf("listing all orders: %v %w", a, err)
		}
		out = append(out, page.Items...)
		if cursor = page.Next; cursor == "" {
			return out, nil
		}
	}
}

// onlyOnce wants every note on one order: no repeated request made a second one, and none is missing.
func (w *world) onlyOnce() {
	all, err := w.list()
	if err != nil {
		w.oracle.note(0, 0, "%v", err)
		return
	}
	notes := map[string][]string{}
	for _, o := range all {
		notes[o.Items[0].Note] = append(notes[o.Items[0].Note], o.OrderID)
	}
	for note, ids := range notes {
		if len(ids) > 1 {
			w.oracle.note(0, len(ids)-1, "the key %s made %v", note, ids)
		}
	}
	w.book.mu.Lock()
	defer w.book.mu.Unlock()
	for note, id := range w.book.notes {
		if !slices.Contains(notes[note], id) {
			w.oracle.note(1, 0, "the key %s was answered with %s, which is not in the list of all orders", note, id)
		}
	}
}
