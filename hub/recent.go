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

// read gets an order that is at least at this seq where the database is: from what is kept, or else from there.
func (h *Hub) read(ctx context.Context, id string, atLeast int64) (orders.Order, error) {
	if r := h.cfg.Recent; r != nil {
		if o, ok := r.Order(ctx, id); ok && o.Seq >= atLeast {
			return o, nil
		}
	}
	return h.cfg.Source.Order(ctx, id)
}

// ownership gets what decides who may see an order, for this caller, who says to have seen it at a seq. Only the database
// may refuse it; and it alone answers a courier, who may have been replaced a moment ago.
func (h *Hub) ownership(ctx context.Context, id string, by orders.Caller, seen int64) (orders.Ownership, error) {
	if r := h.cfg.Recent; r != nil && by.Role != orders.RoleCourier {
		if own, ok := r.Ownership(ctx, id); ok && own.Seq >= seen && own.VisibleTo(by, h.now()) {
			return own, nil
		}
	}
	own, err := h.cfg.Source.Ownership(ctx, id)
	if err == nil && !own.VisibleTo(by, h.now()) {
		err = orders.Errorf(orders.NotFound, "no such order")
	}
	return own, err
}

// events gets what follows a seq, at least as far as heard where the database is, at most one more than maxReplay, and
// the order's ownership as it is behind them. NotFound where the caller may not see the order any more: a courier may
// have been replaced since the watch began, by one of these very events.
func (h *Hub) events(ctx context.Context, id string, by orders.Caller, after, heard int64) (own orders.Ownership, events []orders.Event, err error) {
	if r := h.cfg.Recent; r != nil && by.Role != orders.RoleCourier {
		if own, events, ok := r.Events(ctx, id, after); ok && own.Seq >= heard {
			return own, events, nil
		}
	}
	if events, err = h.cfg.Source.Events(ctx, id, after, maxReplay+1); err != nil {
		return own, nil, err
	}
	own, err = h.cfg.Source.Ownership(ctx, id)
	if err == nil && by.Role == orders.RoleCourier && !own.VisibleTo(by, h.now()) {
		err = noLonger()
	}
	return own, events, err
}
