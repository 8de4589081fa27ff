package orders_test

import (
	"slices"
	"testing"
	"time"

	"doorbell/orders"
)

func TestClock(t *testing.T) {
	for _, c := range []struct {
		name  string
		from  func(testing.TB) *play
		at    func(orders.Order) time.Time // which of the order's times is the next one due
		after time.Duration                // from the play's now
		told  []orders.EventType
		state string
		why   orders.Reason
	}{
		{"to pay", unpaid, func(o orders.Order) time.Time { return o.Payment.PayBy }, 15 * time.Minute,
			[]orders.EventType{orders.OrderCancelled}, "CANCELLED EXPIRED UNASSIGNED", orders.PaymentTimeout},
		{"to remind the merchant", paid, func(o orders.Order) time.Time { return o.RemindAt }, 5 * time.Minute,
			[]orders.EventType{orders.OrderAcceptanceDue}, "PENDING PAID UNASSIGNED", ""},
		{"to accept, after the reminder", then(then(paid, due), by(system, tick)), func(o orders.Order) time.Time { return o.AcceptBy }, 5 * time.Minute,
			[]orders.EventType{orders.OrderCancelled}, "CANCELLED REFUND_PENDING UNASSIGNED", orders.MerchantTimeout},
		{"to answer an amendment", amending, func(o orders.Order) time.Time { return o.Amendment.AnswerBy }, 3 * time.Minute,
			[]orders.EventType{orders.OrderAmended}, "PENDING REFUND_PENDING UNASSIGNED", ""},
		{"to answer an amendment in the kitchen", then(preparing, (*play).amend), func(o orders.Order) time.Time { return o.Amendment.AnswerBy }, 3 * time.Minute,
			[]orders.EventType{orders.OrderAmended}, "PREPARING REFUND_PENDING UNASSIGNED", ""},
		{"to answer a request to cancel", asking, func(o orders.Order) time.Time { return o.Cancel.AnswerBy }, 15 * time.Minute,
			[]orders.EventType{orders.OrderCancelled}, "CANCELLED REFUND_PENDING UNASSIGNED", orders.CustomerRequestApproved},
		{"to find a courier", confirmed, func(o orders.Order) time.Time { return o.CourierBy }, 30 * time.Minute,
			[]orders.EventType{orders.OrderCancelled}, "CANCELLED REFUND_PENDING UNASSIGNED", orders.NoCourier},
		{"to find another courier", then(assigned, by(rider, orders.Unassign{})), func(o orders.Order) time.Time { return o.CourierBy }, 30 * time.Minute,
			[]orders.EventType{orders.OrderCancelled}, "CANCELLED REFUND_PENDING UNASSIGNED", orders.NoCourier},
		{"to end at all", func(t testing.TB) *play { return place(t, cash).confirm().assign() }, func(o orders.Order) time.Time { return o.StaleAt }, 24 * time.Hour,
			[]orders.EventType{orders.OrderCancelled}, "CANCELLED VOID ASSIGNED", orders.SystemReason},
		{"to end at all on the road", func(t testing.TB) *play { return place(t, cash).confirm().assign().pickup() }, func(o orders.Order) time.Time { return o.StaleAt }, 24 * time.Hour,
			[]orders.EventType{orders.OrderCancelled}, "CANCELLED VOID RETURNING", orders.SystemReason},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := c.from(t)
			sameTime(t, "the clock", c.at(g.o), g.now.Add(c.after))
			sameTime(t, "Due", g.o.Due(), c.at(g.o))
			was := g.o
			g.at(was.Due().Add(-us)).do(system, tick)
			if len(g.evs) > 0 || asJSON(t, g.o) != asJSON(t, was) {
				t.Fatalf("a microsecond early it told %q", types(g.evs))
			}
			g.wait(us).do(system, tick)
			if !slices.Equal(types(g.evs), c.told) || axes(g.o) != c.state || g.o.Reason != c.why {
				t.Errorf("on time it told %q: %s %s", types(g.evs), axes(g.o), g.o.Reason)
			}
			if g.o.EndAction != "" {
				t.Errorf("ended by %q, not by a clock", g.o.EndAction)
			}
			for _, e := range g.evs {
				if e.Actor != system {
					t.Errorf("told by %+v", e.Actor)
				}
			}
			if d := g.o.Due(); g.o.Status.Final() != d.IsZero() || !d.IsZero() && !d.After(g.now) {
				t.Errorf("then Due is %v", d)
			}
			if g.do(system, tick); len(g.evs) > 0 {
				t.Errorf("the second time it told %q", types(g.evs))
			}
		})
	}
}

