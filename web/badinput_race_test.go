package web_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"doorbell/orders"
)

// atOnce runs f k times at the same moment and returns what each answered.
func atOnce(k int, f func(i int) reply) []reply {
	out := make([]reply, k)
	var ready, done sync.WaitGroup
	ready.Add(k)
	for i := range k {
		done.Go(func() {
			ready.Done()
			ready.Wait()
			out[i] = f(i)
		})
	}
	done.Wait()
	return out
}

// eventTypes are the types of an order's events, in order. It fails the test when seq leaps or repeats.
func (n *node) eventTypes(path, token string) (types []string) {
	n.t.Helper()
	for i, e := range n.get(path+"/events?limit=200", token).want(200).get("items").([]any) {
		e := e.(map[string]any)
		if e["seq"] != float64(i+1) {
			n.t.Errorf("event %d of %s has seq %v", i+1, path, e["seq"])
		}
		types = append(types, e["eventType"].(string))
	}
	if seq := n.get(path, token).seq(); seq != int64(len(types)) {
		n.t.Errorf("%s is at seq %d with %d events", path, seq, len(types))
	}
	return types
}

func count(list []string, what string) (k int) {
	for _, s := range list {
		if s == what {
			k++
		}
	}
	return k
}

// TestSameMoveAtOnce: the same transition from two, and from twenty callers at once makes exactly one event, and every
// caller is told 200.
func TestSameMoveAtOnce(t *testing.T) {
	n, c := start(t, unlimited), newCast(t)
	n.restaurant(c, "res_1", nil)
	for _, k := range []int{2, 20} {
		for _, move := range []struct {
			from, event, method, path string
			token                     string
			body                      any
		}{
			{"placed", "order.paid", "POST", "/pay", c.payment, js{"amount": 5000, "transactionId": "tx"}},
			{"placed", "order.cancelled", "POST", "/cancel", c.customer, js{"reason": "CUSTOMER_CANCELLED"}},
			{"paid", "order.confirmed", "POST", "/confirm", c.merchant, js{"prepMinutes": 20}},
			{"paid", "order.cancelled", "POST", "/reject", c.merchant, js{"reason": "STORE_BUSY"}},
			{"confirmed", "order.preparing", "POST", "/prepare", c.merchant, nil},
			{"preparing", "order.ready", "POST", "/ready", c.merchant, nil},
			{"preparing", "order.amendment_proposed", "POST", "/amendments", c.merchant, js{"itemId": "soup", "change": "REMOVE"}},
			{"preparing", "courier.assigned", "PUT", "/courier", c.ops, js{"courierId": "cou_1"}},
			{"assigned", "courier.unassigned", "DELETE", "/courier", c.ops, nil},
			{"assigned", "order.on_delivery", "POST", "/pickup", c.courier, nil},
			{"onway", "order.completed", "POST", "/deliver", c.courier, js{}},
		} {
			t.Run(fmt.Sprintf("%s from %d", strings.TrimPrefix(move.path, "/"), k), func(t *testing.T) {
				t.Parallel()
				n := n.as(t)
				path := n.order(c, move.from, nil)
				seqs := map[int64]bool{}
				for _, r := range atOnce(k, func(int) reply { return n.call(move.method, path+move.path, move.token, move.body) }) {
					seqs[r.want(200).seq()] = true
				}
				types := n.eventTypes(path, c.ops)
				if got := count(types, move.event); got != 1 || len(seqs) != 1 || !seqs[int64(len(types))] {
					t.Errorf("%d events %s, callers saw %v: %v", got, move.event, seqs, types)
				}
			})
		}
	}
}

