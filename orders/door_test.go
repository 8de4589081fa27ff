package orders_test

import (
	"testing"
	"time"

	"doorbell/orders"
)

func TestProofAtTheDoor(t *testing.T) {
	door := func(t *testing.T, p orders.Proof) *play {
		return place(t, cash, proof(p)).confirm().assign().pickup()
	}
	wrong := func(t *testing.T, g *play, code string) {
		t.Helper()
		is, evs, err := g.try(rider, orders.Hand{PIN: "0000"})
		var e *orders.Error
		if !as(err, &e) || e.Kind != orders.Unprocessable || e.Code != code || len(evs) > 0 || is.Seq != g.o.Seq {
			t.Fatalf("%+v, %d events", err, len(evs))
		}
		g.o = is
	}
	t.Run("a wrong PIN counts and nothing else", func(t *testing.T) {
		g := door(t, orders.ProofPIN)
		was := g.o
		wrong(t, g, orders.CodeWrongPIN)
		was.WrongPINs = 1
		if asJSON(t, was) != asJSON(t, g.o) {
			t.Errorf("%s", asJSON(t, g.o))
		}
	})
	t.Run("the right PIN counts after four wrong ones", func(t *testing.T) {
		g := door(t, orders.ProofPIN)
		for range 4 {
			wrong(t, g, orders.CodeWrongPIN)
		}
		if g.do(rider, orders.Hand{PIN: g.o.PIN}); g.o.Status != orders.Completed {
			t.Error(g.o.Status)
		}
	})
	t.Run("five wrong PINs leave it to ops", func(t *testing.T) {
		g := door(t, orders.ProofPIN)
		for range 5 {
			wrong(t, g, orders.CodeWrongPIN)
		}
		wrong(t, g, orders.CodePINLocked)
		is, _, err := g.try(rider, orders.Hand{PIN: g.o.PIN})
		var e *orders.Error
		if !as(err, &e) || e.Code != orders.CodePINLocked || is.WrongPINs != 5 {
			t.Fatalf("the right PIN after five wrong ones: %v", err)
		}
		if g.do(ops, orders.Hand{}); g.o.Status != orders.Completed {
			t.Error(g.o.Status)
		}
	})
	t.Run("no PIN is no try", func(t *testing.T) {
		g := door(t, orders.ProofPIN)
		is, _, err := g.try(rider, orders.Hand{})
		if orders.KindOf(err) != orders.Unprocessable || is.WrongPINs != 0 {
			t.Errorf("%v, %d wrong", err, is.WrongPINs)
		}
	})
	t.Run("the customer's word needs no PIN", func(t *testing.T) {
		if g := door(t, orders.ProofPIN).do(customer, orders.Hand{}); g.o.Status != orders.Completed {
			t.Error(g.o.Status)
		}
	})
	t.Run("a photo where one is asked for", func(t *testing.T) {
		g := door(t, orders.ProofPhoto)
		if _, _, err := g.try(rider, orders.Hand{}); orders.KindOf(err) != orders.Unprocessable {
			t.Errorf("%v", err)
		}
		if g.do(rider, orders.Hand{PhotoRef: "p"}); g.o.Delivery.PhotoRef != "p" {
			t.Error("the photo is lost")
		}
	})
	t.Run("a PIN is kept only where one is asked for", func(t *testing.T) {
		if p, n := door(t, orders.ProofPIN).o.PIN, door(t, orders.ProofNone).o.PIN; p != "pin-of-order" || n != "" {
			t.Errorf("%q and %q", p, n)
		}
	})
}

// Row 21: the courier's word counts after the wait and an attempt, each missing alone refuses it.
func TestCourierGivesUpOnlyAfterWaitAndAttempt(t *testing.T) {
	fail := orders.Fail{Reason: orders.CustomerUnreachable}
	try := orders.ReportProblem{Type: orders.ContactAttempt}
	for _, c := range []struct {
		name string
		at   func(*play) *play
		ok   bool
	}{
		{"after 7 minutes and an attempt", func(g *play) *play { return g.do(rider, try).at(g.o.Delivery.ArrivedAtCustomerAt.Add(7 * time.Minute)) }, true},
		{"a microsecond before", func(g *play) *play {
			return g.do(rider, try).at(g.o.Delivery.ArrivedAtCustomerAt.Add(7*time.Minute - us))
		}, false},
		{"without an attempt", func(g *play) *play { return g.wait(time.Hour) }, false},
		{"with another problem only", func(g *play) *play { return g.do(rider, orders.ReportProblem{Type: "TRAFFIC"}).wait(time.Hour) }, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, _, err := c.at(atCustomer(t)).try(rider, fail)
			if c.ok != (err == nil) || !c.ok && refusal(err) == nil {
				t.Error(err)
			}
		})
	}
	t.Run("a courier put in place at the door waits anew", func(t *testing.T) {
		g := waitedAtDoor(t).do(ops, orders.Assign{Courier: orders.Courier{ID: rider2.ID}}).do(rider2, orders.Arrive{})
		if _, _, err := g.try(rider2, fail); refusal(err) == nil {
			t.Error(err)
		}
	})
}

// A replaced courier has no rights from the event on.
func TestReplacedCourierMayDoNothing(t *testing.T) {
	for _, from := range []func(testing.TB) *play{assigned, onDelivery} {
		g := from(t).do(ops, orders.Assign{Courier: orders.Courier{ID: rider2.ID}})
		for _, c := range []orders.Command{orders.Arrive{}, orders.Pickup{}, orders.Hand{}, orders.ReportProblem{Type: "X"}, orders.Fail{Reason: orders.Lost}, orders.Unassign{}, orders.ReturnMade{}} {
			if _, _, err := g.try(rider, c); orders.KindOf(err) != orders.Forbidden {
				t.Errorf("%s: %v", c.Action(), err)
			}
		}
		if g.o.Ownership().VisibleTo(orders.Caller{Actor: rider}, g.now) {
			t.Error("the old courier still sees the order")
		}
	}
}

// Row 21: whose fault it was decides whether the money goes back by itself.
func TestFailureIsPaidBackByReason(t *testing.T) {
	for reason, back := range map[orders.Reason]int64{
		orders.CustomerUnreachable: 0, orders.CustomerRefused: 0, orders.AddressWrong: 0, orders.Damaged: 6000, orders.Lost: 6000, orders.OtherReason: 6000,
	} {
		if g := onDelivery(t).do(ops, orders.Fail{Reason: reason}); g.o.Payment.RefundDue != back || g.o.Reason != reason {
			t.Errorf("%s: %d owed back, want %d", reason, g.o.Payment.RefundDue, back)
		}
	}
}
