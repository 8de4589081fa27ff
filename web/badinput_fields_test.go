package web_test

import (
	"encoding/json"
	"strings"
	"testing"

	"doorbell/orders"
)

// item is the n-th line of an orderBody.
func item(b map[string]any, n int) map[string]any { return b["items"].([]any)[n].(map[string]any) }

func addr(b map[string]any) map[string]any { return b["address"].(map[string]any) }

type js = map[string]any

// TestBadOrderFields: each wrong field of POST /orders answers 400 and is named by a pointer; several at once all are.
func TestBadOrderFields(t *testing.T) {
	n, c := start(t), newCast(t)
	n.restaurant(c, "res_1", nil)
	long := func(k int) string { return strings.Repeat("a", k) }
	for _, bad := range []struct {
		name     string
		change   func(js)
		pointers []string
	}{
		{"an unknown field", func(b js) { b["tip"] = 5 }, []string{"/tip"}},
		{"an unknown field of an address", func(b js) { addr(b)["city"] = "x" }, []string{"/address/city"}},
		{"an unknown field of a line", func(b js) { item(b, 1)["sauce"] = true }, []string{"/items/1/sauce"}},
		{"an unknown field with a slash in its name", func(b js) { b["a/b~c"] = 1 }, []string{"/a~1b~0c"}},
		{"another case", func(b js) { b["RestaurantId"] = "res_9" }, []string{"/RestaurantId"}},
		{"what only the server may say", func(b js) { b["customerId"], b["total"], b["status"] = "cus_9", 1, "PAID" }, []string{"/customerId", "/total", "/status"}},
		{"no restaurant", func(b js) { delete(b, "restaurantId") }, []string{"/restaurantId"}},
		{"no items", func(b js) { delete(b, "items") }, []string{"/items"}},
		{"no address", func(b js) { delete(b, "address") }, []string{"/address"}},
		{"no method", func(b js) { delete(b, "paymentMethod") }, []string{"/paymentMethod"}},
		{"no quantity", func(b js) { delete(item(b, 1), "quantity") }, []string{"/items/1/quantity"}},
		{"no place", func(b js) { delete(addr(b), "lat"); delete(addr(b), "lon") }, []string{"/address/lat", "/address/lon"}},
		{"null for a string", func(b js) { b["restaurantId"] = nil }, []string{"/restaurantId"}},
		{"null for an optional field", func(b js) { b["deliver"] = nil }, []string{"/deliver"}},
		{"null for a list", func(b js) { b["items"] = nil }, []string{"/items"}},
		{"null in a list", func(b js) { b["items"] = []any{nil} }, []string{"/items/0"}},
		{"a number for a string", func(b js) { b["restaurantId"] = 7 }, []string{"/restaurantId"}},
		{"a string for a number", func(b js) { item(b, 0)["quantity"] = "2" }, []string{"/items/0/quantity"}},
		{"a bool for a number", func(b js) { item(b, 0)["quantity"] = true }, []string{"/items/0/quantity"}},
		{"an object for a list", func(b js) { b["items"] = js{"0": item(b, 0)} }, []string{"/items"}},
		{"a list for an object", func(b js) { b["address"] = []any{} }, []string{"/address"}},
		{"no lines", func(b js) { b["items"] = []any{} }, []string{"/items"}},
		{"101 lines", func(b js) {
			one := item(b, 0)
			list := make([]any, 101)
			for i := range list {
				list[i] = one
			}
			b["items"] = list
		}, []string{"/items"}},
		{"an empty id", func(b js) { b["restaurantId"] = "" }, []string{"/restaurantId"}},
		{"an id of 65", func(b js) { item(b, 0)["itemId"] = long(65) }, []string{"/items/0/itemId"}},
		{"an id with a slash", func(b js) { b["restaurantId"] = "../res_1" }, []string{"/restaurantId"}},
		{"an id with a line break", func(b js) { b["restaurantId"] = "res_1\n" }, []string{"/restaurantId"}},
		{"SQL for an id", func(b js) { b["restaurantId"] = `res_1' OR '1'='1` }, []string{"/restaurantId"}},
		{"a note of 201", func(b js) { item(b, 0)["note"] = long(201) }, []string{"/items/0/note"}},
		{"a name of 121", func(b js) { item(b, 0)["name"] = long(121) }, []string{"/items/0/name"}},
		{"an empty name", func(b js) { item(b, 0)["name"] = "" }, []string{"/items/0/name"}},
		{"an address of 301", func(b js) { addr(b)["line"] = long(301) }, []string{"/address/line"}},
		{"a phone of 33", func(b js) { addr(b)["phone"] = long(33) }, []string{"/address/phone"}},
		{"a place off the earth", func(b js) { addr(b)["lat"], addr(b)["lon"] = 90.0001, -180.5 }, []string{"/address/lat", "/address/lon"}},
		{"an unknown word", func(b js) { b["paymentMethod"] = "wechat" }, []string{"/paymentMethod"}},
		{"unknown words", func(b js) { b["deliver"], b["soldOutPolicy"] = "never", "" }, []string{"/deliver", "/soldOutPolicy"}},
		{"many errors", func(b js) {
			b["tip"], b["paymentMethod"], b["soldOutPolicy"], b["expectedTotal"] = 1, "GOLD", 3, 0
			item(b, 0)["quantity"], item(b, 1)["unitPrice"] = 0, -1
			delete(addr(b), "line")
		}, []string{"/tip", "/paymentMethod", "/soldOutPolicy", "/expectedTotal", "/items/0/quantity", "/items/1/unitPrice", "/address/line"}},
	} {
		t.Run(bad.name, func(t *testing.T) {
			n := n.as(t)
			n.writesNothing(func() {
				n.post("/v1/orders", c.customer, orderBody(bad.change)).problem(400, orders.Invalid).pointsAt(bad.pointers...)
			})
		})
	}
}

