package faults

import (
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"doorbell/orders"
)

// entry is what the callers were told of one order: only what was answered with 2xx.
type entry struct {
	id, note             string
	customer, restaurant string
	courier              string // "" until one was assigned
	shown                bool   // to the restaurant
	seq                  int64
	status               orders.Status
	endedAt              time.Time // when it ended; zero while it runs, as far as anybody was told
	heardAt              time.Time // when the answer came that said seq
	timeline             []event
	refused              []string // what was answered with 4xx, step and body
	old                  bool     // from before a restored backup: its history may have begun again
}

// book is what the callers were told.
type book struct {
	mu      sync.Mutex // guards the following
	entries map[string]*entry
	notes   map[string]string // the order of every note, over the whole life of the world
	unknown []string          // requests that nobody answered
}

func newBook() *book { return &book{entries: map[string]*entry{}, notes: map[string]string{}} }

// heard takes a 2xx. Of two answers about one order the one with the higher seq counts.
func (b *book) heard(note string, courier string, a answer) (order, error) {
	var o order
	if err := json.Unmarshal(a.raw, &o); err != nil || o.OrderID == "" {
		return o, fmt.Errorf("an answer that is no order: %v", a)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if was, ok := b.notes[note]; ok && was != o.OrderID {
		return o, fmt.Errorf("the key %s made %s, and now %s", note, was, o.OrderID)
	}
	b.notes[note] = o.OrderID
	e := b.entries[o.OrderID]
	if e == nil {
		e = &entry{id: o.OrderID, note: note}
		b.entries[o.OrderID] = e
	}
	if courier != "" {
		e.courier = courier
	}
	if o.Seq > e.seq {
		e.heardAt = time.Now()
		e.take(o)
	}
	return o, nil
}

// take makes an entry what an order is.
func (e *entry) take(o order) {
	e.customer, e.restaurant = o.CustomerID, o.RestaurantID
	e.seq, e.status, e.timeline = o.Seq, o.Status, o.Timeline
	e.shown = e.shown || o.Payment.Status == orders.Paid || o.Payment.Status == orders.CashDue
	e.end(o)
}

// end notes when an order ended, if it has.
func (e *entry) end(o order) {
	if e.endedAt = (time.Time{}); !o.Status.Final() {
		return
	}
	for _, ev := range o.Timeline {
		switch ev.EventType {
		case orders.OrderCancelled, orders.OrderCompleted, orders.OrderFailed:
			e.endedAt = ev.At
		}
	}
}

// refuse takes an answer that said no.
func (b *book) refuse(id, step string, a answer) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if e := b.entries[id]; e != nil {
		e.refused = append(e.refused, step+": "+a.String())
	}
}

// unanswered takes a request that nobody answered.
func (b *book) unanswered(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.unknown = append(b.unknown, err.Error())
}

// all copies every entry.
func (b *book) all() (out []entry) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, e := range b.entries {
		out = append(out, *e)
	}
	return out
}

// ends brings the ends of orders up to date in copies of their entries.
func (b *book) ends(copies []entry) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i := range copies {
		if e := b.entries[copies[i].id]; e != nil {
			copies[i].endedAt = e.endedAt
		}
	}
}

// change does something to an entry that is still there.
func (b *book) change(id string, what func(*entry)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if e := b.entries[id]; e != nil {
		what(e)
	}
}

// drop forgets an order that nothing more will happen to.
func (b *book) drop(id string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.entries, id)
}
