package web_test

import (
	"encoding/base64"
	"net/url"
	"strings"
	"testing"

	"doorbell/orders"
)

// TestBadQuery: a parameter that is not in the document, or not as it says, is refused and named, never passed over.
func TestBadQuery(t *testing.T) {
	n, c := start(t), newCast(t)
	n.restaurant(c, "res_1", nil)
	path := n.order(c, "paid", nil)
	for _, bad := range []struct{ query, pointer string }{
		{"page=2", "page"}, {"Limit=5", "Limit"}, {"customerId=cus_2", "customerId"}, {"limit[]=5", "limit[]"},
		{"access_token=x", "access_token"},
		{"limit=0", "limit"}, {"limit=-1", "limit"}, {"limit=201", "limit"}, {"limit=1.5", "limit"}, {"limit=5e0", "limit"}, {"limit=", "limit"},
		{"limit=%205", "limit"}, {"limit=%2B5", "limit"}, {"limit=ten", "limit"}, {"limit=null", "limit"}, {"limit=%225%22", "limit"}, {"limit=0x10", "limit"},
		{"limit=9223372036854775808", "limit"}, {"limit=1e400", "limit"}, {"limit=5&limit=6", "limit"}, {"limit=5%00", "limit"}, {"limit=5,6", "limit"},
		{"status=PAID", "status"}, {"status=pending", "status"}, {"status=", "status"}, {"status=PENDING,CONFIRMED", "status"}, {"status=PENDING&status=FAILED", "status"},
		{"updatedAfter=yesterday", "updatedAfter"}, {"updatedAfter=2026-01-01", "updatedAfter"}, {"updatedAfter=1700000000", "updatedAfter"},
		{"updatedAfter=2026-13-01T00:00:00Z", "updatedAfter"}, {"updatedAfter=2026-01-01T00:00:00+08:00", "updatedAfter"}, // + is a space
		{"updatedAfter=", "updatedAfter"},
		{"cursor=" + strings.Repeat("A", 513), "cursor"},
		{"limit=5;status=PENDING", ""}, {"limit=%zz", ""}, {"%zz=1", ""}, {"status=%", ""},
	} {
		t.Run(bad.query[:min(len(bad.query), 40)], func(t *testing.T) {
			r := n.as(t).get("/v1/orders?"+bad.query, c.customer).problem(400, orders.Invalid)
			if bad.pointer != "" {
				r.pointsAt(bad.pointer)
			}
		})
	}
	t.Run("where no parameter is known, none is taken", func(t *testing.T) {
		n := n.as(t)
		n.writesNothing(func() {
			n.get(path+"?after=0", c.customer).problem(400, orders.Invalid).pointsAt("after")
			n.post(path+"/confirm?force=1", c.merchant, js{"prepMinutes": 5}).problem(400, orders.Invalid).pointsAt("force")
			n.post(path+"/prepare?%zz", c.merchant, nil).problem(400, orders.Invalid)
			n.get("/v1/restaurants/res_1?fresh", "").problem(400, orders.Invalid).pointsAt("fresh")
		})
	})
	t.Run("after", func(t *testing.T) {
		n := n.as(t)
		for _, v := range []string{"-1", "x", "1.0", "9223372036854775808", ""} {
			n.get(path+"/events?after="+v, c.customer).problem(400, orders.Invalid).pointsAt("after")
		}
		if r := n.get(path+"/events?after=9223372036854775807", c.customer).want(200); len(r.get("items").([]any)) != 0 {
			t.Errorf("events after the end of numbers: %s", r.Raw)
		}
	})
}

// madeUpCursors are cursors that no page returned.
func madeUpCursors() []string {
	id := orders.NewID(orders.PlacedAt("ord_0193f0a1-7c3e-7b52-9d11-2f6f6f0c8a10"))
	enc := base64.RawURLEncoding.EncodeToString
	return []string{
		"x", "0", "-1", "null", "AA", "====", "../../etc/passwd", "' OR 1=1 --", "\x00", "\n", "💥", id, enc([]byte(id)),
		enc([]byte("\x00" + id)), enc([]byte("\x02" + id)), enc([]byte("\x01")), enc([]byte("\x01ord_1")), enc([]byte("\x01" + id + "x")),
		enc([]byte("\x01"+id)) + "=", enc([]byte("\x01"+id)) + "\n", base64.StdEncoding.EncodeToString([]byte("\x01" + id + "??>>")),
		enc([]byte("\x01" + strings.ToUpper(id))), strings.Repeat("A", 512),
	}
}

