package web_test

import (
	"context"
	"testing"
	"time"

	"doorbell/orders"
	"doorbell/web"
)

// The scenarios of contract C12 are in the flow files: here the happy ways and what a merchant decides, beside them
// money, sold-out dishes, cancellations and the courier's way.

// kitchen is a node without a limit on unpaid orders, with res_1 and a restaurant for each of its ways.
func kitchen(t *testing.T) (*node, cast) {
	t.Helper()
	n := start(t, func(_ *web.Config, oc *orders.Config) { oc.UnpaidOrders = 0 })
	c := newCast(t)
	c.merchant = token(t, orders.RoleMerchant, "mer_1", "res_1", "res_auto", "res_pin", "res_photo", "res_menu")
	n.restaurant(c, "res_1", nil)
	n.restaurant(c, "res_auto", fields("autoAccept", true, "prepMinutes", 15))
	n.restaurant(c, "res_pin", fields("proof", "PIN"))
	n.restaurant(c, "res_photo", fields("proof", "PHOTO"))
	n.restaurant(c, "res_menu", fields("menu", []any{
		map[string]any{"itemId": "rice", "name": "Fried rice", "unitPrice": 1500, "available": true},
		map[string]any{"itemId": "soup", "name": "Hot soup", "unitPrice": 2000, "available": true},
		map[string]any{"itemId": "stew", "name": "Stew", "unitPrice": 1800, "available": true},
		map[string]any{"itemId": "duck", "name": "Duck", "unitPrice": 9000, "available": true},
		map[string]any{"itemId": "fish", "name": "Fish", "unitPrice": 3000, "available": false},
	}))
	return n, c
}

var rider = map[string]any{"courierId": "cou_1", "name": "Wang", "vehicle": "bike", "phone": "+8617000000000"}

