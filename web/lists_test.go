package web_test

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"doorbell/orders"
	"doorbell/web"
)

// ids are the orders on a page, and next its cursor.
func (r reply) ids() (ids []string, next string) {
	r.t.Helper()
	items, ok := r.want(200).get("items").([]any)
	if !ok {
		r.t.Fatalf("items is no array: %s", r.Raw)
	}
	for _, it := range items {
		ids = append(ids, it.(map[string]any)["orderId"].(string))
	}
	return ids, r.text("next")
}

// lists wants exactly these orders, newest first.
func (n *node) lists(query, token string, want ...string) {
	n.t.Helper()
	var ids []string
	for _, path := range want {
		ids = append(ids, orderID(path))
	}
	slices.SortFunc(ids, func(a, b string) int { return strings.Compare(b, a) })
	if got, next := n.get("/v1/orders"+query, token).ids(); !slices.Equal(got, ids) || next != "" {
		n.t.Errorf("%s lists %q, want %q (next %q)", query, got, ids, next)
	}
}

func TestListOfOrders(t *testing.T) {
	n, c := start(t), newCast(t)
	n.restaurant(c, "res_1", nil)
	n.restaurant(c, "res_2", nil)
	strangers := c
	strangers.customer, strangers.merchant, strangers.courier = c.stranger, c.otherMerchant, c.otherCourier
	elsewhere := fields("restaurantId", "res_2")

	unpaid := n.order(c, "placed", nil)
	paid := n.order(c, "paid", nil)
	cash := n.order(c, "placed", fields("paymentMethod", "CASH"))
	away := n.order(strangers, "placed", fields("restaurantId", "res_2", "paymentMethod", "CASH"))
	onway := n.order(c, "onway", nil)
	done := n.order(c, "completed", nil)
	theirs := n.order(strangers, "preparing", elsewhere)

	n.sub("EachRoleSeesItsOwn", func(n *node) {
		n.lists("", c.customer, unpaid, paid, cash, onway, done)
		n.lists("", c.stranger, away, theirs)
		n.lists("", c.merchant, paid, cash, onway, done)
		n.lists("", c.otherMerchant, away, theirs)
		n.lists("", token(n.t, orders.RoleMerchant, "mer_3", "res_1", "res_2"), paid, cash, away, onway, done, theirs)
		n.lists("", token(n.t, orders.RoleMerchant, "mer_4", "res_9"))
		n.lists("", c.courier, onway, done)
		n.lists("", c.otherCourier)
		n.lists("", c.ops, unpaid, paid, cash, away, onway, done, theirs)
		n.get("/v1/orders", c.payment).want(403)
		n.get("/v1/orders", n.link(paid, c.customer)).want(403)
		if r := n.get("/v1/orders", token(n.t, orders.RoleCustomer, "cus_new")).want(200); string(r.Raw) != `{"items":[]}` {
			n.t.Errorf("nothing is listed as %s", r.Raw)
		}
		if cc := n.get("/v1/orders", c.ops).Header.Get("Cache-Control"); cc != "private, no-cache" {
			n.t.Errorf("Cache-Control %q", cc)
		}
	})

	n.sub("StatusNarrowsIt", func(n *node) {
		n.lists("?status=PENDING", c.customer, unpaid, paid, cash)
		n.lists("?status=PENDING", c.merchant, paid, cash)
		n.lists("?status=ON_DELIVERY", c.courier, onway)
		n.lists("?status=COMPLETED", c.ops, done)
		n.lists("?status=FAILED", c.ops)
		n.get("/v1/orders?status=pending", c.ops).want(400).shows("errors.0.pointer", "status")
		n.get("/v1/orders?state=PENDING", c.ops).want(400).shows("errors.0.pointer", "state")
	})

	n.sub("UpdatedAfterIsWhatChangedSince", func(n *node) {
		since := n.get(theirs, c.ops).want(200).text("updatedAt") // the newest change of all, cut to the millisecond
		n.now.pass(time.Second)
		n.act(paid+"/confirm", c.merchant, map[string]any{"prepMinutes": 20})
		after := n.service.Now().Add(-time.Second / 2).UTC().Format(time.RFC3339Nano)
		n.lists("?updatedAfter="+url.QueryEscape(after), c.ops, paid)
		n.lists("?updatedAfter="+url.QueryEscape(after)+"&status=PENDING", c.ops)
		n.lists("?updatedAfter="+url.QueryEscape(n.service.Now().Format(time.RFC3339Nano)), c.ops)
		n.lists("?updatedAfter="+url.QueryEscape(since), c.merchant, paid)
		offset := n.service.Now().Add(-time.Second / 2).In(time.FixedZone("", 8*3600)).Format(time.RFC3339Nano)
		n.lists("?updatedAfter="+url.QueryEscape(offset), c.ops, paid)
		n.get("/v1/orders?updatedAfter=yesterday", c.ops).want(400).shows("errors.0.pointer", "updatedAfter")
	})

	n.sub("ACouriersFinishedOrderLeavesTheListAfterADay", func(n *node) {
		n.now.pass(orders.CourierReads + time.Minute)
		n.lists("", c.courier, onway)
		n.lists("?status=COMPLETED", c.courier)
		n.lists("?status=COMPLETED", c.merchant, done)
	})
}

