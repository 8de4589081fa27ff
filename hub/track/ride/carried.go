package ride

import (
	"cmp"
	"context"
	"slices"
	"sync/atomic"
	"time"

	"doorbell/hub/track"
	"doorbell/orders"
)

// load is what a courier carries, in the order of its next stops, as the database had it. It does not change.
type load struct{ orders []carried }

// carried is what is to be known of an order on its courier's way.
type carried struct {
	id    string
	key   uint64
	epoch int64
	phase Phase
	from  track.UnixMilli // the first moment of the order's window, or of the way to the merchant
	facts track.Facts     // what does not come from the courier's fixes

	stop  orders.Stop
	place track.Place   // of the stop
	ahead []track.Place // stops that the courier makes before it; shared, not changed

	told atomic.Uint32 // crossings that the state machine has, or is being told; see bit
}

// bit is a crossing's in carried.told.
func bit(k track.CrossingKind) uint32 { return 1 << k }

// atTheSame is how far apart two places may be and still be one stop, in metres: one gate, one desk.
const atTheSame = 30

// readLoad reads what a courier carries. NotFound never; Unavailable.
func readLoad(ctx context.Context, store Store, courier string) (*load, error) {
	q := orders.Query{Courier: courier, Running: true, Limit: 5 * MaxOrders}
	page, _, err := store.List(ctx, q)
	if err != nil {
		return nil, err
	}
	page = slices.DeleteFunc(page, func(o orders.Order) bool {
		p, by, _ := PhaseOf(&o)
		return p == Hidden || by != courier // what it only brings back, for one
	})
	slices.SortFunc(page, inLine)
	l := &load{orders: make([]carried, min(len(page), MaxOrders))}
	for i := range l.orders {
		o := &page[i]
		merchant := track.Place{}
		if !o.PickedUp() {
			switch r, err := store.Restaurant(ctx, o.Restaurant); {
			case err == nil:
				merchant = track.Place{Lat: r.Lat, Lon: r.Lon}
			case orders.KindOf(err) != orders.NotFound:
				return nil, err
			}
		}
		l.orders[i].set(o, merchant)
		l.orders[i].ahead = l.stopsBefore(i)
	}
	return l, nil
}

// inLine orders what a courier carries by the stops it makes. Nobody tells us its route, so it is taken for the plain
// one: where it stands now comes first, then what was picked up first, then what is still to be fetched. It is no guess
// by distance, which would change with every street and show one customer's door to another.
func inLine(a, b orders.Order) int {
	return cmp.Or(
		cmp.Compare(turn(&a), turn(&b)),
		a.Delivery.PickedUpAt.Compare(b.Delivery.PickedUpAt),
		a.Delivery.AssignedAt.Compare(b.Delivery.AssignedAt),
		cmp.Compare(a.ID, b.ID),
	)
}

func turn(o *orders.Order) int {
	switch {
	case o.Delivery.Status == orders.AtCustomer:
		return 0
	case o.Status == orders.OnDelivery:
		return 1
	case o.Delivery.Status == orders.AtMerchant:
		return 2
	}
	return 3
}

func (c *carried) set(o *orders.Order, merchant track.Place) {
	c.id, c.key = o.ID, keyOf(o.ID)
	c.phase, _, c.epoch = PhaseOf(o)
	c.facts = track.FactsOf(o, merchant)
	d := &o.Delivery
	from, nearby, arrived := d.AssignedAt, d.NearbyMerchantEpoch, d.ArrivedAtMerchantAt
	c.stop, c.place = orders.StopMerchant, merchant
	if c.phase == Riding {
		if d.PickedUpAt.After(from) {
			from = d.PickedUpAt
		}
		nearby, arrived = d.NearbyCustomerEpoch, d.ArrivedAtCustomerAt
		c.stop, c.place = orders.StopCustomer, c.facts.Customer
	}
	c.from = notBefore(from)
	told := uint32(0)
	switch {
	case !arrived.IsZero():
		told = bit(track.IsNearby) | bit(track.HasArrived)
	case nearby == d.Epoch:
		told = bit(track.IsNearby)
	}
	c.told.Store(told)
}

// notBefore is the first millisecond that is not before t: fixes have no finer time.
func notBefore(t time.Time) track.UnixMilli {
	return track.MilliOf(t.Add(time.Millisecond - time.Nanosecond))
}

// stopsBefore is where the courier goes before order i, each place once. What goes to one place is served together.
func (l *load) stopsBefore(i int) (ahead []track.Place) {
	c := &l.orders[i]
	if c.facts.Delivery == orders.AtMerchant {
		return nil // there it stands
	}
	for j := range i {
		o := &l.orders[j]
		if sameStop(o.place, c.place) {
			return o.ahead
		}
		if !slices.ContainsFunc(ahead, func(p track.Place) bool { return sameStop(o.place, p) }) {
			ahead = append(ahead, o.place)
		}
	}
	return ahead
}

func sameStop(p, q track.Place) bool { return p.Known() && q.Known() && p.To(q) < atTheSame }

// in reports whether a fix lies in the order's window, or on the way to its merchant.
func (c *carried) in(p *track.Point) bool { return p.At >= c.from && p.ReceivedAt >= c.from }

// within is the part of a history, by time, that lies there.
func (c *carried) within(history []track.Point) []track.Point {
	// No fix is received before its time, so the first whose time fits begins those whose both times fit.
	i := slices.IndexFunc(history, func(p track.Point) bool { return p.At >= c.from })
	if i < 0 {
		return nil
	}
	return history[i:]
}

// has reports whether an order is carried still, in the same epoch and phase.
func (l *load) has(id string, epoch int64, stop orders.Stop) bool {
	for i := range l.orders {
		if c := &l.orders[i]; c.id == id {
			return c.epoch == epoch && c.stop == stop
		}
	}
	return false
}
