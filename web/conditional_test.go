package web_test

import (
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"testing"
	"time"

	"doorbell/orders"
)

func TestETag(t *testing.T) {
	n, c := start(t), newCast(t)
	n.restaurant(c, "res_1", nil)
	path := n.order(c, "paid", nil)

	n.sub("AnOrderIsNeverTakenFromACacheUnasked", func(n *node) {
		r := n.get(path, c.customer).want(200).tagged()
		if cc := r.Header.Get("Cache-Control"); cc != "private, no-cache" {
			n.t.Errorf("Cache-Control %q", cc)
		}
	})

	n.sub("WhoHasThisVersionIsToldSoInFewBytes", func(n *node) {
		for _, tag := range []string{`"2"`, `W/"2"`, `"1", "2"`, `*`} {
			r := n.get(path, c.customer, "If-None-Match", tag).want(304)
			if len(r.Raw) != 0 || r.Header.Get("ETag") != `"2"` || r.Header.Get("Cache-Control") != "private, no-cache" {
				n.t.Errorf("%s: %v %q", tag, r.Header, r.Raw)
			}
		}
		for _, tag := range []string{`"1"`, `"3"`, `"02"`, `""`} {
			n.get(path, c.customer, "If-None-Match", tag).want(200).tagged()
		}
		n.get(path, c.customer, "If-None-Match", `2`).want(400).shows("errors.0.pointer", "If-None-Match")
	})

	n.sub("AVersionIsNoWayToSeeAStrangersOrder", func(n *node) {
		n.get(path, c.stranger, "If-None-Match", `"2"`).want(404)
		n.get(path, "", "If-None-Match", `"2"`).want(401)
	})

	n.sub("AnActionOnAnotherVersionIsRefused", func(n *node) {
		confirm := map[string]any{"prepMinutes": 20}
		for _, tag := range []string{`"1"`, `"3"`, `W/"2"`} {
			r := n.post(path+"/confirm", c.merchant, confirm, "If-Match", tag).want(412).shows("kind", "precondition_failed")
			if r.Header.Get("ETag") != "" {
				n.t.Errorf("an error has the ETag %s", r.Header.Get("ETag"))
			}
		}
		n.post(path+"/confirm", c.merchant, confirm, "If-Match", `"1", "2"`).want(200).tagged().shows("seq", 3)
		n.post(path+"/prepare", c.merchant, nil, "If-Match", `*`).want(200).shows("seq", 4)
	})
}

// TestOrderOfChecks mends a request that is wrong in every way step by step: each answer must be of the first wrong
// thing that is left.
func TestOrderOfChecks(t *testing.T) {
	n, c := start(t), newCast(t)
	n.restaurant(c, "res_1", nil)

	n.sub("DownToTheStateThatRefuses", func(n *node) {
		path := n.order(c, "completed", nil)
		bad, good := map[string]any{"prepMinutes": "soon"}, map[string]any{"prepMinutes": 20}
		n.post(path+"/confirm", "", bad, "If-Match", `"1"`).want(401).shows("kind", "unauthenticated")
		n.post(path+"/confirm", c.stranger, bad, "If-Match", `"1"`).want(404).shows("kind", "not_found")
		n.post(path+"/confirm", c.customer, bad, "If-Match", `"1"`).want(403).shows("kind", "forbidden")
		n.post(path+"/confirm", c.merchant, bad, "If-Match", `"1"`).want(400).shows("errors.0.pointer", "/prepMinutes")
		n.post(path+"/confirm", c.merchant, good, "If-Match", `"1"`).want(412)
		n.post(path+"/confirm", c.merchant, good, "If-Match", `"7"`).refused(orders.Completed)
	})

	n.sub("DownToTheRuleThatRefuses", func(n *node) {
		path := n.order(c, "placed", nil)
		unknown := "/v1/orders/" + orders.NewID(time.Now())
		bad, wrong := map[string]any{"amount": -1}, map[string]any{"amount": 1, "transactionId": "tx_1"}
		n.post(unknown+"/pay", "", bad, "If-Match", `"9"`).want(401)
		n.post(unknown+"/pay", c.payment, bad, "If-Match", `"9"`).want(404)
		n.post(path+"/pay", c.customer, bad, "If-Match", `"9"`).want(403)
		n.post(path+"/pay", c.payment, bad, "If-Match", `"9"`).want(400)
		n.post(path+"/pay", c.payment, wrong, "If-Match", `"9"`).want(412)
		n.post(path+"/pay", c.payment, wrong, "If-Match", `"1"`).broken("/amount")
		n.post(path+"/pay", c.payment, payment("tx_1"), "If-Match", `"1"`).want(200)
	})

	n.sub("TheStateComesBeforeTheRule", func(n *node) {
		path := n.order(c, "completed", nil)
		n.post(path+"/cancel", c.customer, map[string]any{"reason": "FRAUD"}).refused(orders.Completed)
	})
}

