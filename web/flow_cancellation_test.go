package web_test

import (
	"testing"
	"time"

	"doorbell/orders"
)

func TestCancellation(t *testing.T) {
	n, c := kitchen(t)
	sorry := map[string]any{"reason": "CUSTOMER_CANCELLED", "note": "wrong address"}
	// late is a confirmed order whose free minute is over.
	late := func(n *node) string {
		path := n.order(c, "confirmed", nil)
		n.now.pass(61 * time.Second)
		return path
	}
	story := func(n *node, path string, more ...string) reply {
		return n.story(path, c.customer, append([]string{"order.created by customer", "order.paid by payment", "order.confirmed by merchant"}, more...)...)
	}

	n.sub("BeforeTheMerchantTookItTheCustomerJustCancels", func(n *node) {
		unpaid := n.order(c, "placed", nil)
		n.act(unpaid+"/cancel", c.customer, sorry).
			shows("status", "CANCELLED", "reason", "CUSTOMER_CANCELLED", "payment.status", "VOID", "reasonNote", "wrong address")
		n.story(unpaid, c.customer, "order.created by customer", "order.cancelled by customer")
		paid := n.order(c, "paid", nil)
		n.act(paid+"/cancel", c.customer, sorry).shows("payment.status", "REFUND_PENDING", "payment.refundDue", 5000)
		n.act(paid+"/cancel", c.customer, sorry).shows("seq", 3)
	})

	n.sub("AndForAMinuteBehindIt", func(n *node) {
		path := n.order(c, "confirmed", nil)
		n.act(path+"/cancel", c.customer, sorry).shows("status", "CANCELLED", "payment.refundDue", 5000)
		story(n, path, "order.cancelled by customer")
	})

	n.sub("ButNotOnceTheKitchenIsAtIt", func(n *node) {
		path := n.order(c, "preparing", nil)
		n.post(path+"/cancel", c.customer, sorry).want(202).tagged().shows("status", "PREPARING", "cancellationRequest.status", "OPEN")
	})

	n.sub("LaterItIsARequestThatTheMerchantMayRefuse", func(n *node) {
		path := late(n)
		n.post(path+"/cancel", c.customer, sorry).want(202).tagged().has("cancellationRequest.answerBy").
			shows("status", "CONFIRMED", "cancellationRequest.status", "OPEN", "cancellationRequest.note", "wrong address", "reason", nil)
		n.act(path+"/cancel", c.customer, sorry).shows("seq", 4, "cancellationRequest.status", "OPEN")
		n.act(path+"/cancellation/deny", c.merchant, nil).shows("status", "CONFIRMED", "cancellationRequest.status", "DENIED")
		n.act(path+"/cancellation/deny", c.merchant, nil).shows("seq", 5)
		n.post(path+"/cancellation/approve", c.merchant, nil).
			refused(orders.Confirmed, "prepare", "delay", "ready", "amendments")
		n.post(path+"/cancel", c.customer, sorry).want(202).shows("cancellationRequest.status", "OPEN")
		n.post(path+"/reject", c.merchant, map[string]any{"reason": "STORE_BUSY"}).
			refused(orders.Confirmed, "prepare", "delay", "ready", "amendments", "cancellation/approve", "cancellation/deny")
		story(n, path, "order.cancellation_requested by customer", "order.cancellation_denied by merchant",
			"order.cancellation_requested by customer").shows("items.3.payload.cancellationRequest.status", "OPEN",
			"items.4.payload.cancellationRequest.status", "DENIED")
	})

	n.sub("OrGrant", func(n *node) {
		path := late(n)
		n.post(path+"/cancel", c.customer, sorry).want(202)
		n.act(path+"/cancellation/approve", c.merchant, nil).
			shows("status", "CANCELLED", "reason", "CUSTOMER_REQUEST_APPROVED", "cancellationRequest.status", "APPROVED", "payment.refundDue", 5000)
		n.act(path+"/cancellation/approve", c.merchant, nil).shows("seq", 5)
		story(n, path, "order.cancellation_requested by customer", "order.cancelled by merchant")
	})

	n.sub("SilenceGrantsIt", func(n *node) {
		path := late(n)
		n.post(path+"/cancel", c.customer, sorry).want(202)
		n.pass(path, 15*time.Minute)
		n.get(path, c.customer).want(200).
			shows("status", "CANCELLED", "reason", "CUSTOMER_REQUEST_APPROVED", "cancellationRequest.status", "APPROVED")
		story(n, path, "order.cancellation_requested by customer", "order.cancelled by system")
	})

	n.sub("ThePickUpAnswersItWithNo", func(n *node) {
		path := late(n)
		n.put(path+"/courier", c.ops, rider).want(200)
		n.post(path+"/cancel", c.customer, sorry).want(202)
		n.act(path+"/pickup", c.courier, nil).shows("status", "ON_DELIVERY", "cancellationRequest.status", "DENIED", "seq", 7)
		n.post(path+"/cancel", c.customer, sorry).refused(orders.OnDelivery, "deliver")
		story(n, path, "courier.assigned by ops", "order.cancellation_requested by customer",
			"order.cancellation_denied by system", "order.on_delivery by courier")
	})

	n.sub("OpsCancelsWhatIsOnTheRoadAndTheFoodGoesBack", func(n *node) {
		path := n.order(c, "onway", nil)
		n.act(path+"/cancel", c.ops, map[string]any{"reason": "FRAUD"}).
			shows("status", "CANCELLED", "reason", "FRAUD", "delivery.status", "RETURNING", "payment.refundDue", 5000)
		n.post(path+"/deliver", c.courier, nil).refused(orders.Cancelled, "returned")
		n.act(path+"/returned", c.merchant, nil).shows("status", "CANCELLED", "delivery.status", "RETURNED")
		n.act(path+"/returned", c.courier, nil).shows("delivery.status", "RETURNED", "seq", 8)
		story(n, path, "order.preparing by merchant", "courier.assigned by ops", "order.on_delivery by courier",
			"order.cancelled by ops", "delivery.returned by merchant")
	})

	n.sub("OpsReasonsAreNotTheCustomers", func(n *node) {
		path := n.order(c, "placed", nil)
		n.post(path+"/cancel", c.customer, map[string]any{"reason": "FRAUD"}).broken("/reason")
		n.post(path+"/cancel", c.customer, map[string]any{"reason": "PAYMENT_TIMEOUT"}).want(400)
	})

	n.sub("NoCourierInTime", func(n *node) {
		path := n.order(c, "confirmed", nil)
		n.pass(path, 30*time.Minute)
		n.get(path, c.customer).want(200).shows("status", "CANCELLED", "reason", "NO_COURIER", "payment.refundDue", 5000)
		story(n, path, "order.cancelled by system")
	})

	n.sub("WhatRunsForADayIsClosed", func(n *node) {
		path := n.order(c, "onway", nil)
		n.pass(path, 24*time.Hour)
		n.get(path, c.ops).want(200).shows("status", "CANCELLED", "reason", "SYSTEM", "delivery.status", "RETURNING")
	})
}