// TestBadNumbers: quantities and prices are whole numbers in their range; everything else, down to what overflows, is
// named and refused.
func TestBadNumbers(t *testing.T) {
	n, c := start(t), newCast(t)
	n.restaurant(c, "res_1", nil)
	for field, texts := range map[string][]string{
		"quantity": {"0", "-1", "1000", "1.5", "1e3", "1e-1", "2.0", "2e0", "9223372036854775807", "9223372036854775808", "18446744073709551617",
			"-9223372036854775809", "1e400", "-1e400", "1e308", "4294967297", "1000000000000000000000000000000"},
		"unitPrice": {"-1", "-0.5", "100000001", "0.1", "1500.0", "1.5e3", "9223372036854775807", "9223372036854775808", "18446744073709551616",
			"1e400", "1e19", "1e-400"},
	} {
		for _, text := range texts {
			t.Run(field+" "+text, func(t *testing.T) {
				n := n.as(t)
				n.writesNothing(func() {
					n.post("/v1/orders", c.customer, orderBody(func(b js) { item(b, 1)[field] = json.Number(text) })).
						problem(400, orders.Invalid).pointsAt("/items/1/" + field)
				})
			})
		}
	}
	for _, text := range []string{"0", "-1", "9990000000001", "9223372036854775808", "1e400", "5000.5", "5e3"} {
		t.Run("expectedTotal "+text, func(t *testing.T) {
			n := n.as(t)
			n.writesNothing(func() {
				n.post("/v1/orders", c.customer, orderBody(func(b js) { b["expectedTotal"] = json.Number(text) })).
					problem(400, orders.Invalid).pointsAt("/expectedTotal")
			})
		})
	}
	for _, text := range []string{"1e400", "-1e400", "1e300", "90.00000001"} {
		t.Run("latitude "+text, func(t *testing.T) {
			n := n.as(t)
			n.writesNothing(func() {
				n.post("/v1/orders", c.customer, orderBody(func(b js) { addr(b)["lat"] = json.Number(text) })).
					problem(400, orders.Invalid).pointsAt("/address/lat")
			})
		})
	}
	t.Run("the dearest order does not overflow", func(t *testing.T) {
		n := n.as(t)
		r := n.post("/v1/orders", c.customer, orderBody(func(b js) {
			list := make([]any, 100)
			for i := range list {
				list[i] = js{"itemId": "gold", "name": "Gold", "unitPrice": 100_000_000, "quantity": 999}
			}
			b["items"], b["expectedTotal"] = list, 9_990_000_000_000
		})).want(201)
		if got := r.get("total"); got != 9.99e12 {
			t.Errorf("total %v", got)
		}
	})
	t.Run("an order for nothing is refused", func(t *testing.T) {
		n := n.as(t)
		n.writesNothing(func() {
			n.post("/v1/orders", c.customer, orderBody(func(b js) { item(b, 0)["unitPrice"], item(b, 1)["unitPrice"] = 0, 0 })).
				problem(422, orders.Unprocessable).pointsAt("/items")
		})
	})
}