func TestPages(t *testing.T) {
	n := start(t, func(_ *web.Config, oc *orders.Config) { oc.UnpaidOrders = 0 })
	c := newCast(t)
	n.restaurant(c, "res_1", nil)
	n.restaurant(c, "res_2", nil)
	two := token(t, orders.RoleMerchant, "mer_3", "res_1", "res_2")
	place := func(i int) string {
		return orderID(n.order(c, "placed", fields("paymentMethod", "CASH", "restaurantId", fmt.Sprintf("res_%d", 1+i%2))))
	}
	var placed []string
	for i := range 23 {
		placed = append(placed, place(i))
	}
	slices.Reverse(placed)

	n.sub("ShowEachOrderOnceThoughMoreAreAdded", func(n *node) {
		for name, caller := range map[string]string{"customer": c.customer, "ops": c.ops, "a merchant of two": two} {
			var got []string
			cursor, pages := "", 0
			for {
				ids, next := n.get("/v1/orders?limit=5&cursor="+cursor, caller).ids()
				if pages++; len(ids) > 5 || next != "" && len(ids) < 5 {
					n.t.Errorf("%s: a page of %d", name, len(ids))
				}
				got = append(got, ids...)
				if place(pages); next == "" {
					break
				}
				cursor = next
			}
			missing := slices.DeleteFunc(slices.Clone(placed), func(id string) bool { return slices.Contains(got, id) })
			unique := slices.Compact(slices.Clone(got))
			if !slices.IsSortedFunc(got, func(a, b string) int { return strings.Compare(b, a) }) || len(unique) != len(got) || len(missing) > 0 {
				n.t.Errorf("%s: the pages hold %q, of %q", name, got, placed)
			}
		}
	})

	n.sub("HoldFiftyUnlessToldAndTwoHundredAtMost", func(n *node) {
		for i := range 30 {
			place(i)
		}
		if ids, next := n.get("/v1/orders", c.customer).ids(); len(ids) != 50 || next == "" {
			n.t.Errorf("%d orders and next %q", len(ids), next)
		}
		n.get("/v1/orders?limit=200", c.customer).want(200)
		for _, limit := range []string{"0", "-1", "201", "1.5", "x", "", "9999999999999999999"} {
			n.get("/v1/orders?limit="+limit, c.customer).want(400).shows("errors.0.pointer", "limit")
		}
		n.get("/v1/orders?limit=1&limit=2", c.customer).want(400)
	})

	n.sub("TakeNoMadeUpCursor", func(n *node) {
		_, next := n.get("/v1/orders?limit=1", c.customer).ids()
		for _, cursor := range []string{"x", "1", next[1:], next + "AA", "AW9yZF8x", placed[0], strings.Repeat("A", 513), "%0A" + next} {
			n.get("/v1/orders?cursor="+cursor, c.customer).want(400).shows("errors.0.pointer", "cursor")
		}
	})
}

func TestListOfEvents(t *testing.T) {
	n, c := start(t), newCast(t)
	n.restaurant(c, "res_1", nil)
	path := n.order(c, "completed", nil) // seven events
	seqs := func(r reply) (out []int) {
		for _, it := range r.want(200).get("items").([]any) {
			out = append(out, int(it.(map[string]any)["seq"].(float64)))
		}
		return out
	}

	n.sub("AfterIsWhatTheCallerHas", func(n *node) {
		for after, want := range map[string][]int{"": {1, 2, 3, 4, 5, 6, 7}, "?after=0": {1, 2, 3, 4, 5, 6, 7}, "?after=5": {6, 7}, "?after=7": nil, "?after=99": nil} {
			if got := seqs(n.get(path+"/events"+after, c.customer)); !slices.Equal(got, want) {
				n.t.Errorf("%s: %v", after, got)
			}
		}
		if r := n.get(path+"/events?after=7", c.customer); string(r.Raw) != `{"items":[]}` {
			n.t.Errorf("nothing is listed as %s", r.Raw)
		}
	})

	n.sub("PagesHaveNoGapAndNoRepeat", func(n *node) {
		for _, limit := range []int{1, 2, 3, 6, 7, 8} {
			var got []int
			cursor := ""
			for {
				r := n.get(fmt.Sprintf("%s/events?limit=%d&cursor=%s", path, limit, cursor), c.customer)
				got = append(got, seqs(r)...)
				if cursor = r.text("next"); cursor == "" {
					break
				}
			}
			if !slices.Equal(got, []int{1, 2, 3, 4, 5, 6, 7}) {
				n.t.Errorf("pages of %d hold %v", limit, got)
			}
		}
	})

	n.sub("CursorAndAfterTogetherShowWhatIsBehindBoth", func(n *node) {
		next := n.get(path+"/events?after=2&limit=2", c.customer).want(200).text("next")
		if got := seqs(n.get(path+"/events?after=2&cursor="+next, c.customer)); !slices.Equal(got, []int{5, 6, 7}) {
			n.t.Errorf("%v", got)
		}
	})

	n.sub("WhatCannotBeReadIsRefused", func(n *node) {
		for query, field := range map[string]string{"after=-1": "after", "after=x": "after", "cursor=x": "cursor", "cursor=-1": "cursor", "limit=201": "limit", "since=1": "since"} {
			n.get(path+"/events?"+query, c.customer).want(400).shows("errors.0.pointer", field)
		}
	})
}
