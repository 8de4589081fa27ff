package web_test

import (
	"testing"
	"time"

	"doorbell/orders"
)

func remove(item string) map[string]any { return map[string]any{"itemId": item, "change": "REMOVE"} }

// instead proposes this dish in place of the soup.
func instead(item, name string, price int) map[string]any {
	return map[string]any{"itemId": "soup", "change": "SUBSTITUTE",
		"substitute": map[string]any{"itemId": item, "name": name, "unitPrice": price}}
}

func TestSoldOutDish(t *testing.T) {
	n, c := kitchen(t)
	stew, duck := instead("stew", "Stew", 1500), instead("duck", "Duck", 9000)
	story := func(n *node, path string, more ...string) reply {
		return n.story(path, c.customer, append([]string{"order.created by customer", "order.paid by payment"}, more...)...)
	}

	n.sub("TheCustomerAgreesAndTheDifferenceIsOwed", func(n *node) {
		path := n.order(c, "confirmed", nil)
		n.act(path+"/amendments", c.merchant, remove("soup")).has("amendment.answerBy").
			shows("amendment.n", 1, "amendment.status", "PROPOSED", "total", 5000, "status", "CONFIRMED")
		n.post(path+"/amendments", c.merchant, remove("rice")).refused(orders.Confirmed, "prepare", "delay", "ready")
		n.act(path+"/amendments/1/accept", c.customer, nil).
			shows("amendment.status", "ACCEPTED", "total", 3000, "items.1", nil, "payment.status", "REFUND_PENDING", "payment.refundDue", 2000)
		n.act(path+"/amendments/1/accept", c.customer, nil).shows("seq", 5)
		n.post(path+"/amendments/1/reject", c.customer, nil).refused(orders.Confirmed, "cancel")
		n.post(path+"/amendments/7/accept", c.customer, nil).want(404)
		story(n, path, "order.confirmed by merchant", "order.amendment_proposed by merchant", "order.amended by customer").
			shows("items.3.payload.amendment.itemId", "soup", "items.4.payload.total", 3000, "items.4.payload.items.0.quantity", 2,
				"items.4.payload.amendment.status", "ACCEPTED")
	})

	n.sub("TheCustomerIsToldWhatItCanAnswer", func(n *node) {
		path := n.order(c, "confirmed", nil)
		n.act(path+"/amendments", c.merchant, remove("soup"))
		n.post(path+"/deliver", c.customer, nil).
			refused(orders.Confirmed, "amendments/1/accept", "amendments/1/reject", "cancel")
	})

	n.sub("TheCustomerRefusesAndTheLineGoes", func(n *node) {
		path := n.order(c, "paid", nil)
		n.act(path+"/amendments", c.merchant, stew)
		n.act(path+"/amendments/1/reject", c.customer, nil).
			shows("amendment.status", "REJECTED", "total", 3000, "items.1", nil, "payment.refundDue", 2000, "status", "PENDING")
		story(n, path, "order.amendment_proposed by merchant", "order.amended by customer")
	})

	n.sub("TheCustomerWouldRatherCancel", func(n *node) {
		path := n.order(c, "preparing", nil)
		n.act(path+"/amendments", c.merchant, remove("soup"))
		n.act(path+"/amendments/1/reject", c.customer, map[string]any{"cancelOrder": true}).
			shows("status", "CANCELLED", "reason", "ITEM_SOLD_OUT", "amendment.status", "REJECTED", "payment.refundDue", 5000)
		story(n, path, "order.confirmed by merchant", "order.preparing by merchant", "order.amendment_proposed by merchant",
			"order.cancelled by customer")
	})

	n.sub("WithoutAnAnswerTheLineGoes", func(n *node) {
		path := n.order(c, "confirmed", nil)
		n.act(path+"/amendments", c.merchant, stew)
		n.pass(path, 3*time.Minute)
		n.get(path, c.customer).want(200).shows("amendment.status", "EXPIRED", "total", 3000, "items.1", nil, "payment.refundDue", 2000)
		story(n, path, "order.confirmed by merchant", "order.amendment_proposed by merchant", "order.amended by system")
	})

	n.sub("NothingLeftCancels", func(n *node) {
		path := n.order(c, "confirmed", fields("soldOutPolicy", "REMOVE"))
		n.act(path+"/amendments", c.merchant, remove("soup")).shows("status", "CONFIRMED", "total", 3000)
		n.act(path+"/amendments", c.merchant, remove("rice")).
			shows("status", "CANCELLED", "reason", "ITEM_SOLD_OUT", "payment.refundDue", 5000, "amendment.n", 2)
	})

	n.sub("FewerIsFewerThanOrdered", func(n *node) {
		path := n.order(c, "confirmed", nil)
		n.post(path+"/amendments", c.merchant, map[string]any{"itemId": "rice", "change": "REDUCE", "quantity": 2}).broken("/quantity")
		n.post(path+"/amendments", c.merchant, remove("duck")).broken("/itemId")
		n.act(path+"/amendments", c.merchant, map[string]any{"itemId": "rice", "change": "REDUCE", "quantity": 1})
		n.act(path+"/amendments/1/accept", c.customer, nil).shows("items.0.quantity", 1, "total", 3500, "payment.refundDue", 1500)
	})

	n.sub("AnAnswerGivenBeforehandCountsAtOnce", func(n *node) {
		for _, p := range []struct {
			policy string
			amend  map[string]any
			last   string
			shows  []any
		}{
			{"REMOVE", stew, "order.amended by system", []any{"total", 3000, "items.1", nil, "payment.refundDue", 2000}},
			{"SUBSTITUTE", stew, "order.amended by system", []any{"total", 4500, "items.1.itemId", "stew", "payment.refundDue", 500}},
			{"SUBSTITUTE", duck, "order.amended by system", []any{"total", 5000, "items.1.itemId", "duck", "items.1.unitPrice", 2000, "payment.status", "PAID"}},
			{"CANCEL", stew, "order.cancelled by system", []any{"status", "CANCELLED", "reason", "ITEM_SOLD_OUT", "payment.refundDue", 5000}},
		} {
			path := n.order(c, "confirmed", fields("soldOutPolicy", p.policy))
			n.act(path+"/amendments", c.merchant, p.amend).shows("amendment.status", "ACCEPTED").shows(p.shows...)
			story(n, path, "order.confirmed by merchant", "order.amendment_proposed by merchant", p.last)
		}
	})

	n.sub("WhereThereIsAMenuItNamesAndPricesTheSubstitute", func(n *node) {
		path := n.order(c, "confirmed", fields("restaurantId", "res_menu"))
		n.post(path+"/amendments", c.merchant, instead("mud", "Mud", 1)).broken("/substitute/itemId")
		n.post(path+"/amendments", c.merchant, instead("fish", "Fish", 1)).want(409).
			shows("code", "ITEM_SOLD_OUT", "errors.0.pointer", "/substitute/itemId")
		n.act(path+"/amendments", c.merchant, instead("stew", "Mud", 1)).
			shows("amendment.substitute.name", "Stew", "amendment.substitute.unitPrice", 1800)
		n.act(path+"/amendments/1/accept", c.customer, nil).
			shows("items.1.itemId", "stew", "items.1.name", "Stew", "total", 4800, "payment.refundDue", 200)
	})

	n.sub("WhatIsPaidAtTheDoorMayRiseByConsent", func(n *node) {
		path := n.order(c, "confirmed", fields("restaurantId", "res_menu", "paymentMethod", "CASH"))
		n.act(path+"/amendments", c.merchant, duck)
		n.act(path+"/amendments/1/accept", c.customer, nil).shows("total", 12000, "payment.status", "CASH_DUE", "payment.refundDue", nil)
	})

	n.sub("TheMerchantsClockWaitsForTheAnswer", func(n *node) {
		path := n.order(c, "paid", nil)
		before := n.act(path+"/amendments", c.merchant, remove("soup")).at("acceptBy")
		n.pass(path, 2*time.Minute)
		after := n.act(path+"/amendments/1/accept", c.customer, nil).at("acceptBy")
		if waited := after.Sub(before); waited < 2*time.Minute || waited > 3*time.Minute {
			n.t.Errorf("acceptBy moved by %v", waited)
		}
	})

	n.sub("NobodyTakesTheFoodWhileItIsOpen", func(n *node) {
		path := n.order(c, "assigned", nil)
		n.act(path+"/amendments", c.merchant, remove("soup"))
		n.post(path+"/pickup", c.courier, nil).refused(orders.Preparing, "courier", "arrive")
		n.act(path+"/amendments/1/accept", c.customer, nil)
		n.act(path+"/pickup", c.courier, nil)
	})
}