// TestBadItems: what is unknown, sold out, dearer than thought or out of reach is told line by line.
func TestBadItems(t *testing.T) {
	n, c := start(t), newCast(t)
	n.restaurant(c, "res_1", func(b js) {
		b["menu"] = []any{
			js{"itemId": "rice", "name": "Rice", "unitPrice": 1500, "available": true},
			js{"itemId": "soup", "name": "Soup", "unitPrice": 2000, "available": false},
		}
		b["deliveryRadiusMetres"] = 5000
	})
	n.restaurant(c, "res_2", func(b js) { b["openPricing"] = false })
	n.restaurant(c, "res_3", nil)
	lines := func(ids ...string) func(js) {
		return func(b js) {
			list := []any{}
			for _, id := range ids {
				list = append(list, js{"itemId": id, "quantity": 1})
			}
			b["items"] = list
		}
	}
	for _, bad := range []struct {
		name     string
		change   func(js)
		code     int
		kind     orders.Kind
		word     string
		pointers []string
	}{
		{"unknown items", lines("rice", "eel", "ghost"), 422, orders.Unprocessable, "", []string{"/items/1/itemId", "/items/2/itemId"}},
		{"sold out", lines("soup", "rice", "soup"), 409, orders.Conflict, "ITEM_SOLD_OUT", []string{"/items/0/itemId", "/items/2/itemId"}},
		{"another price than thought", func(b js) { lines("rice")(b); b["expectedTotal"] = 1499 }, 422, orders.Unprocessable, "PRICE_CHANGED", []string{"/expectedTotal"}},
		{"too far", func(b js) { lines("rice")(b); addr(b)["lat"] = 31.5 }, 422, orders.Unprocessable, "OUT_OF_AREA", []string{"/address"}},
		{"an unknown restaurant", func(b js) { b["restaurantId"] = "res_9" }, 422, orders.Unprocessable, "", []string{"/restaurantId"}},
		{"neither menu nor open pricing", func(b js) { b["restaurantId"] = "res_2" }, 422, orders.Unprocessable, "", []string{"/restaurantId"}},
		{"no menu, no name, no price", func(b js) { lines("a", "b")(b); b["restaurantId"] = "res_3"; item(b, 1)["name"] = "B" },
			422, orders.Unprocessable, "", []string{"/items/0/name", "/items/1/unitPrice"}},
	} {
		t.Run(bad.name, func(t *testing.T) {
			n := n.as(t)
			n.writesNothing(func() {
				r := n.post("/v1/orders", c.customer, orderBody(bad.change)).problem(bad.code, bad.kind).pointsAt(bad.pointers...)
				if r.text("code") != bad.word {
					t.Errorf("code %q, want %q", r.text("code"), bad.word)
				}
			})
		})
	}
}

