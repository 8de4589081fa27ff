package orders

import (
	"crypto/subtle"
	"slices"
	"time"
)

const (
	// CourierReads is how long a courier may read an order it finished.
	CourierReads = 24 * time.Hour
	// TrackingLives is how long a tracking link outlives its order's end.
	TrackingLives = time.Hour
)

// Ownership is the part of an order that decides who may see it, so that a store can answer that without reading the
// whole document.
type Ownership struct {
	ID              string
	Seq             int64
	Status          Status
	Restaurant      string
	Customer        string
	Courier         string // "" = nobody
	ShownToMerchant bool
	Returning       bool      // the courier still carries the food back
	EndedAt         time.Time // zero while it runs
}

// Ownership is this order's part that decides who may see it.
func (o *Order) Ownership() Ownership {
	w := Ownership{
		ID: o.ID, Seq: o.Seq, Status: o.Status, Restaurant: o.Restaurant, Customer: o.Customer,
		ShownToMerchant: o.ShownToMerchant(), Returning: o.Delivery.Status == Returning, EndedAt: o.EndedAt,
	}
	if c := o.Delivery.Courier; c != nil {
		w.Courier = c.ID
	}
	return w
}

// VisibleTo reports whether the caller may know that the order exists. It is the one place where ownership is decided;
// what a role may then do with a visible order is the operation's matter.
func (w Ownership) VisibleTo(c Caller, now time.Time) bool {
	switch c.Role {
	case RoleOps, RolePayment:
		return true
	case RoleCustomer:
		return same(w.Customer, c.ID)
	case RoleMerchant:
		return w.Restaurant != "" && w.ShownToMerchant && slices.Contains(c.Restaurants, w.Restaurant)
	case RoleCourier:
		return w.Courier != "" && same(w.Courier, c.ID) &&
			(w.EndedAt.IsZero() || w.Returning || now.Before(w.EndedAt.Add(CourierReads)))
	case RoleTracker:
		return same(w.ID, c.OrderID) && (w.EndedAt.IsZero() || now.Before(w.EndedAt.Add(TrackingLives)))
	}
	return false
}

func same(a, b string) bool { return a != "" && subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }
