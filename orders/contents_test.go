package orders_test

import (
	"bytes"
	"strings"
	"testing"

	"doorbell/orders"
)

func TestCreateRefuses(t *testing.T) {
	items := func(n int) (out []orders.Item) {
		for range n {
			out = append(out, orders.Item{ItemID: "a", Name: "A", Quantity: 1, UnitPrice: 1})
		}
		return out
	}
	line := func(quantity int, price int64) func(*orders.Create) {
		return func(c *orders.Create) {
			c.Items = []orders.Item{{ItemID: "a", Name: "A", Quantity: 1, UnitPrice: 1}, {ItemID: "b", Name: "B", Quantity: quantity, UnitPrice: price}}
		}
	}
	for _, c := range []struct {
		name    string
		change  func(*orders.Create)
		pointer string // "" = it is taken
		code    string
	}{
		{"no lines", func(c *orders.Create) { c.Items = nil }, "/items", ""},
		{"100 lines are taken", func(c *orders.Create) { c.Items = items(100) }, "", ""},
		{"101 lines", func(c *orders.Create) { c.Items = items(101) }, "/items", ""},
		{"a line of nothing", line(0, 1), "/items/1/quantity", ""},
		{"a negative line", line(-1, 1), "/items/1/quantity", ""},
		{"999 pieces are taken", line(999, 1), "", ""},
		{"1000 pieces", line(1000, 1), "/items/1/quantity", ""},
		{"a negative price", line(1, -1), "/items/1/unitPrice", ""},
		{"a gift beside a dish is taken", line(1, 0), "", ""},
		{"the highest price is taken", line(1, orders.MaxUnitPrice), "", ""},
		{"a higher price", line(1, orders.MaxUnitPrice+1), "/items/1/unitPrice", ""},
		{"a total of nothing", func(c *orders.Create) { c.Items = c.Items[:1]; c.Items[0].UnitPrice = 0 }, "/items", ""},
		{"inside the area is taken", func(c *orders.Create) { c.Restaurant.DeliveryRadiusMetres = 200 }, "", ""},
		{"outside the area", func(c *orders.Create) { c.Restaurant.DeliveryRadiusMetres = 100 }, "/address", orders.CodeOutOfArea},
	} {
		t.Run(c.name, func(t *testing.T) {
			is, evs, err := pol.Apply(orders.Order{}, order6000With(c.change), customer, t0)
			if c.pointer == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			var e *orders.Error
			if !as(err, &e) || e.Kind != orders.Unprocessable || len(e.Fields) != 1 || e.Fields[0].Pointer != c.pointer || e.Code != c.code {
				t.Fatalf("%+v", err)
			}
			if len(evs) > 0 || is.Seq != 0 {
				t.Errorf("a refused order has %d events", len(evs))
			}
		})
	}
}

