package orders_test

import (
	"testing"
	"time"

	"doorbell/orders"
)

// caller is an actor with what its token entitles it to.
func caller(a orders.Actor) orders.Caller {
	c := orders.Caller{Actor: a}
	switch a.Role {
	case orders.RoleMerchant:
		c.Restaurants = []string{"res_0", "res_1"}
	case orders.RoleTracker:
		c.OrderID = playID
	}
	return c
}

func TestVisibleTo(t *testing.T) {
	stranger := func(r orders.Role) orders.Caller {
		return orders.Caller{Actor: orders.Actor{Role: r, ID: "sub-stranger"}, Restaurants: []string{"res_2", ""}, OrderID: "ord_01996c2f-3a00-7abc-8def-0123456789ac"}
	}
	const day, hour = 24 * time.Hour, time.Hour
	onRoadCancelled := then(onDelivery, by(ops, orders.Cancel{Reason: orders.Admin}))
	for _, c := range []struct {
		name  string
		from  func(testing.TB) *play
		after time.Duration // since the order's last event
		who   orders.Caller
		sees  bool
	}{
		{"ops sees all", unpaid, 1000 * day, caller(ops), true},
		{"the payment provider sees all", timedOut, 1000 * day, caller(payer), true},
		{"the system asks nobody", paid, 0, caller(system), false},
		{"a role nobody knows sees nothing", paid, 0, orders.Caller{Actor: orders.Actor{Role: "admin", ID: customer.ID}}, false},
		{"no role sees nothing", paid, 0, orders.Caller{Actor: orders.Actor{ID: customer.ID}}, false},

		{"a customer sees its own", unpaid, 0, caller(customer), true},
		{"a customer sees its own for good", completed, 1000 * day, caller(customer), true},
		{"a customer sees no other's", unpaid, 0, stranger(orders.RoleCustomer), false},
		{"a customer's id is not a prefix", unpaid, 0, orders.Caller{Actor: orders.Actor{Role: orders.RoleCustomer, ID: "sub-custome"}}, false},

		{"a merchant does not see what is unpaid", unpaid, 0, caller(merchant), false},
		{"a merchant sees what is paid", paid, 0, caller(merchant), true},
		{"a merchant sees what is paid at the door", cashDue, 0, caller(merchant), true},
		{"a merchant sees what it was shown, for good", cancelled, 1000 * day, caller(merchant), true},
		{"a merchant never sees what ran out unpaid", timedOut, 0, caller(merchant), false},
		{"a merchant never sees what was cancelled unpaid", then(unpaid, (*play).ask), 0, caller(merchant), false},
		{"nor when the money came late", then(timedOut, by(payer, orders.Pay{Amount: 6000, TransactionID: "x"})), 0, caller(merchant), false},
		{"a merchant sees no other's", paid, 0, stranger(orders.RoleMerchant), false},
		{"a merchant without a restaurant sees nothing", paid, 0, orders.Caller{Actor: merchant}, false},

		{"a courier does not see what it does not carry", paid, 0, caller(rider), false},
		{"a courier sees what it is to fetch", assigned, 0, caller(rider), true},
		{"a courier sees no other's", assigned, 0, caller(rider2), false},
		{"a courier sees what it carries", onDelivery, 0, caller(rider), true},
		{"a courier who declined sees nothing", then(assigned, by(rider, orders.Unassign{})), 0, caller(rider), false},
		{"a courier who was replaced sees nothing", then(onDelivery, by(ops, orders.Assign{Courier: orders.Courier{ID: rider2.ID}})), 0, caller(rider), false},
		{"the one who replaced it does", then(onDelivery, by(ops, orders.Assign{Courier: orders.Courier{ID: rider2.ID}})), 0, caller(rider2), true},
		{"a courier reads what it finished for 23:59", completed, day - time.Minute, caller(rider), true},
		{"but not at 24:00", completed, day, caller(rider), false},
		{"nor at 24:01", completed, day + time.Minute, caller(rider), false},
		{"a courier who returns the food sees it longer", failing, day + time.Minute, caller(rider), true},
		{"so does one whose order was cancelled on the road", onRoadCancelled, day + time.Minute, caller(rider), true},
		{"until it is back", then(then(failing, after(day+time.Minute)), by(rider, orders.ReturnMade{})), 0, caller(rider), false},
		{"another courier does not see it return", failing, 0, caller(rider2), false},

		{"a link shows its order", unpaid, 0, caller(tracker), true},
		{"a link shows no other order", unpaid, 0, stranger(orders.RoleTracker), false},
		{"a link without an order shows nothing", unpaid, 0, orders.Caller{Actor: tracker}, false},
		{"a link shows a long order", onDelivery, 23 * hour, caller(tracker), true},
		{"a link shows the end for 59 minutes", completed, hour - time.Minute, caller(tracker), true},
		{"a link is dead an hour after", completed, hour, caller(tracker), false},
		{"a link is dead an hour after a cancellation", cancelled, hour, caller(tracker), false},
		{"a link does not live on with the return", failing, hour, caller(tracker), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := c.from(t)
			if got := g.o.Ownership().VisibleTo(c.who, g.now.Add(c.after)); got != c.sees {
				t.Errorf("sees it: %v", got)
			}
		})
	}
}

// Whoever forgets to fill in an id gets nothing, instead of everything that has none either.
func TestEmptyIDsNeverMatch(t *testing.T) {
	w := orders.Ownership{ShownToMerchant: true}
	for _, c := range []orders.Caller{
		{Actor: orders.Actor{Role: orders.RoleCustomer}},
		{Actor: orders.Actor{Role: orders.RoleMerchant}},
		{Actor: orders.Actor{Role: orders.RoleMerchant}, Restaurants: []string{""}},
		{Actor: orders.Actor{Role: orders.RoleCourier}},
		{Actor: orders.Actor{Role: orders.RoleTracker}},
	} {
		if w.VisibleTo(c, t0) {
			t.Errorf("%s %q sees an order of nobody", c.Role, c.Restaurants)
		}
	}
}

func TestOwnership(t *testing.T) {
	g := failing(t)
	want := orders.Ownership{
		ID: playID, Seq: g.o.Seq, Status: orders.Failed, Restaurant: "res_1", Customer: customer.ID, Courier: rider.ID,
		ShownToMerchant: true, Returning: true, EndedAt: g.now,
	}
	if got := g.o.Ownership(); got != want {
		t.Errorf("%+v", got)
	}
}