func TestClockStops(t *testing.T) {
	for _, c := range []struct {
		name     string
		from, to func(testing.TB) *play
		at       func(orders.Order) time.Time // the clock that ran before
	}{
		{"to pay, with the money", unpaid, confirmed, func(o orders.Order) time.Time { return o.Payment.PayBy }},
		{"to accept, with the confirmation", paid, confirmed, func(o orders.Order) time.Time { return o.AcceptBy }},
		{"to find a courier, with the courier", preparing, assigned, func(o orders.Order) time.Time { return o.CourierBy }},
		{"to answer a request, with the denial", asking, then(then(asking, (*play).assign), by(merchant, orders.DenyCancellation{})), func(o orders.Order) time.Time { return o.Cancel.AnswerBy }},
		{"to answer a request, with the pick-up", asking, then(then(asking, (*play).assign), (*play).pickup), func(o orders.Order) time.Time { return o.Cancel.AnswerBy }},
		{"to answer an amendment, with the answer", amending, acceptedProposal, func(o orders.Order) time.Time { return o.Amendment.AnswerBy }},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := c.to(t)
			at := c.at(c.from(t).o)
			if g.o.Due().Equal(at) {
				t.Fatal("it still runs")
			}
			if g.at(at).do(system, tick); g.o.Status.Final() {
				t.Errorf("at its time the order is %s %s", axes(g.o), g.o.Reason)
			}
		})
	}
}

// Row 12: the merchant's clock waits while the customer thinks, and gets its time back.
func TestAcceptClockWaitsForTheCustomer(t *testing.T) {
	t.Run("before the reminder", func(t *testing.T) {
		g := paid(t)
		remind, accept := g.o.RemindAt, g.o.AcceptBy
		g.wait(4*time.Minute).amend().wait(2*time.Minute).do(customer, orders.RejectAmendment{N: 1})
		sameTime(t, "remindAt", g.o.RemindAt, remind.Add(2*time.Minute))
		sameTime(t, "acceptBy", g.o.AcceptBy, accept.Add(2*time.Minute))
		sameTime(t, "Due", g.o.Due(), g.o.RemindAt)
		due(g).do(system, tick)
		due(g).do(system, tick)
		if g.o.Reason != orders.MerchantTimeout || !g.o.EndedAt.Equal(accept.Add(2*time.Minute)) {
			t.Errorf("%s at %v", g.o.Reason, g.o.EndedAt)
		}
	})
	t.Run("after the reminder", func(t *testing.T) {
		g := due(paid(t)).do(system, tick)
		accept := g.o.AcceptBy
		g.at(accept.Add(-us)).amend()
		sameTime(t, "Due", g.o.Due(), g.now.Add(3*time.Minute))
		if g.at(accept).do(system, tick); g.o.Status != orders.Pending {
			t.Fatalf("the merchant's time ran out while the customer thought: %s", g.o.Reason)
		}
		due(g).do(system, tick) // the answer is REMOVE
		sameTime(t, "Due", g.o.Due(), g.now.Add(us))
		if slices.Contains(types(g.evs), orders.OrderAcceptanceDue) {
			t.Error("reminded twice")
		}
	})
	t.Run("three times over", func(t *testing.T) {
		g := paid(t)
		accept := g.o.AcceptBy
		for i, id := range []string{"rice", "soup"} {
			g.do(merchant, orders.Amend{ItemID: id, Change: orders.ChangeRemove}).wait(time.Minute).do(customer, orders.AcceptAmendment{N: i + 1})
		}
		sameTime(t, "acceptBy", g.o.AcceptBy, accept.Add(2*time.Minute))
	})
	t.Run("not when the merchant confirms meanwhile", func(t *testing.T) {
		g := amending(t).confirm().wait(time.Minute).do(customer, orders.AcceptAmendment{N: 1})
		sameTime(t, "acceptBy", g.o.AcceptBy, time.Time{})
		sameTime(t, "Due", g.o.Due(), g.o.CourierBy)
	})
}

