package orders_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"doorbell/orders"
)

// The people of the tests. Their ids are words that occur nowhere else, so a leak is found by searching for them.
var (
	customer = orders.Actor{Role: orders.RoleCustomer, ID: "sub-customer"}
	merchant = orders.Actor{Role: orders.RoleMerchant, ID: "sub-merchant"}
	payer    = orders.Actor{Role: orders.RolePayment, ID: "sub-payment"}
	ops      = orders.Actor{Role: orders.RoleOps, ID: "sub-ops"}
	tracker  = orders.Actor{Role: orders.RoleTracker, ID: "sub-tracker"}
	rider    = orders.Actor{Role: orders.RoleCourier, ID: "cou_1"}
	rider2   = orders.Actor{Role: orders.RoleCourier, ID: "cou_2"}
	system   = orders.System

	everybody = []orders.Actor{customer, merchant, payer, ops, tracker, rider, rider2, system}
)

const (
	playID = "ord_01996c2f-3a00-7abc-8def-0123456789ab"
	us     = time.Microsecond
)

var (
	t0      = time.Date(2025, 9, 21, 11, 0, 0, 0, time.UTC)
	pol     = orders.DefaultPolicy
	courier = orders.Courier{ID: rider.ID, Name: "Li", Vehicle: "BIKE", Phone: "phone-of-courier"}
)

// order6000 is an order of three lines over 60.00, paid through WeChat.
func order6000() orders.Create {
	return orders.Create{
		ID:         playID,
		Restaurant: orders.Restaurant{ID: "res_1", Name: "Noodles", Lat: 31.2304, Lon: 121.4737, OpenPricing: true},
		Items: []orders.Item{
			{ItemID: "rice", Name: "Rice", Quantity: 2, UnitPrice: 1500, Note: "note-of-line"},
			{ItemID: "soup", Name: "Soup", Quantity: 1, UnitPrice: 2200},
			{ItemID: "tea", Name: "Tea", Quantity: 1, UnitPrice: 800},
		},
		Method:   orders.WeChat,
		Address:  orders.Address{Line: "line-of-address", Lat: 31.231, Lon: 121.475, Name: "name-of-customer", Phone: "phone-of-customer"},
		PIN:      "pin-of-order",
		TrackKey: []byte("0123456789abcdef"),
	}
}

// play is one order on its way: every step is a real command.
type play struct {
	testing.TB
	o   orders.Order
	now time.Time
	evs []orders.Event // of the last step
}

// place starts a play with row 1.
func place(t testing.TB, change ...func(*orders.Create)) *play {
	t.Helper()
	c := order6000()
	for _, f := range change {
		f(&c)
	}
	return (&play{TB: t, now: t0}).do(customer, c)
}

func cash(c *orders.Create)       { c.Method = orders.Cash }
func autoAccept(c *orders.Create) { c.Restaurant.AutoAccept = true }
func oneLine(c *orders.Create)    { c.Items = c.Items[:1] }
func soldOut(p orders.SoldOutPolicy) func(*orders.Create) {
	return func(c *orders.Create) { c.SoldOutPolicy = p }
}
func proof(p orders.Proof) func(*orders.Create) {
	return func(c *orders.Create) { c.Restaurant.Proof = p }
}

// try applies a command and keeps nothing. It fails the test where Apply changed what it was given.
func (g *play) try(by orders.Actor, c orders.Command) (orders.Order, []orders.Event, error) {
	g.Helper()
	before := asJSON(g, g.o)
	next, evs, err := pol.Apply(g.o, c, by, g.now)
	if after := asJSON(g, g.o); after != before {
		g.Fatalf("%s changed the order it was given:\n%s\n%s", c.Action(), before, after)
	}
	return next, evs, err
}

// do applies a command that must succeed.
func (g *play) do(by orders.Actor, c orders.Command) *play {
	g.Helper()
	next, evs, err := g.try(by, c)
	if err != nil {
		g.Fatalf("%s by %s: %v", c.Action(), by.Role, err)
	}
	g.o, g.evs = next, evs
	return g
}

// wait lets time pass.
func (g *play) wait(d time.Duration) *play { g.now = g.now.Add(d); return g }

