package orders_test

import (
	"strings"
	"testing"
	"time"

	"doorbell/orders"
)

// Every state and every actor: the list of allowed actions says what is so.
func TestAllowedActionsAreTruthful(t *testing.T) {
	for name, from := range all {
		t.Run(name, func(t *testing.T) {
			g := from(t)
			for _, a := range everybody {
				listed := pol.AllowedActions(&g.o, a, g.now)
				if a.Role == orders.RoleSystem || a.Role == orders.RoleTracker {
					if listed == nil || len(listed) > 0 {
						t.Errorf("%s may %q", a.Role, listed)
					}
					continue
				}
				truthful(t, &g.o, a, g.now, listed)
			}
		})
	}
}

func TestAllowedActionsAreTheWordsOfThePath(t *testing.T) {
	for _, c := range []struct {
		from func(testing.TB) *play
		by   orders.Actor
		want string
	}{
		{unpaid, payer, "pay"},
		{unpaid, customer, "cancel"},
		{unpaid, merchant, ""},
		{paid, merchant, "confirm reject amendments"},
		{amending, customer, "amendments/1/accept amendments/1/reject cancel"},
		{asking, merchant, "delay ready amendments cancellation/approve cancellation/deny"},
		{asking, customer, ""},
		{assigned, rider, "courier arrive pickup"},
		{onDelivery, rider, "arrive deliver problem"},
		{waitedAtDoor, rider, "deliver problem fail"},
		{onDelivery, rider2, ""},
		{onDelivery, customer, "deliver"},
		{onDelivery, ops, "cancel courier arrive deliver problem fail"},
		{completed, ops, "refunds"},
		{failing, merchant, "returned"},
		{timedOut, payer, ""},
		{cancelled, payer, "refunds"},
	} {
		g := c.from(t)
		if got := strings.Join(pol.AllowedActions(&g.o, c.by, g.now), " "); got != c.want {
			t.Errorf("%s on %s may %q, want %q", c.by.Role, axes(g.o), got, c.want)
		}
	}
}

// A final status stays, whoever tries what; rule 4.
func TestNothingRises(t *testing.T) {
	for _, from := range []func(testing.TB) *play{completed, cancelled, timedOut, failing} {
		g := from(t)
		for _, a := range everybody {
			for _, s := range segments {
				if strings.HasPrefix(s, "amendments/") {
					continue
				}
				for _, c := range meant(&g.o, a, s) {
					is, _, _ := g.try(a, c)
					if is.Status != g.o.Status || is.Reason != g.o.Reason {
						t.Errorf("%s by %s: from %s to %s", s, a.Role, g.o.Status, is.Status)
					}
				}
			}
		}
	}
}

// There is nothing to cancel before there is an order.
func TestCommandsOnNoOrderAreRefused(t *testing.T) {
	for _, a := range everybody {
		for _, c := range []orders.Command{
			orders.Pay{Amount: 1, TransactionID: "x"}, orders.RefundMade{Amount: 1}, orders.Confirm{PrepMinutes: 1}, orders.Reject{Reason: orders.StoreBusy},
			orders.Prepare{}, orders.Delay{PrepMinutes: 1}, orders.Ready{}, amend(orders.ChangeRemove, 0, nil), orders.Cancel{Reason: orders.Duplicate},
			orders.ApproveCancellation{}, orders.DenyCancellation{}, orders.Assign{Courier: courier}, orders.Unassign{}, orders.Arrive{}, orders.Nearby{},
			orders.Pickup{}, orders.Hand{}, orders.ReportProblem{Type: "X"}, orders.Fail{Reason: orders.Lost}, orders.ReturnMade{}, orders.Tick{},
		} {
			if is, evs, _ := pol.Apply(orders.Order{}, c, a, t0); is.Seq != 0 || len(evs) > 0 {
				t.Errorf("%s by %s told %q", c.Action(), a.Role, types(evs))
			}
		}
	}
}

// Apply takes a now before the order's last event for the time of that event; the list must go by the same clock, or a
// node whose clock is behind hides what may be done.
func TestAllowedActionsGoByTheOrdersClock(t *testing.T) {
	g := waitedAtDoor(t).do(rider, orders.ReportProblem{Type: "TRAFFIC"}).wait(-2 * time.Minute)
	truthful(t, &g.o, rider, g.now, pol.AllowedActions(&g.o, rider, g.now))
}