// TestBadActionBodies: every action refuses what its body may not be, and the order stays where it was.
func TestBadActionBodies(t *testing.T) {
	n, c := start(t), newCast(t)
	n.restaurant(c, "res_1", nil)
	placed, paid, onway := n.order(c, "placed", nil), n.order(c, "paid", nil), n.order(c, "onway", nil)
	preparing := n.order(c, "preparing", nil)
	for _, bad := range []struct {
		name, path, token string
		body              any
		code              int
		pointers          []string
	}{
		{"too little paid", placed + "/pay", c.payment, js{"amount": 4999, "transactionId": "t"}, 422, []string{"/amount"}},
		{"too much paid", placed + "/pay", c.payment, js{"amount": 5001, "transactionId": "t"}, 422, []string{"/amount"}},
		{"another currency", placed + "/pay", c.payment, js{"amount": 5000, "currency": "USD", "transactionId": "t"}, 422, []string{"/currency"}},
		{"no currency at all", placed + "/pay", c.payment, js{"amount": 5000, "currency": "cny", "transactionId": "t"}, 400, []string{"/currency"}},
		{"nothing paid", placed + "/pay", c.payment, js{"amount": 0, "transactionId": "t"}, 400, []string{"/amount"}},
		{"less than nothing paid", placed + "/pay", c.payment, js{"amount": -5000, "transactionId": "t"}, 400, []string{"/amount"}},
		{"an amount beyond int64", placed + "/pay", c.payment, js{"amount": json.Number("9223372036854775808"), "transactionId": "t"}, 400, []string{"/amount"}},
		{"an amount beyond everything", placed + "/pay", c.payment, js{"amount": json.Number("1e400"), "transactionId": "t"}, 400, []string{"/amount"}},
		{"half a fen", placed + "/pay", c.payment, js{"amount": 5000.5, "transactionId": "t"}, 400, []string{"/amount"}},
		{"a fraction that is none", placed + "/pay", c.payment, js{"amount": json.Number("5000.0"), "transactionId": "t"}, 400, []string{"/amount"}},
		{"no transaction", placed + "/pay", c.payment, js{"amount": 5000}, 400, []string{"/transactionId"}},
		{"a transaction with a space", placed + "/pay", c.payment, js{"amount": 5000, "transactionId": "a b"}, 400, []string{"/transactionId"}},
		{"a transaction of 65", placed + "/pay", c.payment, js{"amount": 5000, "transactionId": strings.Repeat("t", 65)}, 400, []string{"/transactionId"}},
		{"nothing at all", placed + "/pay", c.payment, nil, 400, []string{""}},
		{"a refund of nothing", paid + "/refunds", c.ops, js{"amount": 0, "reason": ""}, 400, []string{"/amount", "/reason"}},
		{"no kitchen time", paid + "/confirm", c.merchant, js{}, 400, []string{"/prepMinutes"}},
		{"no time for the kitchen", paid + "/confirm", c.merchant, js{"prepMinutes": 0}, 400, []string{"/prepMinutes"}},
		{"days in the kitchen", paid + "/confirm", c.merchant, js{"prepMinutes": 481}, 400, []string{"/prepMinutes"}},
		{"a made-up reason", paid + "/reject", c.merchant, js{"reason": "BORED"}, 400, []string{"/reason"}},
		{"somebody else's reason", paid + "/reject", c.merchant, js{"reason": "CUSTOMER_CANCELLED"}, 400, []string{"/reason"}},
		{"a reason of the system", paid + "/cancel", c.customer, js{"reason": "PAYMENT_TIMEOUT", "note": 1}, 400, []string{"/reason", "/note"}},
		{"101 missing items", paid + "/cancel", c.ops, js{"reason": "OTHER", "outOfStockItems": make([]string, 101)}, 400, nil},
		{"a body where none belongs", preparing + "/ready", c.merchant, js{"now": true}, 400, []string{"/now"}},
		{"a made-up change", preparing + "/amendments", c.merchant, js{"itemId": "rice", "change": "DOUBLE"}, 400, []string{"/change"}},
		{"an item that was not ordered", preparing + "/amendments", c.merchant, js{"itemId": "eel", "change": "REMOVE"}, 422, []string{"/itemId"}},
		{"more than ordered", preparing + "/amendments", c.merchant, js{"itemId": "rice", "change": "REDUCE", "quantity": 2}, 422, []string{"/quantity"}},
		{"REDUCE without a number", preparing + "/amendments", c.merchant, js{"itemId": "rice", "change": "REDUCE"}, 422, []string{"/quantity"}},
		{"REDUCE to none", preparing + "/amendments", c.merchant, js{"itemId": "rice", "change": "REDUCE", "quantity": 0}, 400, []string{"/quantity"}},
		{"SUBSTITUTE by nothing", preparing + "/amendments", c.merchant, js{"itemId": "rice", "change": "SUBSTITUTE"}, 422, []string{"/substitute"}},
		{"SUBSTITUTE by itself", preparing + "/amendments", c.merchant,
			js{"itemId": "rice", "change": "SUBSTITUTE", "substitute": js{"itemId": "rice", "name": "R", "unitPrice": 1}}, 422, []string{"/substitute/itemId"}},
		{"SUBSTITUTE for a made-up price", preparing + "/amendments", c.merchant,
			js{"itemId": "rice", "change": "SUBSTITUTE", "substitute": js{"itemId": "tea", "name": "T", "unitPrice": -1}}, 400, []string{"/substitute/unitPrice"}},
		{"a made-up stop", onway + "/arrive", c.courier, js{"stop": "HOME"}, 400, []string{"/stop"}},
		{"a problem in small letters", onway + "/problem", c.courier, js{"type": "flat tyre"}, 400, []string{"/type"}},
		{"a made-up disposition", onway + "/fail", c.courier, js{"reason": "LOST", "disposition": "EAT"}, 400, []string{"/disposition"}},
		{"an empty PIN", onway + "/deliver", c.courier, js{"pin": ""}, 400, []string{"/pin"}},
		{"a number for a PIN", onway + "/deliver", c.courier, js{"pin": 1234}, 400, []string{"/pin"}},
		{"nobody's tokens", "/v1/revocations", c.ops, js{"sub": ""}, 400, []string{"/sub"}},
	} {
		t.Run(bad.name, func(t *testing.T) {
			n := n.as(t)
			n.writesNothing(func() {
				r := n.post(bad.path, bad.token, bad.body).want(bad.code)
				if bad.pointers != nil {
					r.pointsAt(bad.pointers...)
				}
			})
		})
	}
	t.Run("a courier without an id, or with a made-up one", func(t *testing.T) {
		n := n.as(t)
		n.writesNothing(func() {
			n.put(preparing+"/courier", c.ops, js{"name": "Wang"}).problem(400, orders.Invalid).pointsAt("/courierId")
			n.put(preparing+"/courier", c.ops, js{"courierId": "a b"}).problem(400, orders.Invalid).pointsAt("/courierId")
		})
	})
	t.Run("a restaurant that cannot be", func(t *testing.T) {
		n := n.as(t)
		good := func(change func(js)) js {
			b := js{"name": "Wok", "lat": 1, "lon": 1}
			change(b)
			return b
		}
		dish := func(id string, price any) js {
			return js{"itemId": id, "name": "D", "unitPrice": price, "available": true}
		}
		n.writesNothing(func() {
			n.put("/v1/restaurants/res_1", c.merchant, good(func(b js) { b["lat"] = 91 })).problem(400, orders.Invalid).pointsAt("/lat")
			n.put("/v1/restaurants/res_1", c.merchant, good(func(b js) { b["menu"] = []any{dish("a", -1)} })).problem(400, orders.Invalid).pointsAt("/menu/0/unitPrice")
			n.put("/v1/restaurants/res_1", c.merchant, good(func(b js) { b["menu"] = []any{dish("a", json.Number("1e2"))} })).problem(400, orders.Invalid).pointsAt("/menu/0/unitPrice")
			n.put("/v1/restaurants/res_1", c.merchant, good(func(b js) { b["menu"] = []any{dish("a", 1), dish("b", 1), dish("a", 2)} })).
				problem(422, orders.Unprocessable).pointsAt("/menu/2/itemId")
			n.call("PATCH", "/v1/restaurants/res_1/items/ghost", c.merchant, js{"available": false}).problem(404, orders.NotFound)
			n.call("PATCH", "/v1/restaurants/res_1/items/ghost", c.merchant, js{}).problem(400, orders.Invalid)
			n.put("/v1/restaurants/res_2", c.merchant, good(func(js) {})).problem(403, orders.Forbidden)
		})
	})
}

