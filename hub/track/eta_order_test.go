package track_test

import (
	"encoding/json"
	"math"
	"strconv"
	"testing"
	"time"

	"doorbell/hub/track"
	"doorbell/orders"
)

var arrivals orders.Estimator = track.OfOrders{Estimator: track.Formula{}}

// foretelling is the state machine with the formula.
var foretelling = func() orders.Policy {
	p := orders.DefaultPolicy
	p.Estimator = arrivals
	return p
}()

var (
	asCustomer = orders.Actor{Role: orders.RoleCustomer, ID: "cus_1"}
	asMerchant = orders.Actor{Role: orders.RoleMerchant, ID: "mer_1"}
	asCourier  = orders.Actor{Role: orders.RoleCourier, ID: "cou_1"}
	asOps      = orders.Actor{Role: orders.RoleOps, ID: "ops_1"}
)

// meal is an order for home at a merchant 1,500 m north of it, seven minutes of a ride on an unnamed vehicle.
func meal() orders.Create {
	shop := north(1500)
	return orders.Create{
		ID: "ord_01996c2f-3a00-7abc-8def-0123456789ab", Restaurant: orders.Restaurant{ID: "res_1", Lat: shop.Lat, Lon: shop.Lon}, Method: orders.Cash,
		Items: []orders.Item{{ItemID: "a", Name: "A", Quantity: 1, UnitPrice: 100}}, Address: orders.Address{Lat: homeLat, Lon: homeLon},
	}
}

// none is nothing to say.
const none = 0

// step is what happens to an order, or only a look at it where do is nil, and what is said of its arrival then.
type step struct {
	at   float64 // minutes past noon
	by   orders.Actor
	do   orders.Command
	want float64 // minutes past noon; none
}

// The formula through the state machine: what each event tells, and what a read tells between events.
func TestFormula_OrderOnItsWay(t *testing.T) {
	assign := orders.Assign{Courier: orders.Courier{ID: "cou_1"}}
	for name, steps := range map[string][]step{
		"TheUsualWay": {
			{-1, asCustomer, meal(), none},
			{0, asMerchant, orders.Confirm{PrepMinutes: 20}, 30}, // 20 the kitchen, 7 the ride, 3 the door
			{2, asMerchant, orders.Prepare{}, 30},
			{5, asOps, assign, 30},
			{10, asMerchant, orders.Delay{PrepMinutes: 15}, 35},
			{12, orders.System, orders.Nearby{}, 35},
			{13, asCourier, orders.Arrive{}, 35},
			{20, asMerchant, orders.Ready{}, 30}, // sooner than was said
			{20.4, asCustomer, nil, 30},
			{21.5, asCourier, orders.Pickup{}, 31}, // 31.5, but put off by whole minutes
			{23, asCourier, orders.ReportProblem{Type: "TRAFFIC"}, 31},
			{25, asCustomer, nil, 31},
			{26.5, orders.System, orders.Nearby{}, 31}, // two minutes away
			{27, asCourier, orders.Arrive{}, 30},
			{29.5, asCustomer, nil, 30},
			{31.5, asCustomer, nil, 32}, // never over
			{32, asCourier, orders.Hand{}, none},
			{33, asCustomer, nil, none},
		},
		"NobodyComesForIt": {
			{-1, asCustomer, meal(), none},
			{0, asMerchant, orders.Confirm{PrepMinutes: 2}, 15}, // five minutes to the merchant
			{2, asMerchant, orders.Ready{}, 17},
			{2.9, asCustomer, nil, 17},
			{4.5, asCustomer, nil, 19},
			{5, asOps, assign, 20},
			{8, asCustomer, nil, 20},
			{9.5, asCustomer, nil, 20},
			{12.5, asCustomer, nil, 22}, // it should be there by now
			{13, orders.System, orders.Nearby{}, 25},
			{14, asCourier, orders.Arrive{}, 24},
		},
		"TheKitchenIsLate": {
			{-1, asCustomer, meal(), none},
			{0, asMerchant, orders.Confirm{PrepMinutes: 20}, 30},
			{1, asOps, assign, 30},
			{10, asCourier, orders.Arrive{}, 30},
			{18, asCustomer, nil, 30},
			{22.5, asCustomer, nil, 33}, // a minute from the end, it is believed
			{25, asMerchant, orders.Prepare{}, 36},
		},
		"TheCourierIsReplacedOnTheWay": {
			{-1, asCustomer, meal(), none},
			{0, asMerchant, orders.Confirm{PrepMinutes: 5}, 15},
			{1, asOps, assign, 16},
			{5, asCourier, orders.Pickup{}, 15},
			{14.5, asCustomer, nil, 17},
			{20, asOps, orders.Unassign{}, 35},
			{24, asOps, orders.Assign{Courier: orders.Courier{ID: "cou_2", Vehicle: "foot"}}, 38}, // 38.7 by whole minutes
		},
		"Refused":   {{-1, asCustomer, meal(), none}, {0, asMerchant, orders.Reject{Reason: orders.StoreBusy}, none}},
		"Cancelled": {{-1, asCustomer, meal(), none}, {0, asMerchant, orders.Confirm{PrepMinutes: 5}, 15}, {0.5, asCustomer, orders.Cancel{Reason: orders.CustomerCancelled}, none}},
		"Failed": {
			{-1, asCustomer, meal(), none}, {0, asMerchant, orders.Confirm{PrepMinutes: 5}, 15}, {1, asOps, assign, 16}, {5, asCourier, orders.Pickup{}, 15},
			{9, asOps, orders.Fail{Reason: orders.Damaged}, none}, {12, asCustomer, nil, none},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var o orders.Order
			for i, s := range steps {
				now := minute(s.at)
				eta, left := o.ETA(arrivals, now), o.EstimatedMinutes(o.ETA(arrivals, now), now)
				if s.do != nil {
					next, evs, err := foretelling.Apply(o, s.do, s.by, now)
					if err != nil || len(evs) == 0 {
						t.Fatalf("step %d: %d events, %v", i, len(evs), err)
					}
					o = next
					eta, left = foretold(t, evs[len(evs)-1])
				}
				if !isAbout(eta.At, s.want) || s.want != none && left != int(math.Ceil(eta.At.Sub(now).Minutes())) || s.want == none && left != 0 {
					t.Errorf("at %v: %v past noon, %d minutes left; want %v", s.at, eta.At.Sub(noon), left, s.want)
				}
			}
		})
	}
}