// TestRivalMovesAtOnce: of two moves that exclude each other one wins; the loser hears 409 with what is possible now.
func TestRivalMovesAtOnce(t *testing.T) {
	n, c := start(t, unlimited), newCast(t)
	n.restaurant(c, "res_1", nil)
	t.Run("confirm or reject", func(t *testing.T) {
		n := n.as(t)
		path := n.order(c, "paid", nil)
		codes := map[int]int{}
		for _, r := range atOnce(20, func(i int) reply {
			if i%2 == 0 {
				return n.post(path+"/confirm", c.merchant, js{"prepMinutes": 20})
			}
			return n.post(path+"/reject", c.merchant, js{"reason": "STORE_BUSY"})
		}) {
			if codes[r.Code]++; r.Code == 409 && (r.text("code") != "INVALID_TRANSITION" || r.get("allowedActions") == nil) {
				t.Errorf("%s", r.Raw)
			}
		}
		types := n.eventTypes(path, c.ops)
		if codes[200] != 10 || codes[409] != 10 || count(types, "order.confirmed")+count(types, "order.cancelled") != 1 {
			t.Errorf("answered %v: %v", codes, types)
		}
	})
	t.Run("twenty payments of one order: one pays, the others are owed back", func(t *testing.T) {
		n := n.as(t)
		path := n.order(c, "placed", nil)
		for _, r := range atOnce(20, func(i int) reply {
			return n.post(path+"/pay", c.payment, js{"amount": 5000, "transactionId": fmt.Sprint("tx_", i)})
		}) {
			r.want(200)
		}
		types := n.eventTypes(path, c.ops)
		o := n.get(path, c.ops)
		if count(types, "order.paid") != 1 || count(types, "payment.refund_requested") != 19 || o.get("payment.refundDue") != 95_000.0 {
			t.Errorf("%v %s", types, o.Raw)
		}
	})
	t.Run("twenty with the same If-Match: one passes", func(t *testing.T) {
		n := n.as(t)
		path := n.order(c, "paid", nil)
		codes := map[int]int{}
		for _, r := range atOnce(20, func(i int) reply {
			return n.post(path+"/confirm", c.merchant, js{"prepMinutes": 10 + i}, "If-Match", `"2"`)
		}) {
			codes[r.Code]++
		}
		if types := n.eventTypes(path, c.ops); codes[200] != 1 || codes[412] != 19 || len(types) != 3 {
			t.Errorf("answered %v: %v", codes, types)
		}
	})
	t.Run("twenty couriers: the last stands, nothing is lost", func(t *testing.T) {
		n := n.as(t)
		path := n.order(c, "preparing", nil)
		for _, r := range atOnce(20, func(i int) reply { return n.put(path+"/courier", c.ops, js{"courierId": fmt.Sprint("cou_", i)}) }) {
			r.want(200)
		}
		if got := count(n.eventTypes(path, c.ops), "courier.assigned"); got != 20 {
			t.Errorf("%d assignments of 20", got)
		}
	})
	t.Run("twenty wrong PINs lock it once", func(t *testing.T) {
		n := n.as(t)
		n.restaurant(c, "res_1", func(b js) { b["proof"] = "PIN" })
		path := n.order(c, "onway", nil)
		pin := n.get(path, c.customer).text("pin")
		wrong := "0000"
		if pin == wrong {
			wrong = "1111"
		}
		for _, r := range atOnce(20, func(int) reply { return n.post(path+"/deliver", c.courier, js{"pin": wrong}) }) {
			if word := r.problem(422, orders.Unprocessable).text("code"); word != "WRONG_PIN" && word != "PIN_LOCKED" {
				t.Errorf("code %q", word)
			}
		}
		if r := n.post(path+"/deliver", c.courier, js{"pin": pin}).problem(422, orders.Unprocessable); r.text("code") != "PIN_LOCKED" {
			t.Errorf("after twenty wrong PINs the right one: %s", r.Raw)
		}
		n.restaurant(c, "res_1", nil)
	})
}

// TestSameKeyAtOnce: twenty requests with one Idempotency-Key make one order. Each caller gets it, or hears that the
// first still runs.
func TestSameKeyAtOnce(t *testing.T) {
	n, c := start(t), newCast(t)
	n.restaurant(c, "res_1", nil)
	ids := map[string]bool{}
	for _, r := range atOnce(20, func(int) reply { return n.post("/v1/orders", c.customer, orderBody(nil), "Idempotency-Key", "once") }) {
		if r.Code == 409 && r.text("code") == "KEY_RUNNING" {
			continue
		}
		ids[r.want(201).text("orderId")] = true
	}
	ids[n.post("/v1/orders", c.customer, orderBody(nil), "Idempotency-Key", "once").want(201).text("orderId")] = true
	if list := n.get("/v1/orders", c.customer).want(200).get("items").([]any); len(ids) != 1 || len(list) != 1 {
		t.Errorf("%d orders, callers were told of %v", len(list), ids)
	}
	t.Run("the limit of unpaid orders holds against twenty at once", func(t *testing.T) {
		n := n.as(t)
		codes := map[int]int{}
		for _, r := range atOnce(20, func(int) reply { return n.post("/v1/orders", c.stranger, orderBody(nil)) }) {
			codes[r.Code]++
		}
		if list := n.get("/v1/orders", c.stranger).want(200).get("items").([]any); len(list) > 10 || codes[201] != len(list) || codes[201]+codes[429] != 20 {
			t.Errorf("%d orders, answered %v", len(list), codes)
		}
	})
}
