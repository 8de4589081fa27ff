package web_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"doorbell/orders"
)

func TestTrack(t *testing.T) {
	n, book := logged(t)
	c := newCast(t)
	n.restaurant(c, "res_1", nil)
	who, other := n.phone(c, "cou_1"), n.phone(c, "cou_2")
	const fixes = 45
	began := n.now.now().UTC().Truncate(time.Second).Add(time.Second)
	n.now.pass(5 * fixes * time.Second)
	for _, w := range []phone{who, other} {
		var points []js
		for i := range fixes {
			points = append(points, js{
				"at": began.Add(time.Duration(5*i) * time.Second).Format(orders.TimeFormat), "lat": 31.23 + float64(i)/1e4, "lon": 121.47,
				"accuracy": 8.5, "speed": 2.25, "heading": 359.5, "altitude": -3.5, "battery": 57, "mock": true,
			})
		}
		n.post("/v1/couriers/"+w.id+"/locations", w.jwt, js{"points": points}).want(202).shows("accepted", float64(fixes))
		n.until("the track is written", func() bool { return len(n.track(c, w.order)) == fixes })
	}

	n.sub("ItIsPagedByTime", func(n *node) {
		cursor, seen := "", 0
		for pages := 1; ; pages++ {
			r := n.get(who.order+"/track?limit=10"+cursor, c.ops).want(200)
			if r.Header.Get("Cache-Control") != "no-store" {
				n.t.Errorf("%v", r.Header)
			}
			for _, item := range r.get("items").([]any) {
				p := item.(js)
				if want := began.Add(time.Duration(5*seen) * time.Second).Format(orders.TimeFormat); p["at"] != want || p["courierId"] != "cou_1" {
					n.t.Fatalf("%v, want the one of %s", p, want)
				}
				seen++
			}
			next := r.text("next")
			if next == "" {
				if pages != 5 || seen != fixes {
					n.t.Errorf("%d fixes on %d pages", seen, pages)
				}
				break
			}
			cursor = "&cursor=" + url.QueryEscape(next)
		}
	})

	n.sub("AFixIsAsItWasPosted", func(n *node) {
		all := n.track(c, who.order)
		n.get(who.order+"/track?limit=1", c.ops).want(200).shows(
			"items.0.lat", 31.23, "items.0.lon", 121.47, "items.0.accuracy", 8.5, "items.0.speed", 2.25, "items.0.heading", 359.5,
			"items.0.altitude", -3.5, "items.0.battery", 57.0, "items.0.mock", true, "items.0.shown", nil)
		last := all[fixes-1].(js)
		if last["shown"] != true {
			n.t.Errorf("the newest: %v", last)
		}
		if at, err := time.Parse(time.RFC3339, last["receivedAt"].(string)); err != nil || n.now.now().Sub(at).Abs() > time.Minute {
			n.t.Errorf("%v, %v", last, err)
		}
	})

	n.sub("EveryReadIsLoggedWithWhoItWas", func(n *node) {
		before := strings.Count(book.text(), `"message":"track read"`)
		n.get(who.order+"/track", c.ops).want(200)
		n.until("it is logged", func() bool { return strings.Count(book.text(), `"message":"track read"`) == before+1 })
		if want := fmt.Sprintf(`"by":"ops ops_1","order":%q,"fixes":45`, strings.TrimPrefix(who.order, "/v1/orders/")); !strings.Contains(book.text(), want) {
			n.t.Errorf("no %s in\n%s", want, book.text())
		}
	})

	n.sub("OnlyForOps", func(n *node) {
		for _, token := range []string{c.customer, c.merchant, who.jwt} {
			n.get(who.order+"/track", token).problem(403, orders.Forbidden)
			n.call(http.MethodDelete, who.order+"/track", token, nil).problem(403, orders.Forbidden)
		}
		n.get(who.order+"/track", c.stranger).problem(404, orders.NotFound)
		n.get("/v1/orders/ord_x/track", c.ops).problem(404, orders.NotFound)
		n.call(http.MethodDelete, "/v1/couriers/cou_1/track", who.jwt, nil).problem(403, orders.Forbidden)
		n.call(http.MethodDelete, "/v1/couriers/cou_2/track", who.jwt, nil).problem(404, orders.NotFound)
	})

	n.sub("AMadeUpCursor", func(n *node) {
		for _, cursor := range append(madeUpCursors(), "1", "1.", ".1", "-1.0", "1.-1", "1.0.0", "9223372036854775807.0", "0.9223372036854775808", "1e3.0") {
			if cursor != "" {
				n.get(who.order+"/track?cursor="+url.QueryEscape(cursor), c.ops).problem(400, orders.Invalid).pointsAt("cursor")
			}
		}
	})

	n.sub("DeletingAnOrdersTrackLeavesTheOthers", func(n *node) {
		for _, want := range []float64{fixes, 0} {
			n.call(http.MethodDelete, who.order+"/track", c.ops, nil).want(200).shows("deleted", want)
		}
		if got := len(n.track(c, who.order)) + len(n.track(c, other.order)); got != fixes {
			n.t.Errorf("%d fixes are left", got)
		}
	})

	n.sub("DeletingACouriersLeavesTheOthers", func(n *node) {
		n.call(http.MethodDelete, "/v1/couriers/cou_1/track", c.ops, nil).want(200).shows("deleted", 0.0)
		if got := len(n.track(c, other.order)); got != fixes {
			n.t.Errorf("%d fixes are left", got)
		}
		for _, want := range []float64{fixes, 0} {
			n.call(http.MethodDelete, "/v1/couriers/cou_2/track", c.ops, nil).want(200).shows("deleted", want)
		}
		if got := len(n.track(c, other.order)); got != 0 {
			n.t.Errorf("%d fixes are left", got)
		}
	})
}