// at sets the clock.
func (g *play) at(t time.Time) *play { g.now = t; return g }

// The steps of the happy way and the states beside it.
func (g *play) pay() *play {
	return g.do(payer, orders.Pay{Amount: g.o.Total, TransactionID: "tx_1"})
}
func (g *play) confirm() *play { return g.do(merchant, orders.Confirm{PrepMinutes: 20}) }
func (g *play) prepare() *play { return g.do(merchant, orders.Prepare{}) }
func (g *play) ready() *play   { return g.do(merchant, orders.Ready{}) }
func (g *play) assign() *play  { return g.do(ops, orders.Assign{Courier: courier}) }
func (g *play) arrive() *play  { return g.do(rider, orders.Arrive{}) }
func (g *play) pickup() *play  { return g.do(rider, orders.Pickup{}) }
func (g *play) amend() *play {
	return g.do(merchant, orders.Amend{ItemID: "soup", Change: orders.ChangeRemove})
}
func (g *play) ask() *play {
	return g.do(customer, orders.Cancel{Reason: orders.CustomerCancelled})
}

func unpaid(t testing.TB) *play     { return place(t) }
func paid(t testing.TB) *play       { return place(t).wait(time.Minute).pay() }
func cashDue(t testing.TB) *play    { return place(t, cash) }
func confirmed(t testing.TB) *play  { return paid(t).wait(time.Minute).confirm() }
func preparing(t testing.TB) *play  { return confirmed(t).wait(time.Minute).prepare() }
func ready(t testing.TB) *play      { return preparing(t).wait(10 * time.Minute).ready() }
func amending(t testing.TB) *play   { return paid(t).wait(time.Minute).amend() }
func asking(t testing.TB) *play     { return preparing(t).wait(2 * time.Minute).ask() }
func assigned(t testing.TB) *play   { return preparing(t).wait(time.Minute).assign() }
func atMerchant(t testing.TB) *play { return assigned(t).wait(time.Minute).arrive() }
func onDelivery(t testing.TB) *play { return atMerchant(t).wait(time.Minute).pickup() }
func atCustomer(t testing.TB) *play { return onDelivery(t).wait(5 * time.Minute).arrive() }
func completed(t testing.TB) *play {
	return atCustomer(t).wait(time.Minute).do(rider, orders.Hand{PhotoRef: "photo-of-door"})
}
func cancelled(t testing.TB) *play { return paid(t).wait(time.Minute).ask() }
func timedOut(t testing.TB) *play {
	return unpaid(t).wait(pol.PayBy).do(system, orders.Tick{})
}
func waitedAtDoor(t testing.TB) *play {
	return atCustomer(t).wait(time.Minute).do(rider, orders.ReportProblem{Type: orders.ContactAttempt, Note: "note-of-problem"}).
		wait(pol.ContactWait)
}
func failing(t testing.TB) *play {
	return waitedAtDoor(t).do(rider, orders.Fail{Reason: orders.CustomerUnreachable})
}

// all names every starting state.
var all = map[string]func(testing.TB) *play{
	"unpaid": unpaid, "paid": paid, "cash": cashDue, "confirmed": confirmed, "preparing": preparing, "ready": ready,
	"amending": amending, "asking": asking, "assigned": assigned, "at merchant": atMerchant, "on delivery": onDelivery,
	"at customer": atCustomer, "completed": completed, "cancelled": cancelled, "timed out": timedOut,
	"waited at door": waitedAtDoor, "failed": failing,
}

