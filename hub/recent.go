package hub

import (
	"context"

	"doorbell/orders"
)

// Recent is what a bus keeps of orders that changed lately, so that many clients who come back at once do not all ask
// the database. It may be as old as the bus is late. ok is false where nothing is kept or the bus cannot be asked: then
// the Source is.
type Recent interface {
	Ownership(ctx context.Context, id string) (own orders.Ownership, ok bool)
	Order(ctx context.Context, id string) (o orders.Order, ok bool)
	// Events returns all events behind after, none where after is what is kept. ok is also false where what is kept does
	// not reach back that far, or not as far as after.
	Events(ctx context.Context, id string, after int64) (own orders.Ownership, events []orders.Event, ok bool)
}
