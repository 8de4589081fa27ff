package hub

import (
	"time"

	"doorbell/orders"
)

// Change is a committed change of an order as a bus brings it: enough to judge who may see it, and what is told to those
// who watch.
type Change struct {
	Own      orders.Ownership // after the change
	Previous string           // the courier from whom the last handover took the order, "" = there was none
	Events   []orders.Event   // what the change added, oldest first, with their envelopes; never empty
	Order    *orders.Order    // after the change; nil = it is read where it is needed, which is seldom
	At       time.Time        // when it was committed, by this machine's clock: deliveries are measured from here
}

// ChangeOf is the change that left o.
func ChangeOf(o *orders.Order, events []orders.Event, at time.Time) Change {
	return Change{Own: o.Ownership(), Previous: o.Delivery.Previous, Events: events, Order: o, At: at}
}
