package hub

import "sync"

// Waiters wakes those who wait for the next change of an order without a session, as a long-poll does. An order that
// nobody waits for costs nothing. The zero Waiters is ready; it is safe for concurrent use.
type Waiters struct {
	mu     sync.Mutex
	orders map[string]*waiting
}

type waiting struct {
	n       int           // how many wait
	changed chan struct{} // closed by the next change, which also forgets this waiting
}

// Watch returns a channel that closes at the order's next change. Read the order after Watch, not before, or a change
// in between is missed. stop must be called once.
func (w *Waiters) Watch(orderID string) (changed <-chan struct{}, stop func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	e := w.orders[orderID]
	if e == nil {
		if w.orders == nil {
			w.orders = map[string]*waiting{}
		}
		e = &waiting{changed: make(chan struct{})}
		w.orders[orderID] = e
	}
	e.n++
	return e.changed, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		if e.n--; e.n == 0 && w.orders[orderID] == e {
			delete(w.orders, orderID)
		}
	}
}

// Wake wakes everybody who waits for this order.
func (w *Waiters) Wake(orderID string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if e := w.orders[orderID]; e != nil {
		close(e.changed)
		delete(w.orders, orderID)
	}
}

// WakeAll wakes everybody: something may have been missed.
func (w *Waiters) WakeAll() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range w.orders {
		close(e.changed)
	}
	clear(w.orders)
}

func (w *Waiters) waits(orderID string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.orders[orderID] != nil
}

// Waiting is how many orders are waited for.
func (w *Waiters) Waiting() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.orders)
}