// TestMadeUpCursor: a cursor that no page returned is refused by both lists.
func TestMadeUpCursor(t *testing.T) {
	n, c := start(t), newCast(t)
	n.restaurant(c, "res_1", nil)
	path := n.order(c, "paid", nil)
	for _, cursor := range madeUpCursors() {
		t.Run(url.QueryEscape(cursor)[:min(len(url.QueryEscape(cursor)), 40)], func(t *testing.T) {
			n := n.as(t)
			for _, who := range []string{c.customer, c.merchant, c.courier, c.ops} {
				n.get("/v1/orders?cursor="+url.QueryEscape(cursor), who).problem(400, orders.Invalid).pointsAt("cursor")
			}
			if cursor != "0" { // a seq, as that list gives them out
				n.get(path+"/events?cursor="+url.QueryEscape(cursor), c.customer).problem(400, orders.Invalid).pointsAt("cursor")
			}
		})
	}
}

// madeUpIDs are order ids as paths that name no order.
func madeUpIDs() []string {
	return []string{
		"x", "0", "-1", "null", "ord_", "ord_1", "..", ".", "%2e%2e", "..%2f..%2fetc%2fpasswd", "..%5c..%5c", "%00", "ord_%00", "%0a", "%20", "%25", "%2500", "%",
		"%c0%ae", "%ff", "%F0%9F%92%A5", "ord_0193f0a1-7c3e-7b52-9d11-2f6f6f0c8a10", "ORD_0193f0a1-7c3e-7b52-9d11-2f6f6f0c8a10",
		"ord_0193F0A1-7C3E-7B52-9D11-2F6F6F0C8A10", "ord_0193f0a1-7c3e-4b52-9d11-2f6f6f0c8a10", "ord_0193f0a17c3e7b529d112f6f6f0c8a10",
		"ord_0193f0a1-7c3e-7b52-9d11-2f6f6f0c8a1", "ord_0193f0a1-7c3e-7b52-9d11-2f6f6f0c8a10%00", "ord_0193f0a1-7c3e-7b52-9d11-2f6f6f0c8a10'--",
		"'%20OR%201=1%20--", "ord_%25", "{orderId}", "*", "trk_AAAA", strings.Repeat("a", 10_000), "ord_" + strings.Repeat("%00", 3_000),
	}
}

// TestMadeUpOrderIDs: an id that names no order is simply unknown, whoever asks and whatever for.
func TestMadeUpOrderIDs(t *testing.T) {
	n, c := start(t), newCast(t)
	n.restaurant(c, "res_1", nil)
	real := strings.TrimPrefix(n.order(c, "paid", nil), "/v1/orders/")
	ids := append(madeUpIDs(), real+"%00", real+"%20", "%20"+real, strings.ToUpper(real), strings.Replace(real, "_", "%5F", 1)+"x", real+"%2f", real+"%2fevents")
	for _, id := range ids {
		req := "/v1/orders/" + id
		if _, err := url.Parse(req); err != nil { // no client can send it
			continue
		}
		t.Run(id[:min(len(id), 60)], func(t *testing.T) {
			n := n.as(t)
			n.writesNothing(func() {
				for _, who := range []string{c.ops, c.customer, c.merchant, c.courier} {
					n.get(req, who).problem(404, orders.NotFound)
					n.get(req+"/events", who).problem(404, orders.NotFound)
				}
				n.post(req+"/pay", c.payment, js{"amount": 5000, "transactionId": "t"}).problem(404, orders.NotFound)
				n.post(req+"/confirm", c.merchant, js{"prepMinutes": 5}).problem(404, orders.NotFound)
				n.post(req+"/amendments/1/accept", c.customer, nil).problem(404, orders.NotFound)
				n.put(req+"/courier", c.ops, js{"courierId": "cou_1"}).problem(404, orders.NotFound)
			})
		})
	}
	t.Run("not even a bad body or a bad role tells more", func(t *testing.T) {
		n := n.as(t)
		n.post("/v1/orders/"+madeUpIDs()[21]+"/pay", c.customer, "{").problem(404, orders.NotFound)
		n.post("/v1/orders/"+real+"/pay", c.stranger, "{").problem(404, orders.NotFound)
		n.post("/v1/orders/"+real+"/confirm", c.otherMerchant, js{"prepMinutes": 5}).problem(404, orders.NotFound)
		n.get("/v1/orders/"+real, c.otherCourier).problem(404, orders.NotFound)
	})
}