func TestContentsAreChecked(t *testing.T) {
	for _, c := range []struct {
		name    string
		from    func(testing.TB) *play
		by      orders.Actor
		cmd     orders.Command
		pointer string
	}{
		{"the wrong amount", unpaid, payer, orders.Pay{Amount: 5999, TransactionID: "x"}, "/amount"},
		{"the wrong currency", unpaid, payer, orders.Pay{Amount: 6000, Currency: "USD", TransactionID: "x"}, "/currency"},
		{"a late payment of nothing", timedOut, payer, orders.Pay{TransactionID: "x"}, "/amount"},
		{"a late negative payment", timedOut, payer, orders.Pay{Amount: -1, TransactionID: "x"}, "/amount"},
		{"no kitchen time", paid, merchant, orders.Confirm{}, "/prepMinutes"},
		{"too much kitchen time", paid, merchant, orders.Confirm{PrepMinutes: orders.MaxPrep + 1}, "/prepMinutes"},
		{"a delay of nothing", preparing, merchant, orders.Delay{}, "/prepMinutes"},
		{"a rejection without a reason", paid, merchant, orders.Reject{}, "/reason"},
		{"a rejection with a timer's reason", paid, merchant, orders.Reject{Reason: orders.MerchantTimeout}, "/reason"},
		{"a customer who claims fraud", paid, customer, orders.Cancel{Reason: orders.Fraud}, "/reason"},
		{"ops with a timer's reason", paid, ops, orders.Cancel{Reason: orders.PaymentTimeout}, "/reason"},
		{"a request without a reason", preparing, customer, orders.Cancel{}, "/reason"},
		{"a proposal for an unknown item", paid, merchant, orders.Amend{ItemID: "nope", Change: orders.ChangeRemove}, "/itemId"},
		{"a reduction to nothing", paid, merchant, amend(orders.ChangeReduce, 0, nil), "/quantity"},
		{"a reduction to as many", paid, merchant, amend(orders.ChangeReduce, 2, nil), "/quantity"},
		{"a substitute that is none", paid, merchant, amend(orders.ChangeSubstitute, 0, nil), "/substitute"},
		{"a substitute with a negative price", paid, merchant, amend(orders.ChangeSubstitute, 0, &orders.Substitute{ItemID: "x", UnitPrice: -1}), "/substitute/unitPrice"},
		{"a substitute with a huge price", paid, merchant, amend(orders.ChangeSubstitute, 0, &orders.Substitute{ItemID: "x", UnitPrice: orders.MaxUnitPrice + 1}), "/substitute/unitPrice"},
		{"a failure without a reason", waitedAtDoor, rider, orders.Fail{}, "/reason"},
		{"a failure with a reason to cancel", waitedAtDoor, rider, orders.Fail{Reason: orders.StoreBusy}, "/reason"},
		{"a refund of nothing", cancelled, payer, orders.RefundMade{}, "/amount"},
		{"a refund of more than came", cancelled, payer, orders.RefundMade{Amount: 6001}, "/amount"},
		{"a running order's refund of more than is owed", then(amending, by(customer, orders.AcceptAmendment{N: 1})), ops, orders.RefundMade{Amount: 2201}, "/amount"},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := c.from(t)
			is, evs, err := g.try(c.by, c.cmd)
			var e *orders.Error
			if !as(err, &e) || e.Kind != orders.Unprocessable || len(e.Fields) != 1 || e.Fields[0].Pointer != c.pointer {
				t.Fatalf("%+v", err)
			}
			if len(evs) > 0 || asJSON(t, is) != asJSON(t, g.o) {
				t.Error("it changed the order")
			}
		})
	}
	t.Run("an amendment that never was is not found", func(t *testing.T) {
		for _, from := range []func(testing.TB) *play{paid, amending, completed} {
			g := from(t)
			for _, c := range []orders.Command{orders.AcceptAmendment{N: 7}, orders.RejectAmendment{N: 7}} {
				if is, _, err := g.try(customer, c); orders.KindOf(err) != orders.NotFound || asJSON(t, is) != asJSON(t, g.o) {
					t.Errorf("%s: %v", axes(g.o), err)
				}
			}
		}
	})
}

// A restaurant with a nonsensical kitchen time must not make payments bounce: the provider has the money already.
func TestAutoAcceptWithTooLongPrepStillTakesTheMoney(t *testing.T) {
	c := order6000With(autoAccept, func(c *orders.Create) { c.Restaurant.PrepMinutes = orders.MaxPrep + 1 })
	o, _, err := pol.Apply(orders.Order{}, c, customer, t0)
	if err != nil {
		return // refusing the order at the start is as good
	}
	if _, _, err := pol.Apply(o, orders.Pay{Amount: o.Total, TransactionID: "tx_1"}, payer, t0); err != nil {
		t.Error(err)
	}
}

// A merchant's word beside a rejection, an ops' beside a cancellation and a courier's beside a failure is kept: the API
// takes a note with each (design.md section 7).
func TestNoteIsKept(t *testing.T) {
	const note = "note-that-matters"
	for name, g := range map[string]*play{
		"reject":        paid(t).do(merchant, orders.Reject{Reason: orders.StoreBusy, Note: note}),
		"cancel by ops": paid(t).do(ops, orders.Cancel{Reason: orders.OtherReason, Note: note}),
		"request":       preparing(t).do(customer, orders.Cancel{Reason: orders.OtherReason, Note: note}),
		"fail":          onDelivery(t).do(ops, orders.Fail{Reason: orders.OtherReason, Note: note}),
		"problem":       onDelivery(t).do(rider, orders.ReportProblem{Type: "OTHER", Note: note}),
	} {
		t.Run(name, func(t *testing.T) {
			if !strings.Contains(asJSON(t, g.o), note) {
				t.Error("nobody will ever read it")
			}
			for _, e := range g.evs {
				if bytes.Contains(e.Envelope, []byte(note)) {
					t.Error("every watcher reads it")
				}
			}
		})
	}
}
