package track

import (
	"time"

	"doorbell/orders"
)

// Estimator says when an order's food will be there. It is a function of its arguments and safe for concurrent use: a
// learned model takes the place of Formula without a change elsewhere. Positions ask it with where the courier is, events
// and reads of an order through OfOrders.
type Estimator interface {
	// Estimate returns false where nothing can be said: before the confirmation and after the end.
	Estimate(f Facts, now time.Time) (Estimate, bool)
}

var _ Estimator = Formula{}

// Estimate is when the food will be there. Earliest ≤ At ≤ Latest; all of them at least a minute from now, since the food
// is not there yet.
type Estimate struct{ At, Earliest, Latest time.Time }

// Facts are what an estimate is made from. Zero times and places are unknown.
type Facts struct {
	Status       orders.Status
	Delivery     orders.DeliveryStatus
	PrepMinutes  int       // the merchant's word,
	PrepFrom     time.Time // and when it was given
	ReadyAt      time.Time // when the food was ready; zero while it is not
	AssignedAt   time.Time // when the courier who has the order now was given it
	NearbyAt     time.Time // when this courier came near its next stop; zero while it has not
	PickedUpAt   time.Time
	AtCustomerAt time.Time

	Merchant, Customer Place
	Courier            Place     // its last fix; zero: none, or nobody assigned
	CourierAt          time.Time // the fix's time
	Vehicle            string    // orders.Courier.Vehicle
	Pace               float64   // m/s, State.Pace; 0 = unknown
	Ahead              []Place   // the stops that the courier makes before this order's next one, in order

	// Low and High are how estimates of this merchant at this hour turned out: the time that it really took over the
	// time foretold, at a low and a high quantile. 0 = DefaultLow, DefaultHigh.
	Low, High float64
}

// Place is where something is, in WGS-84 degrees; the zero Place is unknown.
type Place struct{ Lat, Lon float64 }

// Formula is the first estimator, without a map: what is left of the kitchen's work or of the courier's way there, whichever is
// longer, then the way to the customer, then the door.
type Formula struct{}

const (
	// detour is how much longer streets are than the line between two places.
	detour = 1.4

	doorLeast = 2 * time.Minute // from the kerb to the hand-over: gate, lift, stairs
	doorUsual = 3 * time.Minute
	doorMost  = 4 * time.Minute

	toMerchantUnknown = 5 * time.Minute  // from the assignment, of a courier that does not tell where it is; or nobody yet
	routeUnknown      = 10 * time.Minute // no place to ride to
	whileNearby       = 2 * time.Minute  // what the geofence calls nearby, see DefaultLimits

	// least is the shortest time that is said while the food is not there.
	least = time.Minute

	DefaultLow  = 0.8
	DefaultHigh = 1.4
)

// Estimate implements Estimator. What depends on the courier counts from its fix or from the last thing it did, not from
// now: while nothing comes, the estimate stands still instead of moving away.
func (Formula) Estimate(f Facts, now time.Time) (Estimate, bool) {
	if f.Status.Final() || f.Status == orders.Pending || f.Status == "" {
		return Estimate{}, false
	}
	low, high := f.Low, f.High
	if !(low > 0 && low <= 1) {
		low = DefaultLow
	}
	if !(high >= 1) {
		high = DefaultHigh
	}
	left, from, soonest := max(f.atCustomer(now).Sub(now), 0), f.atDoor(now), now.Add(least)
	return Estimate{
		At:       later(from.Add(left+doorUsual), soonest),
		Earliest: later(from.Add(scale(left, low)+doorLeast), soonest),
		Latest:   later(from.Add(scale(left, high)+doorMost), soonest),
	}, true
}

func scale(d time.Duration, by float64) time.Duration { return time.Duration(float64(d) * by) }

// atDoor is since when the courier is at the door, now if it is not.
func (f *Facts) atDoor(now time.Time) time.Time {
	if f.Delivery == orders.AtCustomer {
		return past(f.AtCustomerAt, now)
	}
	return now
}

// atCustomer is when the courier is, or was, at the customer's.
func (f *Facts) atCustomer(now time.Time) time.Time {
	if f.Status != orders.OnDelivery {
		return later(f.ready(now), f.atMerchant(now)).Add(f.ride(f.Merchant, f.Customer, nil, routeUnknown))
	}
	switch {
	case f.Delivery == orders.AtCustomer:
		return now
	case f.Courier.known():
		return past(f.CourierAt, now).Add(f.ride(f.Courier, f.Customer, f.Ahead, routeUnknown))
	case !f.NearbyAt.IsZero():
		return f.NearbyAt.Add(whileNearby)
	}
	leaves := past(later(f.PickedUpAt, f.AssignedAt), now) // who took over on the way may be anywhere on it
	if f.Delivery == orders.Unassigned {
		leaves = now.Add(toMerchantUnknown)
	}
	return leaves.Add(f.ride(f.Merchant, f.Customer, nil, routeUnknown))
}

// ready is when the food is ready. A kitchen that is late is believed to be a minute from the end.
func (f *Facts) ready(now time.Time) time.Time {
	if !f.ReadyAt.IsZero() {
		return now
	}
	return later(f.PrepFrom.Add(time.Duration(f.PrepMinutes)*time.Minute), now.Add(least))
}

// atMerchant is when the courier is at the merchant's.
func (f *Facts) atMerchant(now time.Time) time.Time {
	switch {
	case f.Delivery == orders.AtMerchant:
		return now
	case f.Delivery != orders.Assigned:
		return now.Add(toMerchantUnknown)
	case f.Courier.known() && f.Merchant.known():
		return later(now, past(f.CourierAt, now).Add(f.ride(f.Courier, f.Merchant, f.Ahead, toMerchantUnknown)))
	case !f.NearbyAt.IsZero():
		return later(now, f.NearbyAt.Add(whileNearby))
	}
	return later(now, past(f.AssignedAt, now).Add(toMerchantUnknown))
}

// ride is how long the courier rides from one place to another by way of others, with the hand-over at each of those.
func (f *Facts) ride(from, to Place, via []Place, unknown time.Duration) time.Duration {
	if !from.known() || !to.known() {
		return unknown
	}
	metres, doors := 0.0, 0
	for _, p := range via {
		doors++
		if p.known() {
			metres += from.to(p)
			from = p
		}
	}
	metres += from.to(to)
	seconds := metres * detour / RideSpeed(f.Vehicle, f.Pace)
	return time.Duration(seconds*float64(time.Second)) + time.Duration(doors)*doorUsual
}

func (p Place) known() bool { return OnEarth(p.Lat, p.Lon) }

func (p Place) to(q Place) float64 { return Distance(p.Lat, p.Lon, q.Lat, q.Lon) }

func later(t, u time.Time) time.Time {
	if t.After(u) {
		return t
	}
	return u
}

// past is t where that is known and not after now, else now.
func past(t, now time.Time) time.Time {
	if t.IsZero() || t.After(now) {
		return now
	}
	return t
}
