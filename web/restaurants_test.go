package web_test

import (
	"net/http"
	"slices"
	"testing"

	"doorbell/orders"
)

// line is a line of an order whose name and price the menu knows.
func line(id string, quantity int) map[string]any {
	return map[string]any{"itemId": id, "quantity": quantity}
}

func TestMenu(t *testing.T) {
	n, c := kitchen(t) // res_menu: rice 1500, soup 2000, stew 1800, duck 9000, fish sold out
	at := func(items ...any) map[string]any { return with("restaurantId", "res_menu", "items", items) }

	n.sub("NamesAndPricesTheLines", func(n *node) {
		dear := map[string]any{"itemId": "rice", "name": "Free rice", "unitPrice": 0, "quantity": 3, "note": "hot"}
		n.post("/v1/orders", c.customer, at(dear, line("stew", 1))).want(201).shows("total", 6300,
			"items.0.name", "Fried rice", "items.0.unitPrice", 1500, "items.0.note", "hot", "items.1.name", "Stew")
	})

	n.sub("RefusesWhatIsNotOnItNamingEachLine", func(n *node) {
		n.post("/v1/orders", c.customer, at(line("mud", 1), line("rice", 1), line("dust", 1))).want(422).
			shows("code", nil, "errors.0.pointer", "/items/0/itemId", "errors.1.pointer", "/items/2/itemId", "errors.2", nil)
	})

	n.sub("RefusesWhatIsSoldOutNamingEachLine", func(n *node) {
		n.post("/v1/orders", c.customer, at(line("rice", 1), line("fish", 1))).want(409).
			shows("code", "ITEM_SOLD_OUT", "kind", "conflict", "errors.0.pointer", "/items/1/itemId", "errors.1", nil, "currentStatus", nil)
	})

	n.sub("IsFrozenInTheOrder", func(n *node) {
		r := n.post("/v1/orders", c.customer, at(line("duck", 1))).want(201).shows("total", 9000)
		n.patch("/v1/restaurants/res_menu/items/duck", c.merchant, map[string]any{"unitPrice": 9900}).want(200)
		n.get(r.Header.Get("Location"), c.customer).want(200).shows("total", 9000, "items.0.unitPrice", 9000)
		n.post("/v1/orders", c.customer, at(line("duck", 1))).want(201).shows("total", 9900)
	})

	n.sub("ChangingUnderTheCustomersEyesIsToldNotCharged", func(n *node) {
		body := at(line("stew", 2))
		body["expectedTotal"] = 3500
		n.post("/v1/orders", c.customer, body).want(422).shows("code", "PRICE_CHANGED", "errors.0.pointer", "/expectedTotal")
		body["expectedTotal"] = 3600
		n.post("/v1/orders", c.customer, body).want(201)
	})

	n.sub("WithoutOneEachLineNeedsNameAndPrice", func(n *node) {
		n.post("/v1/orders", c.customer, with("items", []any{line("rice", 1)})).want(422).shows("errors.0.pointer", "/items/0/name")
		unpriced := line("rice", 1)
		unpriced["name"] = "Rice"
		n.post("/v1/orders", c.customer, with("items", []any{unpriced})).broken("/items/0/unitPrice")
		unpriced["unitPrice"] = 0
		n.post("/v1/orders", c.customer, with("items", []any{unpriced})).broken("/items") // all of it free
	})

	n.sub("WithoutOneAndWithoutOpenPricingNothingIsSold", func(n *node) {
		n.restaurant(c, "res_closed", fields("openPricing", false))
		n.post("/v1/orders", c.customer, with("restaurantId", "res_closed")).broken("/restaurantId")
		n.post("/v1/orders", c.customer, with("restaurantId", "res_never")).broken("/restaurantId")
	})

	n.sub("NamesADishOnce", func(n *node) {
		dish := map[string]any{"itemId": "rice", "name": "Rice", "unitPrice": 1, "available": true}
		n.put("/v1/restaurants/res_1", c.merchant, map[string]any{"name": "x", "lat": 1, "lon": 1, "menu": []any{dish, dish}}).broken("/menu/1/itemId")
	})
}

func TestDeliveryArea(t *testing.T) {
	n, c := start(t), newCast(t)
	n.restaurant(c, "res_1", fields("deliveryRadiusMetres", 3000))
	to := func(lat, lon float64) map[string]any {
		return with("address", map[string]any{"line": "somewhere", "lat": lat, "lon": lon})
	}
	n.post("/v1/orders", c.customer, to(31.2569, 121.47)).want(201) // 2991 m north
	n.post("/v1/orders", c.customer, to(31.2571, 121.47)).broken("/address").shows("code", "OUT_OF_AREA")
	n.post("/v1/orders", c.customer, to(-31.23, -58.53)).broken("/address").shows("code", "OUT_OF_AREA")
}