// isAbout: to the second, since a metre is not exact.
func isAbout(at time.Time, want float64) bool {
	if want == none {
		return at.IsZero()
	}
	return at.Sub(minute(want)).Abs() <= time.Second
}

// foretold is what an event's envelope says of the arrival.
func foretold(t *testing.T, e orders.Event) (orders.ETA, int) {
	t.Helper()
	var v struct {
		Payload struct {
			EstimatedTime                 int
			EtaAt, EtaEarliest, EtaLatest time.Time
		}
	}
	if err := json.Unmarshal(e.Envelope, &v); err != nil {
		t.Fatal(err)
	}
	p := v.Payload
	return orders.ETA{At: p.EtaAt, Earliest: p.EtaEarliest, Latest: p.EtaLatest}, p.EstimatedTime
}

// The range, and an order from before it kept the place of its restaurant.
func TestFormula_OrderRange(t *testing.T) {
	for name, c := range map[string]struct {
		change               func(*orders.Order)
		earliest, at, latest float64
	}{
		"Range":            {func(*orders.Order) {}, 0.8*27 + 2, 27 + 3, 1.4*27 + 4},
		"NoPlaceWasKept":   {func(o *orders.Order) { o.RestaurantPlace = orders.Place{} }, 0.8*30 + 2, 30 + 3, 1.4*30 + 4},
		"NoPlaceToRideTo":  {func(o *orders.Order) { o.Address.Lat, o.Address.Lon = 0, 0 }, 0.8*30 + 2, 30 + 3, 1.4*30 + 4},
		"NextDoor":         {func(o *orders.Order) { o.Address.Lat, o.Address.Lon = o.RestaurantPlace.Lat, o.RestaurantPlace.Lon }, 0.8*20 + 2, 20 + 3, 1.4*20 + 4},
		"KitchenOfMinutes": {func(o *orders.Order) { o.PrepMinutes, o.PrepFrom = 6, minute(-5.9) }, 0.8*12 + 2, 12 + 3, 1.4*12 + 4},
	} {
		o, _, err := foretelling.Apply(orders.Order{}, meal(), asCustomer, minute(-1))
		if err != nil {
			t.Fatal(err)
		}
		o.Status, o.PrepMinutes, o.PrepFrom = orders.Confirmed, 20, noon
		c.change(&o)
		eta := o.ETA(arrivals, noon)
		if !isAbout(eta.Earliest, c.earliest) || !isAbout(eta.At, c.at) || !isAbout(eta.Latest, c.latest) {
			t.Errorf("%s: %v, %v, %v", name, eta.Earliest.Sub(noon), eta.At.Sub(noon), eta.Latest.Sub(noon))
		}
	}
}

// BenchmarkTransition is orders.BenchmarkApply's transition, with and without the formula. Target: 5 µs.
func BenchmarkTransition(b *testing.B) {
	c := meal()
	c.Items = nil
	for i := range 6 {
		c.Items = append(c.Items, orders.Item{ItemID: "item_" + strconv.Itoa(i), Name: "Dish number " + strconv.Itoa(i), Quantity: 1, UnitPrice: 1800})
	}
	o, _, err := foretelling.Apply(orders.Order{}, c, asCustomer, minute(-1))
	for _, s := range []step{{by: asMerchant, do: orders.Confirm{PrepMinutes: 20}}, {by: asMerchant, do: orders.Prepare{}}, {by: asOps, do: orders.Assign{Courier: orders.Courier{ID: "cou_1", Name: "Li", Vehicle: "bike"}}}} {
		if err == nil {
			o, _, err = foretelling.Apply(o, s.do, s.by, noon)
		}
	}
	if err != nil {
		b.Fatal(err)
	}
	for len(o.Timeline) < 8 {
		o.Seq++
		o.Timeline = append(o.Timeline, o.Timeline[len(o.Timeline)-1])
	}
	for name, p := range map[string]orders.Policy{"plain": orders.DefaultPolicy, "foretelling": foretelling} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, _, _ = p.Apply(o, orders.Pickup{}, asCourier, noon)
			}
		})
	}
	b.Run("read", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_ = o.ETA(arrivals, noon)
		}
	})
}