func TestHappyWays(t *testing.T) {
	n, c := kitchen(t)

	n.sub("PaidOnlineFromTheBasketToTheDoor", func(n *node) {
		r := n.post("/v1/orders", c.customer, orderBody(nil)).want(201).tagged().has("payment.payBy").shows(
			"status", "PENDING", "payment.status", "UNPAID", "delivery.status", "UNASSIGNED", "total", 5000, "currency", "CNY",
			"seq", 1, "acceptBy", nil, "estimatedTime", nil, "customerId", "cus_1")
		path := r.Header.Get("Location")
		if path != "/v1/orders/"+r.text("orderId") {
			n.t.Errorf("Location %s for %s", path, r.text("orderId"))
		}
		n.get(path, c.merchant).want(404)
		n.act(path+"/pay", c.payment, map[string]any{"amount": 5000, "currency": "CNY", "transactionId": "tx_1"}).has("acceptBy").
			shows("status", "PENDING", "payment.status", "PAID", "payment.captured", 5000, "payment.payBy", nil)
		n.get(path, c.merchant).want(200).shows("items.0.note", "no egg")
		n.act(path+"/confirm", c.merchant, map[string]any{"prepMinutes": 25}).
			shows("status", "CONFIRMED", "estimatedTime", 25, "prepMinutes", 25, "acceptBy", nil)
		n.now.pass(5 * time.Minute)
		n.get(path, c.customer).want(200).shows("estimatedTime", 20)
		n.act(path+"/delay", c.merchant, map[string]any{"prepMinutes": 30}).shows("estimatedTime", 30, "status", "CONFIRMED")
		n.act(path+"/prepare", c.merchant, nil).shows("status", "PREPARING")
		n.put(path+"/courier", c.ops, rider).want(200).tagged().
			shows("delivery.status", "ASSIGNED", "delivery.courier.name", "Wang", "status", "PREPARING")
		n.act(path+"/arrive", c.courier, nil).shows("delivery.status", "AT_MERCHANT").has("delivery.arrivedAtMerchantAt")
		n.act(path+"/ready", c.merchant, nil).shows("status", "PREPARING").has("readyAt")
		n.act(path+"/pickup", c.courier, nil).shows("status", "ON_DELIVERY", "delivery.status", "PICKED_UP")
		n.act(path+"/arrive", c.courier, nil).shows("delivery.status", "AT_CUSTOMER").has("delivery.arrivedAtCustomerAt")
		n.act(path+"/deliver", c.courier, nil).
			shows("status", "COMPLETED", "delivery.status", "DELIVERED", "estimatedTime", nil, "reason", nil, "problems", []any{})
		n.story(path, c.customer,
			"order.created by customer", "order.paid by payment", "order.confirmed by merchant", "order.delayed by merchant",
			"order.preparing by merchant", "courier.assigned by ops", "courier.arrived_at_merchant by courier",
			"order.ready by merchant", "order.on_delivery by courier", "courier.arrived_at_customer by courier",
			"order.completed by courier").
			shows("items.0.payload.total", 5000, "items.2.payload.status", "CONFIRMED", "items.2.payload.estimatedTime", 25,
				"items.3.payload.estimatedTime", 30, "items.3.payload.prepMinutes", 30, "items.5.payload.delivery.courier.name", "Wang",
				"items.10.payload.status", "COMPLETED", "items.10.payload.estimatedTime", nil)
	})

	n.sub("CashIsShownToTheMerchantAtOnceAndPaidAtTheDoor", func(n *node) {
		r := n.post("/v1/orders", c.customer, with("paymentMethod", "CASH")).want(201).tagged().has("acceptBy").
			shows("status", "PENDING", "payment.status", "CASH_DUE", "payment.payBy", nil, "payment.captured", nil)
		path := r.Header.Get("Location")
		n.post(path+"/pay", c.payment, map[string]any{"amount": 5000, "transactionId": "tx_1"}).refused(orders.Pending)
		n.act(path+"/confirm", c.merchant, map[string]any{"prepMinutes": 10})
		n.act(path+"/ready", c.merchant, nil).shows("status", "PREPARING").has("readyAt") // two events
		n.put(path+"/courier", c.ops, rider).want(200)
		n.act(path+"/pickup", c.merchant, map[string]any{"code": "A7"}).shows("status", "ON_DELIVERY")
		n.act(path+"/deliver", c.customer, nil).shows("status", "COMPLETED", "payment.status", "PAID", "payment.captured", 5000).
			has("payment.paidAt")
		n.story(path, c.merchant,
			"order.created by customer", "order.confirmed by merchant", "order.preparing by merchant", "order.ready by merchant",
			"courier.assigned by ops", "order.on_delivery by merchant", "order.completed by customer").
			shows("items.6.payload.payment.status", "PAID")
	})

	n.sub("ARestaurantThatTakesEveryOrderConfirmsByItself", func(n *node) {
		path := n.order(c, "placed", fields("restaurantId", "res_auto"))
		n.act(path+"/pay", c.payment, map[string]any{"amount": 5000, "transactionId": "tx_1"}).shows("seq", 3)
		n.get(path, c.customer).want(200).shows("status", "CONFIRMED", "estimatedTime", 15)
		n.act(path+"/confirm", c.merchant, map[string]any{"prepMinutes": 40}).shows("prepMinutes", 15, "seq", 3)
		n.story(path, c.merchant, "order.created by customer", "order.paid by payment", "order.confirmed by system")
		n.post("/v1/orders", c.customer, with("restaurantId", "res_auto", "paymentMethod", "CASH")).want(201).tagged().
			shows("status", "CONFIRMED", "seq", 2, "estimatedTime", 15)
	})
}

