package track

import (
	"time"

	"doorbell/orders"
)

// OfOrders has an Estimator speak of orders by what they know themselves, as orders.Policy and those who show orders want
// it. Where the courier is follows from the order's state: at the merchant's, on the way since the pick-up, near, at the
// door.
type OfOrders struct{ Estimator Estimator }

var _ orders.Estimator = OfOrders{}

// Estimate implements orders.Estimator.
func (e OfOrders) Estimate(o *orders.Order, now time.Time) (orders.ETA, bool) {
	eta, ok := e.Estimator.Estimate(FactsOf(o, Place{}), now)
	return orders.ETA(eta), ok
}

// FactsOf are the facts that the order itself knows. merchant is for orders from before they kept the place themselves;
// zero: it is not known.
func FactsOf(o *orders.Order, merchant Place) Facts {
	d := &o.Delivery
	f := Facts{
		Status: o.Status, Delivery: d.Status, PrepMinutes: o.PrepMinutes, PrepFrom: o.PrepFrom, ReadyAt: o.ReadyAt,
		PickedUpAt: d.PickedUpAt, AtCustomerAt: d.ArrivedAtCustomerAt,
		Merchant: Place(o.RestaurantPlace), Customer: Place{o.Address.Lat, o.Address.Lon},
	}
	if !f.Merchant.known() {
		f.Merchant = merchant
	}
	if d.Courier == nil {
		return f
	}
	f.AssignedAt, f.Vehicle = d.AssignedAt, d.Courier.Vehicle
	told := d.NearbyMerchantEpoch
	if o.Status == orders.OnDelivery {
		told = d.NearbyCustomerEpoch
	}
	if told == d.Epoch {
		f.NearbyAt = d.NearbyAt
	}
	return f
}