func TestIdempotencyKey(t *testing.T) {
	n, c := start(t), newCast(t)
	n.restaurant(c, "res_1", fields("autoAccept", true))
	place := func(n *node, token string, body any, key string) reply {
		return n.post("/v1/orders", token, body, "Idempotency-Key", key)
	}

	n.sub("TheFirstAnswerIsRepeatedByteForByteWhateverHappenedSince", func(n *node) {
		first := place(n, c.customer, orderBody(nil), "key-1").want(201).tagged()
		path := first.Header.Get("Location")
		n.act(path+"/pay", c.payment, payment("tx_1"))
		n.act(path+"/cancel", c.customer, map[string]any{"reason": "OTHER"})
		n.now.pass(2 * time.Hour)
		again := place(n, c.customer, orderBody(nil), "key-1").want(201).tagged()
		if string(again.Raw) != string(first.Raw) {
			n.t.Errorf("answered\n%s\nthen\n%s", first.Raw, again.Raw)
		}
		for _, h := range []string{"Location", "ETag", "Content-Type", "Cache-Control"} {
			if first.Header.Get(h) != again.Header.Get(h) {
				n.t.Errorf("%s: %q, then %q", h, first.Header.Get(h), again.Header.Get(h))
			}
		}
		if first.Header.Get("Idempotency-Replayed") != "" || again.Header.Get("Idempotency-Replayed") != "true" {
			n.t.Error("nobody can tell a repeat from the first answer")
		}
		if got := len(n.get("/v1/orders", c.customer).want(200).get("items").([]any)); got != 1 {
			n.t.Errorf("%d orders", got)
		}
	})

	n.sub("WhiteSpaceAndTheOrderOfFieldsAreNotAnotherBody", func(n *node) {
		text := `{"paymentMethod":"CASH","restaurantId":"res_1","items":[{"itemId":"a","name":"A","unitPrice":5,"quantity":1}],"address":{"line":"x","lat":1,"lon":2}}`
		same := `{ "address": {"lon":2, "lat":1, "line":"x"}, "items": [{"quantity":1, "unitPrice":5, "name":"A", "itemId":"a"}], "restaurantId":"res_1", "paymentMethod":"CASH" }`
		first, again := place(n, c.customer, text, "key-2").want(201), place(n, c.customer, same, "key-2").want(201)
		if string(first.Raw) != string(again.Raw) {
			n.t.Errorf("answered\n%s\nthen\n%s", first.Raw, again.Raw)
		}
	})

	n.sub("AnotherBodyIsRefused", func(n *node) {
		place(n, c.customer, orderBody(nil), "key-3").want(201)
		place(n, c.customer, with("paymentMethod", "CASH"), "key-3").want(422).shows("code", "KEY_REUSED")
	})

	n.sub("AKeyIsItsCallersOwn", func(n *node) {
		mine := place(n, c.customer, orderBody(nil), "key-4").want(201)
		theirs := place(n, c.stranger, orderBody(nil), "key-4").want(201)
		if mine.text("orderId") == theirs.text("orderId") || theirs.text("customerId") != "cus_2" {
			n.t.Errorf("one order for two customers: %s", theirs.Raw)
		}
	})

	n.sub("ARefusedRequestKeepsNothing", func(n *node) {
		place(n, c.customer, with("restaurantId", "res_none"), "key-5").want(422)
		n.restaurant(c, "res_none", nil)
		place(n, c.customer, with("restaurantId", "res_none"), "key-5").want(201)
	})

	n.sub("TenAtOnceMakeOneOrder", func(n *node) {
		answers := make([]reply, 10)
		var wg sync.WaitGroup
		for i := range answers {
			wg.Go(func() { answers[i] = place(n, c.stranger, with("paymentMethod", "CASH"), "key-6") })
		}
		wg.Wait()
		made := map[string]bool{}
		for _, r := range answers {
			switch r.Code {
			case http.StatusCreated:
				made[r.text("orderId")] = true
			default:
				r.want(409).shows("code", "KEY_RUNNING")
			}
		}
		made[place(n, c.stranger, with("paymentMethod", "CASH"), "key-6").want(201).text("orderId")] = true
		if len(made) != 1 {
			n.t.Errorf("made the orders %v", made)
		}
	})
}

