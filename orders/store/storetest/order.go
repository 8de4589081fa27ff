package storetest

import (
	"fmt"
	"testing"
	"time"

	"doorbell/orders"
)

// Start is when the suite's orders are placed. It has microseconds, as the service's clock has.
var Start = time.Date(2026, 3, 14, 11, 59, 58, 123_456_000, time.UTC)

// Actors of the suite's orders.
var (
	Payer = orders.Actor{Role: orders.RolePayment, ID: "pay_1"}
	Ops   = orders.Actor{Role: orders.RoleOps, ID: "ops_1"}
)

// Merchant is the restaurant's person.
func Merchant() orders.Actor { return orders.Actor{Role: orders.RoleMerchant, ID: "mer_1"} }

// Draft says how an order is placed. Zero fields have a value of their own.
type Draft struct {
	ID         string
	Customer   string
	Restaurant string
	Method     orders.PaymentMethod
	Proof      orders.Proof
	At         time.Time
}

// Place makes a new order of six lines by the state machine, with its first events.
func Place(t testing.TB, d Draft) (orders.Order, []orders.Event) {
	t.Helper()
	if d.At.IsZero() {
		d.At = Start
	}
	if d.ID == "" {
		d.ID = orders.NewID(d.At)
	}
	if d.Customer == "" {
		d.Customer = "cus_1"
	}
	if d.Restaurant == "" {
		d.Restaurant = "res_1"
	}
	if d.Method == "" {
		d.Method = orders.WeChat
	}
	var items []orders.Item
	for i := range 6 {
		items = append(items, orders.Item{
			ItemID: fmt.Sprintf("itm_%d", i), Name: "酸菜鱼 sour fish", Quantity: 1 + i%2, UnitPrice: 1800 + int64(i),
		})
	}
	return Apply(t, orders.Order{}, orders.Create{
		ID: d.ID, Restaurant: orders.Restaurant{ID: d.Restaurant, OpenPricing: true, Proof: d.Proof}, Client: "app",
		Items: items, Method: d.Method, TrackKey: make([]byte, 16), PIN: "1234",
		Address: orders.Address{Line: "12 Nanjing Road, gate 3, floor 21", Lat: 31.23, Lon: 121.47, Name: "Li Wei",
			Phone: "+86 21 5555 0101"},
	}, orders.Actor{Role: orders.RoleCustomer, ID: d.Customer}, d.At)
}

// Apply is one step of the state machine, which must take it.
func Apply(t testing.TB, o orders.Order, c orders.Command, by orders.Actor, now time.Time) (orders.Order, []orders.Event) {
	t.Helper()
	next, events, err := orders.DefaultPolicy.Apply(o, c, by, now)
	if err != nil {
		t.Fatalf("%s: %v", c.Action(), err)
	}
	return next, events
}

// Change is the commit that brings base to next.
func Change(base, next orders.Order, events []orders.Event) orders.Commit {
	return orders.Commit{
		Order: next, BaseSeq: base.Seq, BaseChange: base.ChangeID, Events: events,
		DueChanged: !next.Due().Equal(base.Due()),
	}
}
