package orders_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"doorbell/orders"
)

// row is one line of the table in domain.md section 1.
type row struct {
	name   string
	from   func(testing.TB) *play
	by     orders.Actor
	cmd    orders.Command
	state  string // order, payment and delivery axis after it
	reason orders.Reason
	events []string // "role type" in order
	check  func(t *testing.T, was, is orders.Order, now time.Time)

	again repeat                 // what the same command gets a second time
	not   func(testing.TB) *play // a state in which it is impossible; nil: it never is
}

type repeat int

const (
	nothing repeat = iota // no events, no error, the same order
	another               // each request is a new one
	refused               // Conflict: nobody can create an order twice; Idempotency-Key answers that one
	gone                  // Forbidden: who gave the order back is nobody to it any more
)

// may says who may ever send a command, as design.md section 7 lists it. A courier must be the order's.
var may = map[orders.Action][]orders.Role{
	orders.ActCreate:   {orders.RoleCustomer},
	orders.ActPay:      {orders.RolePayment},
	orders.ActRefund:   {orders.RolePayment, orders.RoleOps},
	orders.ActConfirm:  {orders.RoleMerchant},
	orders.ActReject:   {orders.RoleMerchant},
	orders.ActPrepare:  {orders.RoleMerchant, orders.RoleSystem},
	orders.ActDelay:    {orders.RoleMerchant},
	orders.ActReady:    {orders.RoleMerchant},
	orders.ActAmend:    {orders.RoleMerchant},
	orders.ActAccept:   {orders.RoleCustomer},
	orders.ActDecline:  {orders.RoleCustomer},
	orders.ActCancel:   {orders.RoleCustomer, orders.RoleOps},
	orders.ActApprove:  {orders.RoleMerchant, orders.RoleOps},
	orders.ActDeny:     {orders.RoleMerchant, orders.RoleOps},
	orders.ActAssign:   {orders.RoleOps},
	orders.ActUnassign: {orders.RoleCourier, orders.RoleOps},
	orders.ActArrive:   {orders.RoleCourier, orders.RoleOps, orders.RoleSystem},
	orders.ActNearby:   {orders.RoleSystem},
	orders.ActPickup:   {orders.RoleCourier, orders.RoleOps, orders.RoleMerchant},
	orders.ActDeliver:  {orders.RoleCourier, orders.RoleOps, orders.RoleCustomer},
	orders.ActProblem:  {orders.RoleCourier, orders.RoleOps},
	orders.ActFail:     {orders.RoleCourier, orders.RoleOps},
	orders.ActReturned: {orders.RoleCourier, orders.RoleOps, orders.RoleMerchant},
	orders.ActTick:     {orders.RoleSystem},
}

func mayEver(o *orders.Order, by orders.Actor, a orders.Action) bool {
	if !slices.Contains(may[a], by.Role) {
		return false
	}
	return by.Role != orders.RoleCourier || o.Delivery.Courier != nil && o.Delivery.Courier.ID == by.ID
}

var (
	tick  = orders.Tick{}
	amend = func(c orders.Change, n int, s *orders.Substitute) orders.Amend {
		return orders.Amend{ItemID: "rice", Change: c, Quantity: n, Substitute: s}
	}
	cheaper  = &orders.Substitute{ItemID: "bun", Name: "Bun", UnitPrice: 1000}
	dearer   = &orders.Substitute{ItemID: "eel", Name: "Eel", UnitPrice: 5000}
	nothingY = func(t testing.TB) *play { return &play{TB: t, now: t0} }
)

// then lets a state go on with one more step.
func then(f func(testing.TB) *play, more func(*play) *play) func(testing.TB) *play {
	return func(t testing.TB) *play { return more(f(t)) }
}

func placed(change ...func(*orders.Create)) func(testing.TB) *play {
	return func(t testing.TB) *play { return place(t, change...) }
}

func due(g *play) *play { return g.at(g.o.Due()) }

func after(d time.Duration) func(*play) *play { return func(g *play) *play { return g.wait(d) } }

func by(a orders.Actor, c orders.Command) func(*play) *play {
	return func(g *play) *play { return g.do(a, c) }
}

// owes checks the ledger after a row: total of the lines, what is owed back.
func owes(total, refundDue int64) func(*testing.T, orders.Order, orders.Order, time.Time) {
	return func(t *testing.T, _, is orders.Order, _ time.Time) {
		t.Helper()
		if is.Total != total || is.Payment.RefundDue != refundDue {
			t.Errorf("total %d, owed back %d; want %d and %d", is.Total, is.Payment.RefundDue, total, refundDue)
		}
	}
}

func sameTime(t *testing.T, what string, got, want time.Time) {
	t.Helper()
	if !got.Equal(want) {
		t.Errorf("%s is %v, want %v", what, got, want)
	}
}

func payload(t *testing.T, g *play, i int) map[string]any {
	t.Helper()
	return decode(t, g.evs[i].Envelope)["payload"].(map[string]any)
}

// Proposals that have their answer.
var (
	acceptedProposal = then(amending, by(customer, orders.AcceptAmendment{N: 1}))
	refusedProposal  = then(amending, by(customer, orders.RejectAmendment{N: 1}))
	expiredProposal  = then(then(amending, due), by(system, tick))
)