// TestBadNotificationURL: the rule of design section 8, each way to break it.
func TestBadNotificationURL(t *testing.T) {
	n, c := start(t), newCast(t)
	n.restaurant(c, "res_1", nil)
	for _, url := range []string{
		"", "/hook", "hook", "user-app.com/hook", "//user-app.com/hook", "https:/x", "https:///x", "https:user-app.com", "https://", "https://:443/x",
		"http://user-app.com/hook", "HTTP://user-app.com/hook", "ftp://user-app.com/", "file:///etc/passwd", "gopher://user-app.com/", "javascript:alert(1)",
		"https://user-app.com:80/x", "https://user-app.com:22/x", "https://user-app.com:0/x", "https://user-app.com:/x", "https://user-app.com:99999/x",
		"https://user-app.com:-443/x", "https://user-app.com:443.0/x",
		"https://u:p@user-app.com/x", "https://u@user-app.com/x", "https://@user-app.com/x", "https://:@user-app.com/x", "https://user-app.com@evil.example/x",
		"https://user-app.com/x?a=1", "https://user-app.com/x?", "https://user-app.com?x", "https://user-app.com/x#f", "https://user-app.com/x#", "https://user-app.com#",
		"https://user app.com/", "https://user-app.com/a b", " https://user-app.com/", "https://user-app.com/ ", "https://user-app.com/\n", "https://user-app.com/\r\nHost: x",
		"https://user-app.com/\t", "https://user-app.com/\u007f", "https://user-app.com\\@evil.example/", "https:\\\\user-app.com\\x",
		"https://bücher.example/x", "https://user-app.com/外卖", "https://user-app.com/\u202e", "https://%zz/", "https://[::1/x", "https://[::1%25eth0", "https://user-app.com/%zz",
		"https://user-app.com/" + strings.Repeat("a", 2048-len("https://user-app.com/")+1), "https://user-app.com/" + strings.Repeat("a", 60_000),
	} {
		name := url[:min(len(url), 60)]
		t.Run(name, func(t *testing.T) {
			n := n.as(t)
			n.writesNothing(func() {
				n.post("/v1/orders", c.customer, orderBody(func(b js) { b["notificationUrl"] = url }), "Idempotency-Key", "hook").
					problem(400, orders.Invalid).pointsAt("/notificationUrl")
			})
		})
	}
	for url, want := range map[string]string{
		"https://user-app.com/hook/":     "https://user-app.com/hook",
		"https://user-app.com:8443/":     "https://user-app.com:8443",
		"https://user-app.com:443/a%20b": "https://user-app.com:443/a%20b",
		"https://10.0.0.1/hook":          "https://10.0.0.1/hook", // taken, and refused when it is dialled
		"https://[fd00::1]:8443/hook":    "https://[fd00::1]:8443/hook",
		"https://user-app.com/" + strings.Repeat("a", 2048-len("https://user-app.com/")): "https://user-app.com/" + strings.Repeat("a", 2048-len("https://user-app.com/")),
	} {
		t.Run("taken: "+url[:min(len(url), 60)], func(t *testing.T) {
			r := n.as(t).post("/v1/orders", c.customer, orderBody(func(b js) { b["notificationUrl"] = url })).want(201)
			if got := r.text("notificationUrl"); got != want {
				t.Errorf("%q, want %q", got, want)
			}
		})
	}
}
