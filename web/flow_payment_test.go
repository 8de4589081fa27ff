package web_test

import (
	"testing"
	"time"

	"doorbell/orders"
)

// payment is the provider's word that an order's 5000 came in.
func payment(id string) map[string]any { return map[string]any{"amount": 5000, "transactionId": id} }

func TestMoneyComesIn(t *testing.T) {
	n, c := kitchen(t)

	n.sub("TheWrongAmountOrCurrencyIsNoPayment", func(n *node) {
		path := n.order(c, "placed", nil)
		n.post(path+"/pay", c.payment, map[string]any{"amount": 4999, "transactionId": "tx_1"}).broken("/amount")
		n.post(path+"/pay", c.payment, map[string]any{"amount": 5000, "currency": "USD", "transactionId": "tx_1"}).broken("/currency")
		n.get(path, c.customer).want(200).shows("payment.status", "UNPAID", "seq", 1)
	})

	n.sub("NobodyPaysInTimeAndThenTheMoneyComes", func(n *node) {
		path := n.order(c, "placed", nil)
		n.pass(path, 15*time.Minute)
		n.get(path, c.customer).want(200).tagged().
			shows("status", "CANCELLED", "reason", "PAYMENT_TIMEOUT", "payment.status", "EXPIRED", "payment.payBy", nil)
		n.get(path, c.merchant).want(404)
		n.act(path+"/pay", c.payment, payment("tx_1")).
			shows("status", "CANCELLED", "reason", "PAYMENT_TIMEOUT", "payment.status", "REFUND_PENDING", "payment.refundDue", 5000)
		n.get(path, c.merchant).want(404)
		n.act(path+"/refunds", c.payment, map[string]any{"amount": 5000, "reason": "too late"}).
			shows("payment.status", "REFUNDED", "payment.refundDue", nil, "payment.refunded", 5000)
		n.story(path, c.customer, "order.created by customer", "order.cancelled by system",
			"payment.refund_requested by payment", "payment.refunded by payment").
			shows("items.2.payload.refund.amount", 5000, "items.2.payload.status", "CANCELLED")
	})

	n.sub("PayingTwiceIsOwedBackAndTheOrderGoesOn", func(n *node) {
		path := n.order(c, "paid", nil)
		n.act(path+"/pay", c.payment, payment("tx_1")).shows("seq", 2, "payment.status", "PAID")
		n.act(path+"/pay", c.payment, payment("tx_2")).
			shows("status", "PENDING", "payment.status", "REFUND_PENDING", "payment.captured", 10000, "payment.refundDue", 5000)
		n.act(path+"/pay", c.payment, payment("tx_2")).shows("seq", 3, "payment.captured", 10000)
		n.act(path+"/confirm", c.merchant, map[string]any{"prepMinutes": 20})
		n.post(path+"/refunds", c.payment, map[string]any{"amount": 5001, "reason": "twice"}).broken("/amount")
		n.act(path+"/refunds", c.payment, map[string]any{"amount": 5000, "reason": "twice"}).
			shows("payment.status", "PARTIALLY_REFUNDED", "payment.refunded", 5000, "status", "CONFIRMED")
		n.post(path+"/refunds", c.payment, map[string]any{"amount": 1, "reason": "more"}).refused(orders.Confirmed)
		n.story(path, c.customer, "order.created by customer", "order.paid by payment", "payment.refund_requested by payment",
			"order.confirmed by merchant", "payment.refunded by payment")
	})
}

func TestMoneyGoesBack(t *testing.T) {
	n, c := kitchen(t)

	n.sub("InPartThenWhole", func(n *node) {
		path := n.order(c, "completed", nil)
		seq := n.act(path+"/refunds", c.ops, map[string]any{"amount": 1000, "reason": "cold soup"}).
			shows("status", "COMPLETED", "payment.status", "PARTIALLY_REFUNDED", "payment.refunded", 1000).seq()
		n.post(path+"/refunds", c.payment, map[string]any{"amount": 4001, "reason": "too much"}).broken("/amount")
		n.act(path+"/refunds", c.payment, map[string]any{"amount": 4000, "reason": "the rest"}).
			shows("status", "COMPLETED", "payment.status", "REFUNDED", "payment.refunded", 5000, "seq", seq+1)
		n.act(path+"/refunds", c.payment, map[string]any{"amount": 1, "reason": "again"}).shows("seq", seq+1, "payment.refunded", 5000)
	})

	n.sub("NotWhileTheOrderRunsAndNothingIsOwed", func(n *node) {
		path := n.order(c, "onway", nil)
		n.post(path+"/refunds", c.ops, map[string]any{"amount": 1, "reason": "kind"}).
			refused(orders.OnDelivery, "cancel", "courier", "arrive", "deliver", "problem", "fail")
	})

	n.sub("NeverWhatDidNotComeIn", func(n *node) {
		path := n.order(c, "placed", nil)
		n.act(path+"/cancel", c.customer, map[string]any{"reason": "OTHER"}).shows("payment.status", "VOID")
		n.post(path+"/refunds", c.payment, map[string]any{"amount": 1, "reason": "kind"}).refused(orders.Cancelled)
	})
}