var rows = []row{
	// Row 1.
	{name: "1 a customer places an order", from: nothingY, by: customer, cmd: order6000(),
		state: "PENDING UNPAID UNASSIGNED", events: []string{"customer order.created"}, again: refused, not: confirmed,
		check: func(t *testing.T, _, is orders.Order, now time.Time) {
			sameTime(t, "payBy", is.Payment.PayBy, now.Add(15*time.Minute))
			sameTime(t, "staleAt", is.StaleAt, now.Add(24*time.Hour))
			sameTime(t, "Due", is.Due(), is.Payment.PayBy)
			sameTime(t, "acceptBy", is.AcceptBy, time.Time{})
			if is.Total != 6000 || is.ShownToMerchant() || is.Customer != customer.ID || is.Currency != "CNY" ||
				is.SoldOutPolicy != orders.PolicyAsk || is.PIN != "" || is.Proof != orders.ProofNone {
				t.Errorf("placed as %+v", is)
			}
		}},
	{name: "1 a customer places an order to pay at the door", from: nothingY, by: customer, cmd: order6000With(cash),
		state: "PENDING CASH_DUE UNASSIGNED", events: []string{"customer order.created"}, again: refused, not: paid,
		check: func(t *testing.T, _, is orders.Order, now time.Time) {
			sameTime(t, "acceptBy", is.AcceptBy, now.Add(10*time.Minute))
			sameTime(t, "Due (the reminder)", is.Due(), now.Add(5*time.Minute))
			if !is.ShownToMerchant() || !is.Payment.PayBy.IsZero() {
				t.Errorf("shown %v, payBy %v", is.ShownToMerchant(), is.Payment.PayBy)
			}
		}},
	{name: "1 a restaurant that takes every order takes this one", from: nothingY, by: customer, cmd: order6000With(cash, autoAccept),
		state: "CONFIRMED CASH_DUE UNASSIGNED", events: []string{"customer order.created", "system order.confirmed"}, again: refused, not: completed,
		check: func(t *testing.T, _, is orders.Order, now time.Time) {
			if is.PrepMinutes != orders.DefaultPrep || is.EstimatedMinutes(orders.ETA{}, now) != orders.DefaultPrep {
				t.Errorf("prepMinutes %d", is.PrepMinutes)
			}
		}},

	// Row 2.
	{name: "2 the money comes", from: unpaid, by: payer, cmd: orders.Pay{Amount: 6000, Currency: "CNY", TransactionID: "tx_1"},
		state: "PENDING PAID UNASSIGNED", events: []string{"payment order.paid"}, not: cashDue,
		check: func(t *testing.T, _, is orders.Order, now time.Time) {
			sameTime(t, "acceptBy", is.AcceptBy, now.Add(10*time.Minute))
			sameTime(t, "paidAt", is.Payment.PaidAt, now)
			sameTime(t, "Due (the reminder)", is.Due(), now.Add(5*time.Minute))
			if !is.ShownToMerchant() || is.Payment.Captured != 6000 || is.Payment.RefundDue != 0 || len(is.Payment.In) != 1 {
				t.Errorf("payment %+v", is.Payment)
			}
		}},
	{name: "2 the money comes to a restaurant that takes every order", from: placed(autoAccept), by: payer,
		cmd: orders.Pay{Amount: 6000, TransactionID: "tx_1"}, state: "CONFIRMED PAID UNASSIGNED",
		events: []string{"payment order.paid", "system order.confirmed"}, not: cashDue},

	// Row 3.
	{name: "3 the time to pay runs out", from: then(unpaid, due), by: system, cmd: tick,
		state: "CANCELLED EXPIRED UNASSIGNED", reason: orders.PaymentTimeout, events: []string{"system order.cancelled"},
		check: func(t *testing.T, was, is orders.Order, now time.Time) {
			sameTime(t, "the end", is.EndedAt, was.Payment.PayBy)
			if is.ShownToMerchant() {
				t.Error("the merchant sees an order that was never paid")
			}
		}},

	// Row 3b.
	{name: "3b money comes after the time to pay", from: timedOut, by: payer, cmd: orders.Pay{Amount: 6000, TransactionID: "tx_1"},
		state: "CANCELLED REFUND_PENDING UNASSIGNED", reason: orders.PaymentTimeout, events: []string{"payment payment.refund_requested"},
		check: owes(6000, 6000), not: cashDue},
	{name: "3b money comes after the customer cancelled unpaid", from: then(unpaid, (*play).ask), by: payer, cmd: orders.Pay{Amount: 6000, TransactionID: "tx_1"},
		state: "CANCELLED REFUND_PENDING UNASSIGNED", reason: orders.CustomerCancelled, events: []string{"payment payment.refund_requested"},
		check: owes(6000, 6000), not: cashDue},
	{name: "3b money comes twice while the kitchen works", from: preparing, by: payer, cmd: orders.Pay{Amount: 6000, TransactionID: "tx_2"},
		state: "PREPARING REFUND_PENDING UNASSIGNED", events: []string{"payment payment.refund_requested"},
		check: owes(6000, 6000), not: cashDue},
	{name: "3b money comes a second time after the end", from: completed, by: payer, cmd: orders.Pay{Amount: 6000, TransactionID: "tx_2"},
		state: "COMPLETED REFUND_PENDING DELIVERED", events: []string{"payment payment.refund_requested"},
		check: owes(6000, 6000), not: cashDue},

	// Row 4.
	{name: "4 the merchant confirms a paid order", from: then(paid, after(time.Minute)), by: merchant, cmd: orders.Confirm{PrepMinutes: 25},
		state: "CONFIRMED PAID UNASSIGNED", events: []string{"merchant order.confirmed"}, not: unpaid,
		check: func(t *testing.T, _, is orders.Order, now time.Time) {
			sameTime(t, "courierBy", is.CourierBy, now.Add(30*time.Minute))
			sameTime(t, "Due", is.Due(), is.CourierBy)
			sameTime(t, "acceptBy", is.AcceptBy, time.Time{})
			if is.EstimatedMinutes(orders.ETA{}, now) != 25 {
				t.Errorf("%d minutes left, want 25", is.EstimatedMinutes(orders.ETA{}, now))
			}
		}},
	{name: "4 the merchant confirms an order paid at the door", from: cashDue, by: merchant, cmd: orders.Confirm{PrepMinutes: 25},
		state: "CONFIRMED CASH_DUE UNASSIGNED", events: []string{"merchant order.confirmed"}, not: cancelled},

	// Row 5.
	{name: "5 the merchant rejects a paid order", from: paid, by: merchant, cmd: orders.Reject{Reason: orders.ItemSoldOut, OutOfStock: []string{"soup"}},
		state: "CANCELLED REFUND_PENDING UNASSIGNED", reason: orders.ItemSoldOut, events: []string{"merchant order.cancelled"},
		check: owes(6000, 6000), not: confirmed},
	{name: "5 the merchant rejects an order paid at the door", from: cashDue, by: merchant, cmd: orders.Reject{Reason: orders.StoreClosed},
		state: "CANCELLED VOID UNASSIGNED", reason: orders.StoreClosed, events: []string{"merchant order.cancelled"},
		check: owes(6000, 0), not: unpaid},

	// Row 6.
	{name: "6 half of the merchant's time is gone", from: then(paid, due), by: system, cmd: tick,
		state: "PENDING PAID UNASSIGNED", events: []string{"system order.acceptance_due"},
		check: func(t *testing.T, was, is orders.Order, _ time.Time) { sameTime(t, "Due", is.Due(), was.AcceptBy) }},
	{name: "6 the merchant's time is gone", from: func(t testing.TB) *play { g := due(paid(t)).do(system, tick); return due(g) }, by: system, cmd: tick,
		state: "CANCELLED REFUND_PENDING UNASSIGNED", reason: orders.MerchantTimeout, events: []string{"system order.cancelled"},
		check: owes(6000, 6000)},
	{name: "6 the merchant's time is gone on an order paid at the door", from: func(t testing.TB) *play { g := cashDue(t); return g.at(g.o.AcceptBy) }, by: system, cmd: tick,
		state: "CANCELLED VOID UNASSIGNED", reason: orders.MerchantTimeout, events: []string{"system order.cancelled"}},

	// Row 7.
	{name: "7 the customer cancels before paying", from: unpaid, by: customer, cmd: orders.Cancel{Reason: orders.CustomerCancelled},
		state: "CANCELLED VOID UNASSIGNED", reason: orders.CustomerCancelled, events: []string{"customer order.cancelled"}, not: onDelivery},
	{name: "7 the customer cancels after paying", from: paid, by: customer, cmd: orders.Cancel{Reason: orders.Duplicate},
		state: "CANCELLED REFUND_PENDING UNASSIGNED", reason: orders.Duplicate, events: []string{"customer order.cancelled"},
		check: owes(6000, 6000), not: completed},
	{name: "7 the customer cancels while a proposal waits", from: amending, by: customer, cmd: orders.Cancel{Reason: orders.CustomerCancelled},
		state: "CANCELLED REFUND_PENDING UNASSIGNED", reason: orders.CustomerCancelled, events: []string{"customer order.cancelled"}, not: timedOut,
		check: func(t *testing.T, _, is orders.Order, _ time.Time) {
			if is.Amendment.Open() {
				t.Error("the proposal still waits for an answer")
			}
		}},

	// Row 8.
	{name: "8 the customer cancels 60 s after the confirmation", from: then(confirmed, after(time.Minute)), by: customer, cmd: orders.Cancel{Reason: orders.CustomerCancelled},
		state: "CANCELLED REFUND_PENDING UNASSIGNED", reason: orders.CustomerCancelled, events: []string{"customer order.cancelled"},
		check: owes(6000, 6000), not: failing},

	// Row 9.
	{name: "9 the customer asks to cancel later than that", from: then(confirmed, after(time.Minute+us)), by: customer, cmd: orders.Cancel{Reason: orders.CustomerCancelled},
		state: "CONFIRMED PAID UNASSIGNED", events: []string{"customer order.cancellation_requested"}, not: onDelivery,
		check: func(t *testing.T, _, is orders.Order, now time.Time) {
			if !is.Cancel.Open() {
				t.Fatal("no open request")
			}
			sameTime(t, "answerBy", is.Cancel.AnswerBy, now.Add(15*time.Minute))
			sameTime(t, "Due", is.Due(), is.Cancel.AnswerBy)
		}},
	{name: "9 the customer asks to cancel what the kitchen began", from: then(confirmed, (*play).prepare), by: customer, cmd: orders.Cancel{Reason: orders.CustomerCancelled},
		state: "PREPARING PAID UNASSIGNED", events: []string{"customer order.cancellation_requested"}, not: onDelivery},
	{name: "9 the customer asks again after a denial", from: then(asking, by(merchant, orders.DenyCancellation{})), by: customer, cmd: orders.Cancel{Reason: orders.CustomerCancelled},
		state: "PREPARING PAID UNASSIGNED", events: []string{"customer order.cancellation_requested"}, not: onDelivery},

	// Row 9a.
	{name: "9a the merchant approves", from: asking, by: merchant, cmd: orders.ApproveCancellation{},
		state: "CANCELLED REFUND_PENDING UNASSIGNED", reason: orders.CustomerRequestApproved, events: []string{"merchant order.cancelled"}, not: preparing,
		check: func(t *testing.T, _, is orders.Order, _ time.Time) {
			if is.Cancel.Status != orders.RequestApproved || is.Payment.RefundDue != 6000 {
				t.Errorf("request %s, owed back %d", is.Cancel.Status, is.Payment.RefundDue)
			}
		}},
	{name: "9a ops approves", from: asking, by: ops, cmd: orders.ApproveCancellation{},
		state: "CANCELLED REFUND_PENDING UNASSIGNED", reason: orders.CustomerRequestApproved, events: []string{"ops order.cancelled"}, not: onDelivery},
	{name: "9a nobody answers in time", from: then(asking, due), by: system, cmd: tick,
		state: "CANCELLED REFUND_PENDING UNASSIGNED", reason: orders.CustomerRequestApproved, events: []string{"system order.cancelled"},
		check: func(t *testing.T, was, is orders.Order, _ time.Time) {
			sameTime(t, "the end", is.EndedAt, was.Cancel.AnswerBy)
			if is.Cancel.Status != orders.RequestApproved {
				t.Errorf("request %s", is.Cancel.Status)
			}
		}},

	// Row 9b.
	{name: "9b the merchant denies", from: asking, by: merchant, cmd: orders.DenyCancellation{},
		state: "PREPARING PAID UNASSIGNED", events: []string{"merchant order.cancellation_denied"}, not: preparing,
		check: func(t *testing.T, was, is orders.Order, _ time.Time) {
			sameTime(t, "Due", is.Due(), was.CourierBy)
			if is.Cancel.Status != orders.RequestDenied {
				t.Errorf("request %s", is.Cancel.Status)
			}
		}},
	{name: "9b ops denies", from: asking, by: ops, cmd: orders.DenyCancellation{},
		state: "PREPARING PAID UNASSIGNED", events: []string{"ops order.cancellation_denied"}, not: cancelled},
	{name: "9b the pick-up comes first", from: then(assigned, (*play).ask), by: rider, cmd: orders.Pickup{},
		state: "ON_DELIVERY PAID PICKED_UP", events: []string{"system order.cancellation_denied", "courier order.on_delivery"}, not: failing,
		check: func(t *testing.T, _, is orders.Order, _ time.Time) {
			if is.Cancel.Status != orders.RequestDenied {
				t.Errorf("request %s", is.Cancel.Status)
			}
		}},

	// Row 10.
	{name: "10 the merchant begins to prepare", from: confirmed, by: merchant, cmd: orders.Prepare{},
		state: "PREPARING PAID UNASSIGNED", events: []string{"merchant order.preparing"}, not: paid,
		check: func(t *testing.T, _, is orders.Order, now time.Time) { sameTime(t, "preparingAt", is.PreparingAt, now) }},
	{name: "10 the preparation starts by itself", from: confirmed, by: system, cmd: orders.Prepare{},
		state: "PREPARING PAID UNASSIGNED", events: []string{"system order.preparing"}, not: cancelled},

	// Row 11.
	{name: "11 the food is ready", from: preparing, by: merchant, cmd: orders.Ready{},
		state: "PREPARING PAID UNASSIGNED", events: []string{"merchant order.ready"}, not: paid,
		check: func(t *testing.T, _, is orders.Order, now time.Time) { sameTime(t, "readyAt", is.ReadyAt, now) }},
	{name: "11 the food is ready without a word that it was begun", from: confirmed, by: merchant, cmd: orders.Ready{},
		state: "PREPARING PAID UNASSIGNED", events: []string{"merchant order.preparing", "merchant order.ready"}, not: cancelled,
		check: func(t *testing.T, _, is orders.Order, now time.Time) {
			sameTime(t, "readyAt", is.ReadyAt, now)
			sameTime(t, "preparingAt", is.PreparingAt, now)
		}},
	{name: "delay: the kitchen needs longer", from: preparing, by: merchant, cmd: orders.Delay{PrepMinutes: 40},
		state: "PREPARING PAID UNASSIGNED", events: []string{"merchant order.delayed"}, not: ready,
		check: func(t *testing.T, _, is orders.Order, now time.Time) {
			if is.EstimatedMinutes(orders.ETA{}, now) != 40 {
				t.Errorf("%d minutes left, want 40", is.EstimatedMinutes(orders.ETA{}, now))
			}
		}},
	{name: "delay: before the kitchen begins", from: confirmed, by: merchant, cmd: orders.Delay{PrepMinutes: 40},
		state: "CONFIRMED PAID UNASSIGNED", events: []string{"merchant order.delayed"}, not: paid},

	// Row 12.
	{name: "12 the merchant proposes a change before confirming", from: paid, by: merchant, cmd: amend(orders.ChangeReduce, 1, nil),
		state: "PENDING PAID UNASSIGNED", events: []string{"merchant order.amendment_proposed"}, not: unpaid,
		check: func(t *testing.T, _, is orders.Order, now time.Time) {
			if !is.Amendment.Open() || is.Amendment.N != 1 {
				t.Fatalf("amendment %+v", is.Amendment)
			}
			sameTime(t, "answerBy", is.Amendment.AnswerBy, now.Add(3*time.Minute))
			sameTime(t, "Due", is.Due(), is.Amendment.AnswerBy)
			owes(6000, 0)(t, is, is, now)
		}},
	{name: "12 the merchant proposes a change while preparing", from: preparing, by: merchant, cmd: amend(orders.ChangeSubstitute, 0, cheaper),
		state: "PREPARING PAID UNASSIGNED", events: []string{"merchant order.amendment_proposed"}, not: onDelivery},
	{name: "12 a second proposal counts on", from: then(amending, by(customer, orders.AcceptAmendment{N: 1})), by: merchant, cmd: amend(orders.ChangeReduce, 1, nil),
		state: "PENDING REFUND_PENDING UNASSIGNED", events: []string{"merchant order.amendment_proposed"}, not: amending,
		check: func(t *testing.T, _, is orders.Order, _ time.Time) {
			if is.Amendment.N != 2 {
				t.Errorf("amendment %d, want 2", is.Amendment.N)
			}
		}},
	{name: "12 REMOVE was said beforehand", from: then(placed(soldOut(orders.PolicyRemove)), (*play).pay), by: merchant, cmd: amend(orders.ChangeRemove, 0, nil),
		state: "PENDING REFUND_PENDING UNASSIGNED", events: []string{"merchant order.amendment_proposed", "system order.amended"}, not: unpaid,
		check: func(t *testing.T, was, is orders.Order, now time.Time) {
			owes(3000, 3000)(t, was, is, now)
			sameTime(t, "acceptBy", is.AcceptBy, was.AcceptBy)
		}},
	{name: "12 SUBSTITUTE was said beforehand and is cheaper", from: then(placed(soldOut(orders.PolicySubstitute)), (*play).pay), by: merchant, cmd: amend(orders.ChangeSubstitute, 0, cheaper),
		state: "PENDING REFUND_PENDING UNASSIGNED", events: []string{"merchant order.amendment_proposed", "system order.amended"}, not: unpaid,
		check: owes(5000, 1000)},
	{name: "12 SUBSTITUTE was said beforehand and is dearer", from: placed(cash, soldOut(orders.PolicySubstitute)), by: merchant, cmd: amend(orders.ChangeSubstitute, 0, dearer),
		state: "PENDING CASH_DUE UNASSIGNED", events: []string{"merchant order.amendment_proposed", "system order.amended"}, not: unpaid,
		check: owes(6000, 0)},
	{name: "12 REMOVE was said beforehand and a substitute is offered", from: then(placed(soldOut(orders.PolicyRemove)), (*play).pay), by: merchant, cmd: amend(orders.ChangeSubstitute, 0, cheaper),
		state: "PENDING REFUND_PENDING UNASSIGNED", events: []string{"merchant order.amendment_proposed", "system order.amended"}, not: unpaid,
		check: owes(3000, 3000)},

	// Row 12a.
	{name: "12a the customer accepts that a line goes", from: amending, by: customer, cmd: orders.AcceptAmendment{N: 1},
		state: "PENDING REFUND_PENDING UNASSIGNED", events: []string{"customer order.amended"}, not: refusedProposal, check: owes(3800, 2200)},
	{name: "12a the customer accepts fewer pieces", from: then(preparing, by(merchant, amend(orders.ChangeReduce, 1, nil))), by: customer, cmd: orders.AcceptAmendment{N: 1},
		state: "PREPARING REFUND_PENDING UNASSIGNED", events: []string{"customer order.amended"}, not: refusedProposal, check: owes(4500, 1500)},
	{name: "12a the customer accepts a cheaper dish", from: then(preparing, by(merchant, amend(orders.ChangeSubstitute, 0, cheaper))), by: customer, cmd: orders.AcceptAmendment{N: 1},
		state: "PREPARING REFUND_PENDING UNASSIGNED", events: []string{"customer order.amended"}, not: refusedProposal,
		check: func(t *testing.T, was, is orders.Order, now time.Time) {
			owes(5000, 1000)(t, was, is, now)
			if is.Items[0].ItemID != "bun" || is.Items[0].Name != "Bun" || is.Items[0].Quantity != 2 || was.Items[0].ItemID != "rice" {
				t.Errorf("lines %+v", is.Items)
			}
		}},
	{name: "12a a dearer dish costs no more than was paid", from: then(preparing, by(merchant, amend(orders.ChangeSubstitute, 0, dearer))), by: customer, cmd: orders.AcceptAmendment{N: 1},
		state: "PREPARING PAID UNASSIGNED", events: []string{"customer order.amended"}, not: expiredProposal, check: owes(6000, 0)},
	{name: "12a a dearer dish by consent costs more at the door", from: then(cashDue, by(merchant, amend(orders.ChangeSubstitute, 0, dearer))), by: customer, cmd: orders.AcceptAmendment{N: 1},
		state: "PENDING CASH_DUE UNASSIGNED", events: []string{"customer order.amended"}, not: expiredProposal, check: owes(13000, 0)},
	{name: "12a the last line goes", from: then(then(placed(oneLine), (*play).pay), by(merchant, amend(orders.ChangeRemove, 0, nil))), by: customer, cmd: orders.AcceptAmendment{N: 1},
		state: "CANCELLED REFUND_PENDING UNASSIGNED", reason: orders.ItemSoldOut, events: []string{"customer order.cancelled"}, not: expiredProposal,
		check: func(t *testing.T, _, is orders.Order, _ time.Time) {
			if is.Payment.RefundDue != 3000 {
				t.Errorf("owed back %d", is.Payment.RefundDue)
			}
		}},

	// Row 12b.
	{name: "12b the customer refuses: the line goes", from: then(preparing, by(merchant, amend(orders.ChangeSubstitute, 0, cheaper))), by: customer, cmd: orders.RejectAmendment{N: 1},
		state: "PREPARING REFUND_PENDING UNASSIGNED", events: []string{"customer order.amended"}, not: acceptedProposal,
		check: func(t *testing.T, was, is orders.Order, now time.Time) {
			owes(3000, 3000)(t, was, is, now)
			if is.Amendment.Status != orders.AmendmentRejected {
				t.Errorf("amendment %s", is.Amendment.Status)
			}
		}},
	{name: "12b the customer refuses: the order goes", from: amending, by: customer, cmd: orders.RejectAmendment{N: 1, CancelOrder: true},
		state: "CANCELLED REFUND_PENDING UNASSIGNED", reason: orders.ItemSoldOut, events: []string{"customer order.cancelled"}, not: acceptedProposal,
		check: func(t *testing.T, _, is orders.Order, _ time.Time) {
			if is.Payment.RefundDue != 6000 || is.Amendment.Status != orders.AmendmentRejected {
				t.Errorf("owed back %d, amendment %s", is.Payment.RefundDue, is.Amendment.Status)
			}
		}},

	// Row 12c.
	{name: "12c the customer says nothing: the line goes", from: then(then(preparing, by(merchant, amend(orders.ChangeSubstitute, 0, cheaper))), due), by: system, cmd: tick,
		state: "PREPARING REFUND_PENDING UNASSIGNED", events: []string{"system order.amended"},
		check: func(t *testing.T, was, is orders.Order, now time.Time) {
			owes(3000, 3000)(t, was, is, now)
			if is.Amendment.Status != orders.AmendmentExpired {
				t.Errorf("amendment %s", is.Amendment.Status)
			}
		}},
	{name: "12c the customer says nothing to the last line", from: then(then(then(placed(oneLine), (*play).pay), by(merchant, amend(orders.ChangeRemove, 0, nil))), due), by: system, cmd: tick,
		state: "CANCELLED REFUND_PENDING UNASSIGNED", reason: orders.ItemSoldOut, events: []string{"system order.cancelled"}},

	// Row 13.
	{name: "13 a courier is put in place", from: preparing, by: ops, cmd: orders.Assign{Courier: courier},
		state: "PREPARING PAID ASSIGNED", events: []string{"ops courier.assigned"}, not: paid,
		check: func(t *testing.T, was, is orders.Order, now time.Time) {
			if is.Delivery.Epoch != was.Delivery.Epoch+1 || *is.Delivery.Courier != courier {
				t.Errorf("delivery %+v", is.Delivery)
			}
			if _, _, open := is.Window(); open {
				t.Error("the window is open before pick-up")
			}
			sameTime(t, "Due", is.Due(), is.StaleAt)
		}},
	{name: "13 a courier is put in place before the kitchen begins", from: confirmed, by: ops, cmd: orders.Assign{Courier: courier},
		state: "CONFIRMED PAID ASSIGNED", events: []string{"ops courier.assigned"}, not: failing},

	// Row 14.
	{name: "14 another courier before pick-up", from: atMerchant, by: ops, cmd: orders.Assign{Courier: orders.Courier{ID: rider2.ID}},
		state: "PREPARING PAID ASSIGNED", events: []string{"ops courier.assigned"}, not: completed,
		check: func(t *testing.T, was, is orders.Order, _ time.Time) {
			if is.Delivery.Epoch != was.Delivery.Epoch+1 || is.Delivery.Courier.ID != rider2.ID || !is.Delivery.ArrivedAtMerchantAt.IsZero() {
				t.Errorf("delivery %+v", is.Delivery)
			}
		}},
	{name: "14 another courier after pick-up", from: atCustomer, by: ops, cmd: orders.Assign{Courier: orders.Courier{ID: rider2.ID}},
		state: "ON_DELIVERY PAID PICKED_UP", events: []string{"ops courier.assigned"}, not: unpaid,
		check: func(t *testing.T, was, is orders.Order, _ time.Time) {
			id, epoch, open := is.Window()
			if !open || id != rider2.ID || epoch != was.Delivery.Epoch+1 || !is.Delivery.ArrivedAtCustomerAt.IsZero() {
				t.Errorf("window of %s, epoch %d, open %v", id, epoch, open)
			}
		}},
	{name: "14 a courier after nobody carried it", from: then(onDelivery, by(ops, orders.Unassign{})), by: ops, cmd: orders.Assign{Courier: orders.Courier{ID: rider2.ID}},
		state: "ON_DELIVERY PAID PICKED_UP", events: []string{"ops courier.assigned"}, not: unpaid,
		check: func(t *testing.T, _, is orders.Order, _ time.Time) {
			if id, _, open := is.Window(); !open || id != rider2.ID {
				t.Errorf("window of %q, open %v", id, open)
			}
		}},
	{name: "14 ops takes the courier away before pick-up", from: atMerchant, by: ops, cmd: orders.Unassign{},
		state: "PREPARING PAID UNASSIGNED", events: []string{"ops courier.unassigned"}, not: preparing,
		check: func(t *testing.T, was, is orders.Order, now time.Time) {
			sameTime(t, "courierBy", is.CourierBy, now.Add(30*time.Minute))
			sameTime(t, "Due", is.Due(), is.CourierBy)
			if is.Delivery.Epoch != was.Delivery.Epoch+1 || is.Delivery.Courier != nil {
				t.Errorf("delivery %+v", is.Delivery)
			}
		}},
	{name: "14 the courier declines before pick-up", from: assigned, by: rider, cmd: orders.Unassign{},
		state: "PREPARING PAID UNASSIGNED", events: []string{"courier courier.unassigned"}, again: gone, not: onDelivery},
	{name: "14 ops takes the courier away after pick-up", from: onDelivery, by: ops, cmd: orders.Unassign{},
		state: "ON_DELIVERY PAID UNASSIGNED", events: []string{"ops courier.unassigned"}, not: completed,
		check: func(t *testing.T, was, is orders.Order, _ time.Time) {
			if id, _, open := is.Window(); open || id != "" || is.Delivery.Epoch != was.Delivery.Epoch+1 {
				t.Errorf("window of %q, open %v", id, open)
			}
			sameTime(t, "Due", is.Due(), is.StaleAt)
		}},

	// Row 15.
	{name: "15 the courier is at the merchant", from: assigned, by: rider, cmd: orders.Arrive{},
		state: "PREPARING PAID AT_MERCHANT", events: []string{"courier courier.arrived_at_merchant"}, not: func(t testing.TB) *play { return failing(t) },
		check: func(t *testing.T, _, is orders.Order, now time.Time) {
			sameTime(t, "arrivedAtMerchantAt", is.Delivery.ArrivedAtMerchantAt, now)
		}},
	{name: "15 the geofence sees the courier at the merchant", from: assigned, by: system, cmd: orders.Arrive{Stop: orders.StopMerchant},
		state: "PREPARING PAID AT_MERCHANT", events: []string{"system courier.arrived_at_merchant"}, not: preparing},

	// Row 16.
	{name: "16 the courier picks up", from: atMerchant, by: rider, cmd: orders.Pickup{Code: "code-of-pickup"},
		state: "ON_DELIVERY PAID PICKED_UP", events: []string{"courier order.on_delivery"}, not: completed,
		check: func(t *testing.T, was, is orders.Order, now time.Time) {
			id, epoch, open := is.Window()
			if !open || id != rider.ID || epoch != was.Delivery.Epoch {
				t.Errorf("window of %q, epoch %d, open %v", id, epoch, open)
			}
			sameTime(t, "pickedUpAt", is.Delivery.PickedUpAt, now)
		}},
	{name: "16 the merchant hands over", from: assigned, by: merchant, cmd: orders.Pickup{Code: "code-of-pickup"},
		state: "ON_DELIVERY PAID PICKED_UP", events: []string{"merchant order.on_delivery"}, not: preparing},
	{name: "16 a pick-up before the kitchen said a word", from: then(confirmed, (*play).assign), by: rider, cmd: orders.Pickup{},
		state: "ON_DELIVERY PAID PICKED_UP", events: []string{"courier order.on_delivery"}, not: then(assigned, (*play).amend)},

	// Row 17.
	{name: "17 the courier comes near the merchant", from: assigned, by: system, cmd: orders.Nearby{Stop: orders.StopMerchant},
		state: "PREPARING PAID ASSIGNED", events: []string{"system courier.nearby"}, not: onDelivery},
	{name: "17 the courier comes near the customer", from: onDelivery, by: system, cmd: orders.Nearby{Stop: orders.StopCustomer},
		state: "ON_DELIVERY PAID PICKED_UP", events: []string{"system courier.nearby"}, not: assigned},
	{name: "17 so does the next courier", from: then(onDelivery, func(g *play) *play {
		return g.do(system, orders.Nearby{}).do(ops, orders.Assign{Courier: orders.Courier{ID: rider2.ID}})
	}), by: system, cmd: orders.Nearby{Stop: orders.StopCustomer},
		state: "ON_DELIVERY PAID PICKED_UP", events: []string{"system courier.nearby"}, not: assigned},

	// Row 18.
	{name: "18 the courier is at the door", from: onDelivery, by: rider, cmd: orders.Arrive{},
		state: "ON_DELIVERY PAID AT_CUSTOMER", events: []string{"courier courier.arrived_at_customer"}, not: func(t testing.TB) *play { return onDelivery(t).do(rider, orders.Hand{}) },
		check: func(t *testing.T, _, is orders.Order, now time.Time) {
			sameTime(t, "arrivedAtCustomerAt", is.Delivery.ArrivedAtCustomerAt, now)
		}},
	{name: "18 the geofence sees the courier at the door", from: onDelivery, by: system, cmd: orders.Arrive{Stop: orders.StopCustomer},
		state: "ON_DELIVERY PAID AT_CUSTOMER", events: []string{"system courier.arrived_at_customer"}, not: atMerchant},

	// Row 19.
	{name: "19 the courier hands over", from: atCustomer, by: rider, cmd: orders.Hand{PhotoRef: "photo-of-door"},
		state: "COMPLETED PAID DELIVERED", events: []string{"courier order.completed"}, not: atMerchant,
		check: func(t *testing.T, _, is orders.Order, now time.Time) {
			if _, _, open := is.Window(); open || is.Delivery.PhotoRef != "photo-of-door" {
				t.Errorf("window open %v, delivery %+v", open, is.Delivery)
			}
			sameTime(t, "the end", is.EndedAt, now)
			owes(6000, 0)(t, is, is, now)
		}},
	{name: "19 the customer confirms", from: onDelivery, by: customer, cmd: orders.Hand{},
		state: "COMPLETED PAID DELIVERED", events: []string{"customer order.completed"}, not: preparing},
	{name: "19 ops completes an order that nobody carries", from: then(onDelivery, by(ops, orders.Unassign{})), by: ops, cmd: orders.Hand{},
		state: "COMPLETED PAID DELIVERED", events: []string{"ops order.completed"}, not: failing},
	{name: "19 the cash changes hands", from: func(t testing.TB) *play { return place(t, cash).confirm().assign().pickup() }, by: rider, cmd: orders.Hand{},
		state: "COMPLETED PAID DELIVERED", events: []string{"courier order.completed"}, not: atMerchant,
		check: func(t *testing.T, _, is orders.Order, now time.Time) {
			if is.Payment.Captured != 6000 {
				t.Errorf("captured %d", is.Payment.Captured)
			}
			sameTime(t, "paidAt", is.Payment.PaidAt, now)
		}},

	// Row 20.
	{name: "20 something goes wrong on the way", from: then(onDelivery, by(rider, orders.ReportProblem{Type: "FLAT_TYRE"})), by: rider, cmd: orders.ReportProblem{Type: "TRAFFIC", Note: "note-of-problem"},
		state: "ON_DELIVERY PAID PICKED_UP", events: []string{"courier delivery.problem"}, again: another, not: assigned,
		check: func(t *testing.T, _, is orders.Order, _ time.Time) {
			if len(is.Problems) != 2 || is.Problems[0].Type != "FLAT_TYRE" || is.Problems[1].Type != "TRAFFIC" {
				t.Errorf("problems %+v", is.Problems)
			}
		}},

	// Row 21.
	{name: "21 nobody opens", from: waitedAtDoor, by: rider, cmd: orders.Fail{Reason: orders.CustomerUnreachable},
		state: "FAILED PAID RETURNING", reason: orders.CustomerUnreachable, events: []string{"courier order.failed"}, not: atCustomer,
		check: func(t *testing.T, _, is orders.Order, now time.Time) {
			if _, _, open := is.Window(); open || is.Delivery.Disposition != orders.DispositionReturn || is.Payment.RefundDue != 0 {
				t.Errorf("window open %v, %+v, owed back %d", open, is.Delivery, is.Payment.RefundDue)
			}
			sameTime(t, "the end", is.EndedAt, now)
		}},
	{name: "21 ops fails what was damaged", from: onDelivery, by: ops, cmd: orders.Fail{Reason: orders.Damaged, Disposition: orders.DispositionDispose},
		state: "FAILED REFUND_PENDING DISPOSED", reason: orders.Damaged, events: []string{"ops order.failed"}, not: assigned, check: owes(6000, 6000)},
	{name: "21 an order paid at the door fails", from: func(t testing.TB) *play { return place(t, cash).confirm().assign().pickup() }, by: ops, cmd: orders.Fail{Reason: orders.CustomerRefused},
		state: "FAILED VOID RETURNING", reason: orders.CustomerRefused, events: []string{"ops order.failed"}, not: cancelled},

	// Row 22.
	{name: "22 the courier brought it back", from: failing, by: rider, cmd: orders.ReturnMade{},
		state: "FAILED PAID RETURNED", reason: orders.CustomerUnreachable, events: []string{"courier delivery.returned"}, not: onDelivery},
	{name: "22 the merchant has it back", from: failing, by: merchant, cmd: orders.ReturnMade{},
		state: "FAILED PAID RETURNED", reason: orders.CustomerUnreachable, events: []string{"merchant delivery.returned"}, not: completed},
	{name: "22 the merchant has back what ops cancelled on the road", from: then(onDelivery, by(ops, orders.Cancel{Reason: orders.Fraud})), by: merchant, cmd: orders.ReturnMade{},
		state: "CANCELLED REFUND_PENDING RETURNED", reason: orders.Fraud, events: []string{"merchant delivery.returned"}, not: cancelled},

	// Row 23.
	{name: "23 no courier is found in time", from: then(preparing, due), by: system, cmd: tick,
		state: "CANCELLED REFUND_PENDING UNASSIGNED", reason: orders.NoCourier, events: []string{"system order.cancelled"},
		check: func(t *testing.T, was, is orders.Order, now time.Time) {
			owes(6000, 6000)(t, was, is, now)
			sameTime(t, "the end", is.EndedAt, was.ConfirmedAt.Add(30*time.Minute))
		}},
	{name: "23 ops finds no courier", from: preparing, by: ops, cmd: orders.Cancel{Reason: orders.NoCourier},
		state: "CANCELLED REFUND_PENDING UNASSIGNED", reason: orders.NoCourier, events: []string{"ops order.cancelled"}, not: completed},

	// Row 24.
	{name: "24 ops cancels before pick-up", from: then(assigned, (*play).ask), by: ops, cmd: orders.Cancel{Reason: orders.Admin},
		state: "CANCELLED REFUND_PENDING ASSIGNED", reason: orders.Admin, events: []string{"ops order.cancelled"}, not: failing,
		check: func(t *testing.T, _, is orders.Order, _ time.Time) {
			if is.Cancel.Open() {
				t.Error("the customer's request still waits")
			}
		}},
	{name: "24 ops cancels on the road", from: onDelivery, by: ops, cmd: orders.Cancel{Reason: orders.ForceMajeure},
		state: "CANCELLED REFUND_PENDING RETURNING", reason: orders.ForceMajeure, events: []string{"ops order.cancelled"}, not: completed,
		check: func(t *testing.T, _, is orders.Order, _ time.Time) {
			if _, _, open := is.Window(); open {
				t.Error("the window is open after the end")
			}
		}},

	// Row 25.
	{name: "25 the provider paid back", from: cancelled, by: payer, cmd: orders.RefundMade{Amount: 6000, Reason: "CANCELLED"},
		state: "CANCELLED REFUNDED UNASSIGNED", reason: orders.CustomerCancelled, events: []string{"payment payment.refunded"}, not: paid, check: owes(6000, 0)},
	{name: "25 ops decides after a failure", from: failing, by: ops, cmd: orders.RefundMade{Amount: 6000, Reason: "GOODWILL"},
		state: "FAILED REFUNDED RETURNING", reason: orders.CustomerUnreachable, events: []string{"ops payment.refunded"}, not: preparing, check: owes(6000, 0)},
	{name: "25 ops pays back a part of what was eaten", from: completed, by: ops, cmd: orders.RefundMade{Amount: 1000, Reason: "COLD"},
		state: "COMPLETED PARTIALLY_REFUNDED DELIVERED", events: []string{"ops payment.refunded"}, again: another, not: cashDue, check: owes(6000, 0)},
	{name: "25 the provider paid back a part of what is owed", from: cancelled, by: payer, cmd: orders.RefundMade{Amount: 1000, Reason: "CANCELLED"},
		state: "CANCELLED PARTIALLY_REFUNDED UNASSIGNED", reason: orders.CustomerCancelled, events: []string{"payment payment.refunded"}, again: another, not: paid, check: owes(6000, 5000)},
	{name: "25 the difference goes back while the kitchen works", from: then(amending, by(customer, orders.AcceptAmendment{N: 1})), by: payer, cmd: orders.RefundMade{Amount: 2200, Reason: "AMENDED"},
		state: "PENDING PARTIALLY_REFUNDED UNASSIGNED", events: []string{"payment payment.refunded"}, again: refused, not: paid, check: owes(3800, 0)},

	// Rule 6.
	{name: "rule 6 an order that still runs after 24 h is closed", from: then(onDelivery, due), by: system, cmd: tick,
		state: "CANCELLED REFUND_PENDING RETURNING", reason: orders.SystemReason, events: []string{"system order.cancelled"},
		check: func(t *testing.T, was, is orders.Order, _ time.Time) {
			sameTime(t, "the end", is.EndedAt, was.CreatedAt.Add(24*time.Hour))
		}},
}

