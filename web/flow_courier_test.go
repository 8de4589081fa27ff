package web_test

import (
	"net/http"
	"testing"
	"time"

	"doorbell/orders"
)

func TestCourier(t *testing.T) {
	n, c := kitchen(t)
	second := map[string]any{"courierId": "cou_2", "name": "Zhao"}
	story := func(n *node, path string, more ...string) reply {
		return n.story(path, c.customer, append([]string{"order.created by customer", "order.paid by payment",
			"order.confirmed by merchant", "order.preparing by merchant", "courier.assigned by ops"}, more...)...)
	}

	n.sub("AnotherTakesOverBeforeThePickUp", func(n *node) {
		path := n.order(c, "assigned", nil)
		n.act(path+"/arrive", c.courier, nil)
		n.put(path+"/courier", c.ops, second).want(200).tagged().
			shows("delivery.courier.courierId", "cou_2", "delivery.status", "ASSIGNED", "delivery.arrivedAtMerchantAt", nil)
		n.put(path+"/courier", c.ops, second).want(200).shows("seq", 7)
		n.post(path+"/pickup", c.courier, nil).want(404)
		n.get(path, c.courier).want(404)
		n.act(path+"/pickup", c.otherCourier, nil).shows("status", "ON_DELIVERY")
		story(n, path, "courier.arrived_at_merchant by courier", "courier.assigned by ops", "order.on_delivery by courier").
			shows("items.6.payload.delivery.courier.courierId", "cou_2")
	})

	n.sub("AnotherTakesOverOnTheRoad", func(n *node) {
		path := n.order(c, "onway", nil)
		n.act(path+"/arrive", c.courier, nil)
		n.put(path+"/courier", c.ops, second).want(200).
			shows("status", "ON_DELIVERY", "delivery.status", "PICKED_UP", "delivery.arrivedAtCustomerAt", nil)
		n.post(path+"/deliver", c.courier, nil).want(404)
		n.get(path, c.courier).want(404)
		n.act(path+"/deliver", c.otherCourier, nil).shows("status", "COMPLETED")
		story(n, path, "order.on_delivery by courier", "courier.arrived_at_customer by courier", "courier.assigned by ops",
			"order.completed by courier")
	})

	n.sub("GivesTheOrderBackUntilThePickUp", func(n *node) {
		path := n.order(c, "assigned", nil)
		n.now.pass(20 * time.Minute)
		n.call(http.MethodDelete, path+"/courier", c.courier, nil).want(200).tagged().
			shows("delivery.status", "UNASSIGNED", "delivery.courier", nil, "address", nil, "items.0.note", nil) // not its any more
		n.get(path, c.courier).want(404)
		n.call(http.MethodDelete, path+"/courier", c.ops, nil).want(200).shows("seq", 6)
		n.pass(path, 29*time.Minute) // the clock for finding one started anew
		n.get(path, c.customer).want(200).shows("status", "PREPARING")
		n.put(path+"/courier", c.ops, second).want(200)
		n.act(path+"/pickup", c.otherCourier, nil)
		n.call(http.MethodDelete, path+"/courier", c.otherCourier, nil).refused(orders.OnDelivery, "arrive", "deliver", "problem")
		n.call(http.MethodDelete, path+"/courier", c.ops, nil).want(200).shows("status", "ON_DELIVERY", "delivery.courier", nil)
		story(n, path, "courier.unassigned by courier", "courier.assigned by ops", "order.on_delivery by courier", "courier.unassigned by ops")
	})

	n.sub("ShowsThePINOrOpsDecidesAfterFiveWrongOnes", func(n *node) {
		path := n.order(c, "onway", fields("restaurantId", "res_pin"))
		pin := n.get(path, c.customer).want(200).text("pin")
		wrong := "0000"
		if pin == wrong {
			wrong = "1111"
		}
		n.post(path+"/deliver", c.courier, nil).broken("/pin").shows("code", nil)
		for range orders.MaxPINTries {
			n.post(path+"/deliver", c.courier, map[string]any{"pin": wrong}).broken("/pin").shows("code", "WRONG_PIN")
		}
		n.post(path+"/deliver", c.courier, map[string]any{"pin": pin}).broken("/pin").shows("code", "PIN_LOCKED")
		n.get(path, c.customer).want(200).shows("status", "ON_DELIVERY", "seq", 6)
		n.act(path+"/deliver", c.ops, nil).shows("status", "COMPLETED")
		story(n, path, "order.on_delivery by courier", "order.completed by ops")

		again := n.order(c, "onway", fields("restaurantId", "res_pin"))
		n.act(again+"/deliver", c.courier, map[string]any{"pin": n.get(again, c.customer).text("pin")}).shows("status", "COMPLETED")
	})

	n.sub("ShowsThePhoto", func(n *node) {
		path := n.order(c, "onway", fields("restaurantId", "res_photo"))
		n.post(path+"/deliver", c.courier, nil).broken("/photoRef")
		n.act(path+"/deliver", c.courier, map[string]any{"photoRef": "photo-17"}).shows("status", "COMPLETED", "delivery.photoRef", "photo-17")
		n.get(path, c.customer).want(200).shows("delivery.photoRef", "photo-17")
	})

	n.sub("GivesUpOnlyAfterWaitingAndCalling", func(n *node) {
		path := n.order(c, "onway", nil)
		giveUp := map[string]any{"reason": "CUSTOMER_UNREACHABLE", "note": "no bell"}
		n.post(path+"/fail", c.courier, giveUp).refused(orders.OnDelivery, "arrive", "deliver", "problem")
		n.act(path+"/arrive", c.courier, nil)
		n.act(path+"/problem", c.courier, map[string]any{"type": "GATE_LOCKED"})
		n.now.pass(7 * time.Minute)
		n.post(path+"/fail", c.courier, giveUp).refused(orders.OnDelivery, "deliver", "problem")
		n.act(path+"/problem", c.courier, map[string]any{"type": "CONTACT_ATTEMPT", "note": "called twice"}).
			shows("problems.0.type", "GATE_LOCKED", "problems.1.type", "CONTACT_ATTEMPT")
		n.act(path+"/fail", c.courier, giveUp).
			shows("status", "FAILED", "reason", "CUSTOMER_UNREACHABLE", "delivery.status", "RETURNING", "delivery.disposition", "RETURN", "address", nil)
		n.get(path, c.customer).want(200).shows("payment.status", "PAID", "payment.refundDue", nil, "reasonNote", "no bell", "estimatedTime", nil)
		n.act(path+"/returned", c.courier, nil).shows("status", "FAILED", "delivery.status", "RETURNED")
		n.act(path+"/refunds", c.ops, map[string]any{"amount": 2000, "reason": "goodwill"}).shows("payment.status", "PARTIALLY_REFUNDED")
		story(n, path, "order.on_delivery by courier", "courier.arrived_at_customer by courier", "delivery.problem by courier",
			"delivery.problem by courier", "order.failed by courier", "delivery.returned by courier", "payment.refunded by ops").
			shows("items.8.payload.problem.type", "CONTACT_ATTEMPT", "items.9.payload.status", "FAILED")
	})

	n.sub("WhatFailsForOurFaultIsRefunded", func(n *node) {
		path := n.order(c, "onway", nil)
		n.act(path+"/fail", c.ops, map[string]any{"reason": "DAMAGED", "disposition": "DISPOSE"}).
			shows("status", "FAILED", "delivery.status", "DISPOSED", "payment.status", "REFUND_PENDING", "payment.refundDue", 5000)
		n.post(path+"/returned", c.courier, nil).refused(orders.Failed)
		cash := n.order(c, "onway", fields("paymentMethod", "CASH"))
		n.act(cash+"/fail", c.ops, map[string]any{"reason": "LOST"}).shows("payment.status", "VOID", "payment.refundDue", nil)
	})

	n.sub("SaysWhereItArrived", func(n *node) {
		path := n.order(c, "assigned", nil)
		n.post(path+"/arrive", c.courier, map[string]any{"stop": "CUSTOMER"}).refused(orders.Preparing, "courier", "arrive", "pickup")
		n.act(path+"/arrive", c.courier, map[string]any{"stop": "MERCHANT"}).shows("delivery.status", "AT_MERCHANT")
		n.act(path+"/arrive", c.courier, nil).shows("seq", 6)
	})
}
