package storetest

import (
	"context"
	"runtime"
	"sync"
	"testing"

	"doorbell/orders"
)

// Store is all that an engine keeps.
type Store interface {
	orders.Store
	orders.TrackStore
	orders.DeviceStore
}

// Engine is a store that is open, empty and not yet running, and what it lends the suite. The one who opens it also
// closes it, by t.Cleanup.
type Engine struct {
	Store
	// Run writes until ctx ends.
	Run func(ctx context.Context) error

	// Queued counts the changes that wait to be written. nil: groups cannot be put together on purpose.
	Queued func() int
	// BreakCommit makes the next COMMIT answer with an error, after it was really made or really rolled back. It is
	// called before Run, or while nothing is written. nil: not possible.
	BreakCommit func(made bool)
	// Archived reads what Archive moved away. nil: not possible.
	Archived func(t *testing.T, id string) (orders.Order, []orders.Event)
}

// start runs the engine until the test ends, or until the returned function is called.
func (e Engine) start(t *testing.T) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := e.Run(ctx); err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	stop = sync.OnceFunc(func() { cancel(); wg.Wait() })
	t.Cleanup(stop)
	return stop
}

// together writes all changes at once and returns what each was told. With Queued they were all waiting before the
// engine runs, so they share a group as far as one holds them.
func (e Engine) together(t *testing.T, changes []orders.Commit) []error {
	t.Helper()
	errs := make([]error, len(changes))
	var wg sync.WaitGroup
	for i, c := range changes {
		wg.Go(func() { errs[i] = e.Commit(t.Context(), c) })
	}
	if e.Queued != nil {
		for e.Queued() < len(changes) {
			runtime.Gosched()
		}
	}
	e.start(t)
	wg.Wait()
	return errs
}

// commit writes a change that must be taken and reads the order back.
func (e Engine) commit(t *testing.T, c orders.Commit) orders.Order {
	t.Helper()
	if err := e.Commit(t.Context(), c); err != nil {
		t.Fatalf("commit %s at seq %d: %v", c.Order.ID, c.BaseSeq, err)
	}
	return e.order(t, c.Order.ID)
}

// order reads an order that must be there.
func (e Engine) order(t *testing.T, id string) orders.Order {
	t.Helper()
	o, err := e.Order(t.Context(), id)
	if err != nil {
		t.Fatalf("read %s: %v", id, err)
	}
	return o
}

// place stores a new order.
func (e Engine) place(t *testing.T, d Draft) orders.Order {
	t.Helper()
	o, ev := Place(t, d)
	return e.commit(t, Change(orders.Order{}, o, ev))
}

// events reads up to 100 events.
func (e Engine) events(t *testing.T, id string) []orders.Event {
	t.Helper()
	ev, err := e.Events(t.Context(), id, 0, 100)
	if err != nil {
		t.Fatalf("events of %s: %v", id, err)
	}
	return ev
}

// timers lists what is due at the end of time, so every timer there is.
func (e Engine) timers(t *testing.T) []string {
	t.Helper()
	ids, _, err := e.Due(t.Context(), Start.AddDate(10, 0, 0), 1000)
	if err != nil {
		t.Fatalf("due: %v", err)
	}
	return ids
}
