package web_test

import (
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"doorbell/orders"
	"doorbell/web"
	"doorbell/web/auth"
)

// limited is a node whose customers may ask three times at once and couriers twice, then once a second, by a clock
// that only the test moves.
func limited(t *testing.T) (*node, func(time.Duration)) {
	t.Helper()
	began := time.Now()
	var passed atomic.Int64 // the limit's cache looks at the clock in its own goroutine
	limit := func(perSecond float64, burst int) *auth.Limit {
		l, err := auth.NewLimit(perSecond, burst, func() time.Time { return began.Add(time.Duration(passed.Load())) })
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	n := start(t, func(wc *web.Config, _ *orders.Config) { wc.CustomerLimit, wc.CourierLimit = limit(1, 3), limit(1, 2) })
	return n, func(d time.Duration) { passed.Add(int64(d)) }
}

// exhausted wants a 429 that says when to come back.
func (r reply) exhausted() reply {
	r.t.Helper()
	r.want(http.StatusTooManyRequests).shows("kind", "exhausted")
	if s, err := strconv.Atoi(r.Header.Get("Retry-After")); err != nil || s < 1 || s > 60 {
		r.t.Errorf("Retry-After %q", r.Header.Get("Retry-After"))
	}
	return r
}

func TestRateLimit(t *testing.T) {
	n, pass := limited(t)
	c := newCast(t)
	n.restaurant(c, "res_1", nil)
	customer := func(n *node, sub string) string { return token(n.t, orders.RoleCustomer, sub) }

	n.sub("ACustomerHasABurstAndThenItsRate", func(n *node) {
		for range 3 {
			n.get("/v1/orders", c.customer).want(200)
		}
		n.get("/v1/orders", c.customer).exhausted().shows("code", nil)
		n.post("/v1/orders", c.customer, orderBody(nil)).exhausted()
		n.get("/v1/orders", customer(n, "cus_1")).exhausted() // another token is no other subject
		n.get("/v1/orders", c.stranger).want(200)
		pass(time.Second)
		n.get("/v1/orders", c.customer).want(200)
		n.get("/v1/orders", c.customer).exhausted()
	})

	n.sub("ATrackingLinkHasItsOwn", func(n *node) {
		pass(time.Minute)
		path := n.order(c, "placed", nil)
		link := n.link(path, c.customer)
		for range 3 {
			n.get(path, link).want(200)
		}
		n.get(path, link).exhausted()
		pass(time.Second)
		n.get(path, c.customer).want(200)
		n.get(path, link).want(200)
	})

	n.sub("ACourierHasItsOwn", func(n *node) {
		for range 2 {
			n.get("/v1/orders", c.courier).want(200)
		}
		n.get("/v1/orders", c.courier).exhausted()
		n.get("/v1/orders", c.otherCourier).want(200)
		n.get("/v1/orders", customer(n, "cou_1")).want(200) // the same name in another role
	})

	n.sub("MerchantsPaymentAndOpsHaveNone", func(n *node) {
		for range 30 {
			n.get("/v1/orders", c.merchant).want(200)
			n.get("/v1/orders", c.ops).want(200)
			n.post("/v1/orders/ord_x/pay", c.payment, payment("tx_1")).want(404)
			n.get("/v1/restaurants/res_1", "").want(200)
		}
	})

	n.sub("ItIsLookedAtBehindTheTokenAndBeforeTheOrder", func(n *node) {
		caller := customer(n, "cus_3")
		for range 3 {
			n.get("/v1/orders/ord_x", caller).want(404)
		}
		n.get("/v1/orders/ord_x", caller).exhausted()
		n.get("/v1/orders/ord_x", caller+"x").want(401)
	})

	t.Run("ZeroIsOff", func(t *testing.T) {
		off, err := auth.NewLimit(0, 0, nil)
		if err != nil {
			t.Fatal(err)
		}
		n := start(t, func(wc *web.Config, _ *orders.Config) { wc.CustomerLimit, wc.CourierLimit = off, off })
		c := newCast(t)
		for range 100 {
			n.get("/v1/orders", c.customer).want(200)
		}
	})
}

func TestUnpaidOrders(t *testing.T) {
	place := func(n *node, token, method string) reply {
		return n.post("/v1/orders", token, with("paymentMethod", method))
	}

	t.Run("TheEleventhWaitsUntilOneIsPaidOrEnds", func(t *testing.T) {
		n, c := start(t), newCast(t)
		n.restaurant(c, "res_1", nil)
		var paths []string
		for range 10 {
			paths = append(paths, place(n, c.customer, "ALIPAY").want(201).Header.Get("Location"))
		}
		place(n, c.customer, "WECHAT").exhausted().shows("code", "UNPAID_ORDERS")
		place(n, c.customer, "CASH").want(201) // is not waited for
		place(n, c.stranger, "WECHAT").want(201)
		n.act(paths[0]+"/pay", c.payment, payment("tx_1"))
		place(n, c.customer, "WECHAT").want(201)
		place(n, c.customer, "WECHAT").exhausted()
		n.act(paths[1]+"/cancel", c.customer, map[string]any{"reason": "OTHER"})
		place(n, c.customer, "WECHAT").want(201)
		n.pass(paths[2], 15*time.Minute)
		place(n, c.customer, "WECHAT").want(201)
		place(n, c.customer, "WECHAT").exhausted()
	})

	t.Run("ManyAtOnceDoNotGetPastIt", func(t *testing.T) {
		n, c := start(t), newCast(t)
		n.restaurant(c, "res_1", nil)
		for range 8 {
			place(n, c.customer, "WECHAT").want(201)
		}
		var wg sync.WaitGroup
		answers := make([]reply, 10)
		for i := range answers {
			wg.Go(func() { answers[i] = place(n, c.customer, "WECHAT") })
		}
		wg.Wait()
		for _, r := range answers {
			if r.Code != http.StatusCreated {
				r.exhausted().shows("code", "UNPAID_ORDERS")
			}
		}
		for range 3 {
			place(n, c.customer, "WECHAT") // those who were turned away come back
		}
		if ids, _ := n.get("/v1/orders?status=PENDING", c.customer).ids(); len(ids) != 10 {
			t.Errorf("%d unpaid orders", len(ids))
		}
	})

	t.Run("ARepeatWithAKeyIsNoOtherOrder", func(t *testing.T) {
		n, c := start(t), newCast(t)
		n.restaurant(c, "res_1", nil)
		for i := range 10 {
			n.post("/v1/orders", c.customer, orderBody(nil), "Idempotency-Key", fmt.Sprint("key-", i)).want(201)
		}
		n.post("/v1/orders", c.customer, orderBody(nil), "Idempotency-Key", "key-9").want(201)
		n.post("/v1/orders", c.customer, orderBody(nil), "Idempotency-Key", "key-10").exhausted()
	})

	t.Run("ZeroIsOff", func(t *testing.T) {
		n := start(t, func(_ *web.Config, oc *orders.Config) { oc.UnpaidOrders = 0 })
		c := newCast(t)
		n.restaurant(c, "res_1", nil)
		for range 15 {
			place(n, c.customer, "WECHAT").want(201)
		}
	})
}