func (n *node) patch(path, token string, body any) reply {
	n.t.Helper()
	return n.call(http.MethodPatch, path, token, body)
}

func TestRestaurant(t *testing.T) {
	n, c := kitchen(t)
	const path, fish = "/v1/restaurants/res_menu", "/v1/restaurants/res_menu/items/fish"

	n.sub("AnybodyReadsItAndKeepsItForAnHour", func(n *node) {
		r := n.get(path, "").want(200).shows("restaurantId", "res_menu", "name", "Golden Wok", "menu.4.itemId", "fish", "menu.4.available", nil)
		tag := r.Header.Get("ETag")
		if cc := r.Header.Get("Cache-Control"); cc != "max-age=3600, public" || tag == "" {
			n.t.Errorf("Cache-Control %q, ETag %s", cc, tag)
		}
		same := n.get(path, "", "If-None-Match", tag).want(304)
		if len(same.Raw) != 0 || same.Header.Get("ETag") != tag || same.Header.Get("Cache-Control") != "max-age=3600, public" {
			n.t.Errorf("%v %q", same.Header, same.Raw)
		}
		n.get(path, "no.such.token").want(200)
		n.get("/v1/restaurants/res_never", "").want(404)
	})

	n.sub("SoldOutIsKnownAtOnce", func(n *node) {
		r := n.get(fish, "").want(200).shows("available", false, "unitPrice", 3000)
		if cc := r.Header.Get("Cache-Control"); cc != "no-cache" {
			n.t.Errorf("Cache-Control %q", cc)
		}
		order := with("restaurantId", "res_menu", "items", []any{line("fish", 1)})
		n.post("/v1/orders", c.customer, order).want(409)
		n.patch(fish, c.merchant, map[string]any{"available": true}).want(200).shows("available", true, "name", "Fish")
		n.get(fish, "").want(200).shows("available", true)
		n.post("/v1/orders", c.customer, order).want(201)
		n.patch(fish, c.ops, map[string]any{"available": false}).want(200)
		n.get(fish, "").want(200).shows("available", false)
		n.post("/v1/orders", c.customer, order).want(409).shows("code", "ITEM_SOLD_OUT")
		n.get("/v1/restaurants/res_menu/items/mud", "").want(404)
		n.patch("/v1/restaurants/res_menu/items/mud", c.merchant, map[string]any{"available": true}).want(404)
	})

	n.sub("AnotherMerchantWritesNothing", func(n *node) {
		before := n.get(path, "").want(200)
		body := map[string]any{"name": "Hijacked", "lat": 1, "lon": 1}
		for _, caller := range []string{c.otherMerchant, c.customer, c.courier, c.payment} {
			n.put(path, caller, body).want(403)
			n.patch(fish, caller, map[string]any{"available": true}).want(403)
			n.put("/v1/restaurants/res_brand_new", caller, body).want(403)
		}
		n.put(path, "", body).want(401)
		if after := n.get(path, "").want(200); !slices.Equal(before.Raw, after.Raw) || before.Header.Get("ETag") != after.Header.Get("ETag") {
			n.t.Errorf("it became %s", after.Raw)
		}
		n.get("/v1/restaurants/res_brand_new", "").want(404)
	})

	n.sub("ItsMerchantReplacesItWhole", func(n *node) {
		mine := token(n.t, orders.RoleMerchant, "mer_5", "res_new")
		body := map[string]any{"name": "Silver Wok", "lat": 31.2, "lon": 121.4, "deliveryRadiusMetres": 900, "proof": "PIN", "prepMinutes": 5,
			"autoAccept": true, "menu": []any{map[string]any{"itemId": "a", "name": "A", "unitPrice": 1, "available": true}}}
		n.put("/v1/restaurants/res_new", mine, body, "If-Match", `*`).want(412)
		made := n.put("/v1/restaurants/res_new", mine, body).want(201).shows("name", "Silver Wok", "proof", "PIN", "deliveryRadiusMetres", 900)
		n.get("/v1/restaurants/res_new", "").want(200).shows("menu.0.itemId", "a", "autoAccept", true)
		plain := map[string]any{"name": "Bronze Wok", "lat": 31.2, "lon": 121.4}
		next := n.put("/v1/restaurants/res_new", mine, plain, "If-Match", made.Header.Get("ETag")).want(200).
			shows("name", "Bronze Wok", "deliveryRadiusMetres", nil, "proof", "NONE", "autoAccept", false, "openPricing", true, "menu", []any{})
		n.put("/v1/restaurants/res_new", mine, plain, "If-Match", made.Header.Get("ETag")).want(412)
		if old, now := made.Header.Get("ETag"), next.Header.Get("ETag"); old == now {
			n.t.Errorf("both are %s", now)
		}
		n.get("/v1/restaurants/res_new", "", "If-None-Match", made.Header.Get("ETag")).want(200).shows("name", "Bronze Wok")
	})
}