// TestRepeats: asking for what is already so answers 200 with the order as it stands and writes nothing.
func TestRepeats(t *testing.T) {
	n, c := kitchen(t)
	confirm := map[string]any{"prepMinutes": 20}
	for _, a := range []struct {
		step, action, token string
		body                any
		before              func(path string)
	}{
		{"placed", "pay", c.payment, payment("tx_1"), nil},
		{"paid", "confirm", c.merchant, confirm, nil},
		{"paid", "reject", c.merchant, map[string]any{"reason": "STORE_BUSY"}, nil},
		{"paid", "cancel", c.customer, map[string]any{"reason": "OTHER"}, nil},
		{"confirmed", "prepare", c.merchant, nil, nil},
		{"confirmed", "delay", c.merchant, map[string]any{"prepMinutes": 45}, nil},
		{"preparing", "ready", c.merchant, nil, nil},
		{"confirmed", "amendments", c.merchant, remove("soup"), nil},
		{"confirmed", "amendments/1/accept", c.customer, nil, func(p string) { n.act(p+"/amendments", c.merchant, remove("soup")) }},
		{"confirmed", "amendments/1/reject", c.customer, nil, func(p string) { n.act(p+"/amendments", c.merchant, remove("soup")) }},
		{"preparing", "cancellation/approve", c.merchant, nil, func(p string) { n.post(p+"/cancel", c.customer, map[string]any{"reason": "OTHER"}) }},
		{"preparing", "cancellation/deny", c.ops, nil, func(p string) { n.post(p+"/cancel", c.customer, map[string]any{"reason": "OTHER"}) }},
		{"assigned", "arrive", c.courier, nil, nil},
		{"assigned", "pickup", c.courier, nil, nil},
		{"onway", "arrive", c.courier, nil, nil},
		{"onway", "deliver", c.courier, nil, nil},
		{"onway", "fail", c.ops, map[string]any{"reason": "LOST"}, nil},
		{"onway", "returned", c.courier, nil, func(p string) { n.act(p+"/fail", c.ops, map[string]any{"reason": "OTHER"}) }},
		{"completed", "refunds", c.payment, map[string]any{"amount": 5000, "reason": "all of it"}, nil},
	} {
		n.sub(a.step+"/"+a.action, func(n *node) {
			path := n.order(c, a.step, nil)
			if a.before != nil {
				a.before(path)
			}
			was := n.get(path, c.ops).seq()
			first := n.act(path+"/"+a.action, a.token, a.body)
			if first.seq() <= was {
				n.t.Fatalf("it changed nothing: %s", first.Raw)
			}
			for i := range 3 {
				again := n.act(path+"/"+a.action, a.token, a.body)
				if string(again.Raw) != string(first.Raw) {
					n.t.Errorf("answered\n%s\nthen\n%s", first.Raw, again.Raw)
				}
				n.post(path+"/"+a.action, a.token, a.body, "If-Match", strconv.Quote(fmt.Sprint(first.seq()+int64(i)+1))).want(412)
			}
			events := n.get(path+"/events", c.ops).want(200).get("items").([]any)
			if int64(len(events)) != first.seq() {
				n.t.Errorf("%d events for seq %d", len(events), first.seq())
			}
		})
	}
}
