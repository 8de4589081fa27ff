// Package bus carries committed changes from the store that made them to the hubs that show them. In one process it is
// a queue and a goroutine, among many nodes it is Redis.
package bus

import (
	"context"
	"sync"
	"time"

	"doorbell/orders"
)

// Local is the bus of one process. The store hands changes in, in the order of their commits, without waiting; one
// goroutine hands them on in that order. Nothing is lost, since nothing leaves the process.
type Local struct {
	to []orders.Publisher // set before Run

	mu    sync.Mutex    // guards the following
	queue []change      // oldest first
	wake  chan struct{} // capacity 1: something is in the queue
}

type change struct {
	order  *orders.Order
	events []orders.Event
	at     time.Time // when it was handed in
}

// timed is a Publisher that measures from the commit, and so wants to know when it was.
type timed interface {
	PublishAt(o *orders.Order, events []orders.Event, at time.Time)
}

var (
	_ orders.Publisher      = (*Local)(nil)
	_ orders.GroupPublisher = (*Local)(nil)
)

// NewLocal makes a bus that nobody listens to yet.
func NewLocal() *Local { return &Local{wake: make(chan struct{}, 1)} }

// Subscribe has every change handed to p as well. It must not be called once Run runs.
func (l *Local) Subscribe(p orders.Publisher) { l.to = append(l.to, p) }

// Publish hands a change in. It does not wait for those who watch: the store's writer calls it.
func (l *Local) Publish(o *orders.Order, events []orders.Event) {
	l.mu.Lock()
	l.queue = append(l.queue, change{o, events, time.Now()})
	l.mu.Unlock()
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// PublishGroup hands a group of Postgres's in where one node is all there is. What else the group changed is known here
// already.
func (l *Local) PublishGroup(g orders.Group) {
	for _, c := range g.Orders {
		l.Publish(c.Order, c.Events)
	}
}

// Run hands changes on until ctx ends, and then what is left.
func (l *Local) Run(ctx context.Context) error {
	var batch []change
	for {
		ended := ctx.Err() != nil // asked before the queue is looked at, or what comes in between would stay there
		l.mu.Lock()
		batch, l.queue = l.queue, batch[:0]
		l.mu.Unlock()
		for i := range batch {
			c := &batch[i]
			for _, p := range l.to {
				if t, ok := p.(timed); ok {
					t.PublishAt(c.order, c.events, c.at)
				} else {
					p.Publish(c.order, c.events)
				}
			}
			*c = change{}
		}
		if len(batch) > 0 {
			continue
		}
		if ended {
			return nil
		}
		select {
		case <-l.wake:
		case <-ctx.Done():
		}
	}
}