func TestMerchantDecides(t *testing.T) {
	n, c := kitchen(t)

	n.sub("RejectNamesWhatIsSoldOut", func(n *node) {
		path := n.order(c, "paid", nil)
		n.post(path+"/reject", c.merchant, map[string]any{"reason": "NO_MOOD"}).want(400)
		reject := map[string]any{"reason": "ITEM_SOLD_OUT", "outOfStockItems": []string{"soup"}, "note": "sorry"}
		n.act(path+"/reject", c.merchant, reject).
			shows("status", "CANCELLED", "reason", "ITEM_SOLD_OUT", "reasonNote", "sorry", "payment.status", "REFUND_PENDING",
				"payment.refundDue", 5000, "estimatedTime", nil)
		n.act(path+"/reject", c.merchant, reject).shows("seq", 3)
		n.post(path+"/confirm", c.merchant, map[string]any{"prepMinutes": 20}).refused(orders.Cancelled)
		n.story(path, c.customer, "order.created by customer", "order.paid by payment", "order.cancelled by merchant").
			shows("items.2.payload.outOfStockItems", []any{"soup"}, "items.2.payload.reason", "ITEM_SOLD_OUT",
				"items.2.payload.payment.status", "REFUND_PENDING")
	})

	n.sub("RejectedCashOwesNothing", func(n *node) {
		path := n.order(c, "placed", fields("paymentMethod", "CASH"))
		n.act(path+"/reject", c.merchant, map[string]any{"reason": "STORE_CLOSED"}).
			shows("status", "CANCELLED", "payment.status", "VOID", "payment.refundDue", nil)
	})

	n.sub("SilenceIsRemindedOfAndThenCancels", func(n *node) {
		path := n.order(c, "paid", nil)
		n.pass(path, 5*time.Minute)
		n.get(path, c.merchant).want(200).shows("status", "PENDING", "seq", 3)
		n.pass(path, 5*time.Minute)
		n.get(path, c.customer).want(200).shows("status", "CANCELLED", "reason", "MERCHANT_TIMEOUT", "payment.refundDue", 5000)
		n.story(path, c.customer, "order.created by customer", "order.paid by payment", "order.acceptance_due by system",
			"order.cancelled by system")
	})

	n.sub("EachStateSaysWhatIsPossibleInstead", func(n *node) {
		path := n.order(c, "placed", nil)
		n.post(path+"/refunds", c.payment, map[string]any{"amount": 1, "reason": "x"}).refused(orders.Pending, "pay")
		n.act(path+"/pay", c.payment, map[string]any{"amount": 5000, "transactionId": "tx_1"})
		n.post(path+"/ready", c.merchant, nil).refused(orders.Pending, "confirm", "reject", "amendments").shows("action", "ready")
		n.act(path+"/confirm", c.merchant, map[string]any{"prepMinutes": 20})
		n.post(path+"/reject", c.merchant, map[string]any{"reason": "STORE_BUSY"}).
			refused(orders.Confirmed, "prepare", "delay", "ready", "amendments")
		n.act(path+"/ready", c.merchant, nil)
		n.post(path+"/delay", c.merchant, map[string]any{"prepMinutes": 9}).refused(orders.Preparing, "amendments")
		n.put(path+"/courier", c.ops, rider).want(200)
		n.post(path+"/delay", c.merchant, map[string]any{"prepMinutes": 9}).refused(orders.Preparing, "amendments", "pickup")
		n.act(path+"/pickup", c.courier, nil)
		n.post(path+"/delay", c.merchant, map[string]any{"prepMinutes": 9}).refused(orders.OnDelivery)
		n.act(path+"/deliver", c.courier, nil)
		n.put(path+"/courier", c.ops, rider).refused(orders.Completed, "refunds")
	})

	n.sub("TheLastMinuteIsNeverShownAsNone", func(n *node) {
		path := n.order(c, "confirmed", nil)
		n.now.pass(25 * time.Minute)
		n.get(path, c.customer).want(200).shows("estimatedTime", 1)
	})
}

// TestTimersRun: the clocks fire by themselves, with nobody asking.
func TestTimersRun(t *testing.T) {
	n := start(t, func(_ *web.Config, oc *orders.Config) {
		oc.Policy = orders.DefaultPolicy
		oc.Policy.PayBy = 50 * time.Millisecond
	})
	c := newCast(t)
	n.restaurant(c, "res_1", nil)
	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- n.service.RunTimers(ctx, func(err error) { t.Error(err) }) }()
	defer func() { cancel(); <-ran }()

	path := n.post("/v1/orders", c.customer, orderBody(nil)).want(201).Header.Get("Location")
	n.get(path, c.customer, "Prefer", "wait=30", "If-None-Match", `"1"`).want(200).
		shows("status", "CANCELLED", "reason", "PAYMENT_TIMEOUT", "payment.status", "EXPIRED")
	n.story(path, c.customer, "order.created by customer", "order.cancelled by system")
}