func order6000With(change ...func(*orders.Create)) orders.Create {
	c := order6000()
	for _, f := range change {
		f(&c)
	}
	return c
}

func axes(o orders.Order) string {
	return fmt.Sprintf("%s %s %s", o.Status, o.Payment.Status, o.Delivery.Status)
}

func TestRow(t *testing.T) {
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			t.Run("happens", r.happens)
			t.Run("is refused to every other role", r.otherRoles)
			t.Run("happens once", r.repeated)
			if r.not != nil {
				t.Run("is refused where it is impossible", r.impossible)
			}
		})
	}
}

func (r row) happens(t *testing.T) {
	g := r.from(t)
	was := g.o
	is, evs, err := g.try(r.by, r.cmd)
	if err != nil {
		t.Fatal(err)
	}
	if axes(is) != r.state || is.Reason != r.reason {
		t.Errorf("the order is %s %s, want %s %s", axes(is), is.Reason, r.state, r.reason)
	}
	told := []string{}
	for i, e := range evs {
		told = append(told, string(e.Actor.Role)+" "+string(e.Type))
		if e.Seq != was.Seq+int64(i)+1 || e.OrderID != playID || !e.OccurredAt.Equal(g.now) || !e.RecordedAt.Equal(g.now) {
			t.Errorf("event %d is %s:%d at %v", i, e.OrderID, e.Seq, e.OccurredAt)
		}
		if e.Actor.Role == r.by.Role && e.Actor != r.by {
			t.Errorf("event %d by %+v, want %+v", i, e.Actor, r.by)
		}
	}
	if !slices.Equal(told, r.events) {
		t.Errorf("told %q, want %q", told, r.events)
	}
	if is.Seq != was.Seq+int64(len(r.events)) || len(is.Timeline) != len(was.Timeline)+len(r.events) {
		t.Errorf("seq from %d to %d, timeline from %d to %d", was.Seq, is.Seq, len(was.Timeline), len(is.Timeline))
	}
	sameTime(t, "updatedAt", is.UpdatedAt, g.now)
	if is.Status.Final() != is.Due().IsZero() {
		t.Errorf("an order in %s is due at %v", is.Status, is.Due())
	}
	if r.check != nil {
		r.check(t, was, is, g.now)
	}
}