// TestBadAmendmentNumber: a number that cannot be one breaks the schema, one that was not given out is unknown.
func TestBadAmendmentNumber(t *testing.T) {
	n, c := start(t), newCast(t)
	n.restaurant(c, "res_1", nil)
	none, open := n.order(c, "preparing", nil), n.order(c, "preparing", nil)
	n.post(open+"/amendments", c.merchant, js{"itemId": "soup", "change": "REMOVE"}).want(200)
	for name, path := range map[string]string{"without an amendment": none, "with an open one": open} {
		for _, verb := range []string{"/accept", "/reject"} {
			for number, code := range map[string]int{
				"0": 400, "-1": 400, "1.5": 400, "1e0": 400, "x": 400, "%20": 400, "%00": 400, "1%00": 400, "0x1": 400, "%2B1": 400, "1000001": 400,
				"9223372036854775808": 400, "18446744073709551617": 400, "4294967297": 400, strings.Repeat("9", 5_000): 400, "null": 400, "[1]": 400,
				"2": 404, "999999": 404,
			} {
				t.Run(name+" "+number[:min(len(number), 20)]+verb, func(t *testing.T) {
					n := n.as(t)
					n.writesNothing(func() { n.post(path+"/amendments/"+number+verb, c.customer, nil).want(code) })
				})
			}
		}
	}
}

// TestBadRestaurantIDs: what cannot be an id is unknown to who reads and refused to who writes.
func TestBadRestaurantIDs(t *testing.T) {
	n, c := start(t), newCast(t)
	n.restaurant(c, "res_1", nil)
	body := js{"name": "Wok", "lat": 1, "lon": 1}
	for _, id := range []string{"%00", "a%2fb", "..%2f..", "a%20b", "%25", "a%25b", "%ff", "%0a", "%E5%A4%96", "a'b", strings.Repeat("a", 65), strings.Repeat("a", 10_000)} {
		t.Run(id[:min(len(id), 40)], func(t *testing.T) {
			n := n.as(t)
			n.writesNothing(func() {
				n.put("/v1/restaurants/"+id, c.ops, body).problem(400, orders.Invalid).pointsAt("restaurantId")
				n.put("/v1/restaurants/"+id, c.merchant, body).problem(403, orders.Forbidden)
				n.get("/v1/restaurants/"+id, "").problem(404, orders.NotFound)
				n.get("/v1/restaurants/"+id+"/items/a", "").problem(404, orders.NotFound)
				n.get("/v1/restaurants/res_1/items/"+id, "").problem(404, orders.NotFound)
				n.call("PATCH", "/v1/restaurants/"+id+"/items/a", c.ops, js{"available": true}).problem(404, orders.NotFound)
			})
		})
	}
	t.Run("an encoded id is the same restaurant", func(t *testing.T) {
		n := n.as(t)
		if r := n.get("/v1/restaurants/res%5F1", "").want(200); r.text("restaurantId") != "res_1" {
			t.Errorf("%s", r.Raw)
		}
	})
}

// TestUnknownPaths: what is not in the document is 404 and touches nothing.
func TestUnknownPaths(t *testing.T) {
	n, c := start(t), newCast(t)
	n.restaurant(c, "res_1", nil)
	path := n.order(c, "paid", nil)
	n.writesNothing(func() {
		for _, p := range []string{
			"/", "/v1", "/v1/", "/v2/orders", "/orders", "/v1/orders/", "/v1//orders", "/v1/orders/../orders", path + "/", path + "/explode", path + "/confirm/", path + "//confirm",
			"/V1/orders", "/v1/ORDERS", "/metrics", "/debug/pprof/", "/debug/vars", "/.env", "/%00", "/v1/orders%00",
		} {
			if r := n.get(p, c.ops); r.Code != 404 && r.Code != 405 {
				t.Errorf("GET %q answered %d: %.200s", p, r.Code, r.Raw)
			}
			if r := n.post(p, c.ops, orderBody(nil)); r.Code != 404 && r.Code != 405 {
				t.Errorf("POST %q answered %d: %.200s", p, r.Code, r.Raw)
			}
		}
	})
}