// Rule 5: in the same instant one of the two wins, and the other is told.
func TestMerchantAndTimeoutHaveOneWinner(t *testing.T) {
	g := paid(t).at(t0.Add(11 * time.Minute)) // acceptBy
	sameTime(t, "acceptBy", g.o.AcceptBy, g.now)
	t.Run("the merchant first", func(t *testing.T) {
		h := *g
		h.confirm().do(system, tick)
		if len(h.evs) > 0 || h.o.Status != orders.Confirmed {
			t.Errorf("%s, told %q", h.o.Status, types(h.evs))
		}
	})
	t.Run("the timeout first", func(t *testing.T) {
		h := *g
		h.do(system, tick)
		_, _, err := h.try(merchant, orders.Confirm{PrepMinutes: 20})
		if e := refusal(err); e == nil || e.CurrentStatus != orders.Cancelled {
			t.Error(err)
		}
	})
}

// A node that was away for a day fires what is overdue, the earliest first, and ends.
func TestLateTickFiresTheEarliestFirst(t *testing.T) {
	for _, c := range []struct {
		name string
		from func(testing.TB) *play
		why  orders.Reason
		told []orders.EventType
	}{
		{"unpaid", unpaid, orders.PaymentTimeout, []orders.EventType{orders.OrderCancelled}},
		{"paid", paid, orders.MerchantTimeout, []orders.EventType{orders.OrderCancelled}}, // no reminder of a time that is over
		{"confirmed", confirmed, orders.NoCourier, []orders.EventType{orders.OrderCancelled}},
		{"asking", asking, orders.CustomerRequestApproved, []orders.EventType{orders.OrderCancelled}},
		{"on delivery", onDelivery, orders.SystemReason, []orders.EventType{orders.OrderCancelled}},
		{"amended in the kitchen", then(preparing, (*play).amend), orders.NoCourier, []orders.EventType{orders.OrderAmended, orders.OrderCancelled}},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := c.from(t).wait(1000*time.Hour).do(system, tick)
			if g.o.Reason != c.why || !slices.Equal(types(g.evs), c.told) || !g.o.Due().IsZero() {
				t.Errorf("%s, told %q, due %v", g.o.Reason, types(g.evs), g.o.Due())
			}
		})
	}
}

// A clock that steps back does not take the order's times with it.
func TestTimesNeverRunBackwards(t *testing.T) {
	g := paid(t)
	was := g.now
	g.wait(-time.Hour).confirm()
	sameTime(t, "confirmedAt", g.o.ConfirmedAt, was)
	sameTime(t, "updatedAt", g.o.UpdatedAt, was)
	sameTime(t, "the event", g.evs[0].OccurredAt, was)
	sameTime(t, "courierBy", g.o.CourierBy, was.Add(30*time.Minute))
}

// delay: the same number within a minute is a repeat, later it is a new promise.
func TestDelayIsANewPromiseAfterAMinute(t *testing.T) {
	g := preparing(t).do(merchant, orders.Delay{PrepMinutes: 30})
	if g.wait(time.Minute-us).do(merchant, orders.Delay{PrepMinutes: 30}); len(g.evs) > 0 {
		t.Errorf("told %q", types(g.evs))
	}
	if g.wait(us).do(merchant, orders.Delay{PrepMinutes: 30}); !slices.Equal(types(g.evs), []orders.EventType{orders.OrderDelayed}) {
		t.Errorf("told %q", types(g.evs))
	}
	if g.do(merchant, orders.Delay{PrepMinutes: 31}); len(g.evs) != 1 {
		t.Errorf("told %q", types(g.evs))
	}
}

func TestMinutesLeft(t *testing.T) {
	g := paid(t).do(merchant, orders.Confirm{PrepMinutes: 20})
	for _, c := range []struct {
		after time.Duration
		want  int
	}{{0, 20}, {us, 20}, {time.Minute, 19}, {time.Minute + us, 19}, {19 * time.Minute, 1}, {20 * time.Minute, 1}, {2 * time.Hour, 1}} {
		if got := g.o.EstimatedMinutes(orders.ETA{}, g.now.Add(c.after)); got != c.want {
			t.Errorf("after %v %d minutes are left, want %d", c.after, got, c.want)
		}
	}
	for _, from := range []func(testing.TB) *play{unpaid, paid, completed, cancelled} {
		if h := from(t); h.o.EstimatedMinutes(orders.ETA{}, h.now) != 0 {
			t.Errorf("%s: %d minutes are left, want none said", axes(h.o), h.o.EstimatedMinutes(orders.ETA{}, h.now))
		}
	}
}