func (r row) otherRoles(t *testing.T) {
	g := r.from(t)
	for _, a := range everybody {
		if mayEver(&g.o, a, r.cmd.Action()) {
			continue
		}
		is, evs, err := g.try(a, r.cmd)
		if orders.KindOf(err) != orders.Forbidden || len(evs) > 0 || asJSON(t, is) != asJSON(t, g.o) {
			t.Errorf("%s %s: %v, %d events", a.Role, a.ID, err, len(evs))
		}
	}
}

func (r row) repeated(t *testing.T) {
	g := r.from(t).do(r.by, r.cmd)
	is, evs, err := g.try(r.by, r.cmd)
	switch r.again {
	case another:
		if err != nil || len(evs) != 1 {
			t.Errorf("the second one: %v, told %q", err, types(evs))
		}
		return
	case refused:
		if e := refusal(err); e == nil {
			t.Errorf("the second one: %v, told %q", err, types(evs))
		}
	case gone:
		if orders.KindOf(err) != orders.Forbidden {
			t.Errorf("the second one: %v, told %q", err, types(evs))
		}
	default:
		if err != nil || len(evs) > 0 {
			t.Errorf("the second one: %v, told %q", err, types(evs))
		}
	}
	if asJSON(t, is) != asJSON(t, g.o) {
		t.Errorf("the second one changed the order:\n%s\n%s", asJSON(t, g.o), asJSON(t, is))
	}
}

func (r row) impossible(t *testing.T) {
	g := r.not(t)
	is, evs, err := g.try(r.by, r.cmd)
	e := refusal(err)
	if e == nil {
		t.Fatalf("on an order in %s: %v, told %q", axes(g.o), err, types(evs))
	}
	if len(evs) > 0 || asJSON(t, is) != asJSON(t, g.o) {
		t.Error("a refused command changed the order")
	}
	if e.CurrentStatus != g.o.Status || e.Action != r.cmd.Action() || e.Text == "" {
		t.Errorf("refused as %+v", e)
	}
	if r.by == system { // it asks for no advice
		if len(e.AllowedActions) != 0 || e.AllowedActions == nil {
			t.Errorf("the system may %q", e.AllowedActions)
		}
		return
	}
	truthful(t, &g.o, r.by, g.now, e.AllowedActions)
}
