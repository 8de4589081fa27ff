package orders_test

import (
	"fmt"
	"strings"
	"testing"

	"doorbell/orders"
)

func TestEventNamesWhatItIsAbout(t *testing.T) {
	for _, c := range []struct {
		name string
		g    *play
		i    int
		path string
		want any
	}{
		{"the dishes that are out", paid(t).do(merchant, orders.Reject{Reason: orders.ItemSoldOut, OutOfStock: []string{"soup"}}), 0, "outOfStockItems", []any{"soup"}},
		{"the kitchen's time", paid(t).do(merchant, orders.Confirm{PrepMinutes: 25}), 0, "prepMinutes", 25.0},
		{"the minutes left", paid(t).do(merchant, orders.Confirm{PrepMinutes: 25}), 0, "estimatedTime", 25.0},
		{"the new total", amending(t).do(customer, orders.AcceptAmendment{N: 1}), 0, "total", 3800.0},
		{"the answer", amending(t).do(customer, orders.AcceptAmendment{N: 1}), 0, "amendment.status", "ACCEPTED"},
		{"the proposal", amending(t), 0, "amendment.change", "REMOVE"},
		{"the request", asking(t), 0, "cancellationRequest.status", "OPEN"},
		{"the request that was granted", asking(t).do(merchant, orders.ApproveCancellation{}), 0, "cancellationRequest.status", "APPROVED"},
		{"the problem", onDelivery(t).do(rider, orders.ReportProblem{Type: "TRAFFIC"}), 0, "problem.type", "TRAFFIC"},
		{"the money owed back", timedOut(t).do(payer, orders.Pay{Amount: 77, TransactionID: "x"}), 0, "refund.amount", 77.0},
		{"the money that went back", cancelled(t).do(payer, orders.RefundMade{Amount: 70}), 0, "refund.amount", 70.0},
		{"the courier", assigned(t), 0, "delivery.courier.name", "Li"},
		{"the stop", onDelivery(t).do(system, orders.Nearby{}), 0, "leg", "CUSTOMER"},
		{"the reason", completedNot(t), 0, "reason", "DAMAGED"},
		{"when the food was ready", ready(t), 0, "readyAt", "2025-09-21T11:13:00.000Z"},
		{"until when to accept", paid(t), 0, "acceptBy", "2025-09-21T11:11:00.000Z"},
		{"until when to pay", unpaid(t), 0, "payment.payBy", "2025-09-21T11:15:00.000Z"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var v any = payload(t, c.g, c.i)
			for _, k := range strings.Split(c.path, ".") {
				m, _ := v.(map[string]any)
				v = m[k]
			}
			if fmt.Sprint(v) != fmt.Sprint(c.want) {
				t.Errorf("%s is %v, want %v in\n%s", c.path, v, c.want, c.g.evs[c.i].Envelope)
			}
		})
	}
}

func completedNot(t testing.TB) *play {
	return onDelivery(t).do(ops, orders.Fail{Reason: orders.Damaged})
}