func asJSON(t interface{ Fatal(...any) }, v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func types(evs []orders.Event) []orders.EventType {
	out := make([]orders.EventType, 0, len(evs))
	for _, e := range evs {
		out = append(out, e.Type)
	}
	return out
}

// refusal is err as INVALID_TRANSITION, nil for anything else.
func refusal(err error) *orders.Error {
	var e *orders.Error
	if errors.As(err, &e) && e.Kind == orders.Conflict && e.Code == orders.CodeInvalidTransition {
		return e
	}
	return nil
}

// meant turns an allowed action (a path segment) into commands with good contents that it may stand for.
func meant(o *orders.Order, by orders.Actor, segment string) []orders.Command {
	if strings.HasPrefix(segment, "amendments/") {
		n := o.Amendment.N
		if strings.HasSuffix(segment, "/accept") {
			return []orders.Command{orders.AcceptAmendment{N: n}}
		}
		return []orders.Command{orders.RejectAmendment{N: n}}
	}
	switch segment {
	case "pay":
		return []orders.Command{orders.Pay{Amount: o.Total, TransactionID: "tx_meant"}}
	case "refunds":
		return []orders.Command{orders.RefundMade{Amount: max(1, o.Payment.RefundDue), Reason: "GOODWILL"}}
	case "confirm":
		return []orders.Command{orders.Confirm{PrepMinutes: 20}}
	case "reject":
		return []orders.Command{orders.Reject{Reason: orders.StoreBusy}}
	case "prepare":
		return []orders.Command{orders.Prepare{}}
	case "delay":
		return []orders.Command{orders.Delay{PrepMinutes: 33}}
	case "ready":
		return []orders.Command{orders.Ready{}}
	case "amendments":
		return []orders.Command{orders.Amend{ItemID: o.Items[0].ItemID, Change: orders.ChangeRemove}}
	case "cancel":
		return []orders.Command{orders.Cancel{Reason: orders.Duplicate}}
	case "cancellation/approve":
		return []orders.Command{orders.ApproveCancellation{}}
	case "cancellation/deny":
		return []orders.Command{orders.DenyCancellation{}}
	case "courier": // PUT and DELETE
		if by.Role == orders.RoleOps {
			return []orders.Command{orders.Assign{Courier: orders.Courier{ID: "cou_9"}}, orders.Unassign{}}
		}
		return []orders.Command{orders.Unassign{}}
	case "arrive":
		return []orders.Command{orders.Arrive{}}
	case "pickup":
		return []orders.Command{orders.Pickup{}}
	case "deliver":
		return []orders.Command{orders.Hand{PIN: o.PIN, PhotoRef: "photo"}}
	case "problem":
		return []orders.Command{orders.ReportProblem{Type: "TRAFFIC"}}
	case "fail":
		return []orders.Command{orders.Fail{Reason: orders.Damaged}}
	case "returned":
		return []orders.Command{orders.ReturnMade{}}
	}
	return nil
}

// segments is every word that AllowedActions may use, the amendment's number left to the order.
var segments = []string{
	"pay", "refunds", "confirm", "reject", "prepare", "delay", "ready", "amendments", "amendments/accept", "amendments/reject",
	"cancel", "cancellation/approve", "cancellation/deny", "courier", "arrive", "pickup", "deliver", "problem", "fail", "returned",
}

// truthful checks a list of allowed actions against what the actor may in fact do now: what is listed works, what is
// not listed changes nothing.
func truthful(t interface {
	Helper()
	Fatal(...any)
	Fatalf(string, ...any)
}, o *orders.Order, by orders.Actor, now time.Time, listed []string) {
	t.Helper()
	if listed == nil {
		t.Fatal("allowed actions are nil, not an empty list")
	}
	for _, s := range listed {
		works := false
		for _, c := range meant(o, by, s) {
			_, _, err := pol.Apply(*o, c, by, now)
			works = works || err == nil || orders.KindOf(err) == orders.Unprocessable // a limit, a locked PIN
		}
		if !works {
			t.Fatalf("%s may %q an order in %s/%s/%s, says the list %q, but is refused", by.Role, s, o.Status, o.Payment.Status, o.Delivery.Status, listed)
		}
	}
	for _, s := range segments {
		name := s
		if strings.HasPrefix(s, "amendments/") {
			if o.Amendment == nil {
				continue
			}
			name = strings.Replace(s, "/", "/"+strconv.Itoa(o.Amendment.N)+"/", 1)
		}
		if slices.Contains(listed, name) || s == "pay" { // a late payment is taken, but not asked for
			continue
		}
		for _, c := range meant(o, by, s) {
			if _, evs, err := pol.Apply(*o, c, by, now); err == nil && len(evs) > 0 {
				t.Fatalf("%s can %q an order in %s/%s/%s, which the list %q does not say", by.Role, s, o.Status, o.Payment.Status, o.Delivery.Status, listed)
			}
		}
	}
}
