package web_test

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"doorbell/orders"
	"doorbell/web/api"
)

// who are the columns of permissions, first before "our" order and then before a stranger's: the customer cus_1, the
// merchant of res_1, the courier cou_1, the one it replaced, the payment provider, ops, our order's tracking link, a
// link with a forged key, a link an hour after its order's end, and nobody without a token.
var who = []string{"customer", "merchant", "courier", "replaced", "payment", "ops", "tracker", "forged", "dead", "nobody"}

// permissions is the table of design section 7, written out. "ok" means that neither token, ownership nor role stands
// in the way.
var permissions = map[string]string{
	//                      before our order                                     before a stranger's order
	//                      cus mer cou rep pay ops trk forged dead nobody        cus mer cou rep pay ops trk forged dead nobody
	"getOrder":            `ok  ok  ok  404 403 ok  ok  401 401 401               404 404 404 404 403 ok  404 401 401 401`,
	"listOrderEvents":     `ok  ok  ok  404 403 ok  ok  401 401 401               404 404 404 404 403 ok  404 401 401 401`,
	"payOrder":            `403 403 403 404 ok  403 403 401 401 401               404 404 404 404 ok  403 404 401 401 401`,
	"refundOrder":         `403 403 403 404 ok  ok  403 401 401 401               404 404 404 404 ok  ok  404 401 401 401`,
	"confirmOrder":        `403 ok  403 404 403 403 403 401 401 401               404 404 404 404 403 403 404 401 401 401`,
	"rejectOrder":         `403 ok  403 404 403 403 403 401 401 401               404 404 404 404 403 403 404 401 401 401`,
	"prepareOrder":        `403 ok  403 404 403 403 403 401 401 401               404 404 404 404 403 403 404 401 401 401`,
	"delayOrder":          `403 ok  403 404 403 403 403 401 401 401               404 404 404 404 403 403 404 401 401 401`,
	"readyOrder":          `403 ok  403 404 403 403 403 401 401 401               404 404 404 404 403 403 404 401 401 401`,
	"amendOrder":          `403 ok  403 404 403 403 403 401 401 401               404 404 404 404 403 403 404 401 401 401`,
	"acceptAmendment":     `ok  403 403 404 403 403 403 401 401 401               404 404 404 404 403 403 404 401 401 401`,
	"rejectAmendment":     `ok  403 403 404 403 403 403 401 401 401               404 404 404 404 403 403 404 401 401 401`,
	"cancelOrder":         `ok  403 403 404 403 ok  403 401 401 401               404 404 404 404 403 ok  404 401 401 401`,
	"approveCancellation": `403 ok  403 404 403 ok  403 401 401 401               404 404 404 404 403 ok  404 401 401 401`,
	"denyCancellation":    `403 ok  403 404 403 ok  403 401 401 401               404 404 404 404 403 ok  404 401 401 401`,
	"assignCourier":       `403 403 403 404 403 ok  403 401 401 401               404 404 404 404 403 ok  404 401 401 401`,
	"unassignCourier":     `403 403 ok  404 403 ok  403 401 401 401               404 404 404 404 403 ok  404 401 401 401`,
	"arriveOrder":         `403 403 ok  404 403 ok  403 401 401 401               404 404 404 404 403 ok  404 401 401 401`,
	"pickupOrder":         `403 ok  ok  404 403 ok  403 401 401 401               404 404 404 404 403 ok  404 401 401 401`,
	"deliverOrder":        `ok  403 ok  404 403 ok  403 401 401 401               404 404 404 404 403 ok  404 401 401 401`,
	"reportProblem":       `403 403 ok  404 403 ok  403 401 401 401               404 404 404 404 403 ok  404 401 401 401`,
	"failOrder":           `403 403 ok  404 403 ok  403 401 401 401               404 404 404 404 403 ok  404 401 401 401`,
	"returnOrder":         `403 ok  ok  404 403 ok  403 401 401 401               404 404 404 404 403 ok  404 401 401 401`,

	"getTrack":    `403 403 403 404 403 ok  403 401 401 401               404 404 404 404 403 ok  404 401 401 401`,
	"deleteTrack": `403 403 403 404 403 ok  403 401 401 401               404 404 404 404 403 ok  404 401 401 401`,

	//                      the courier is cou_1, then cou_2
	"postLocations":      `404 404 ok  404 404 403 404 401 401 401                404 404 404 404 404 403 404 401 401 401`,
	"addDevice":          `404 404 ok  404 404 ok  404 401 401 401                404 404 404 404 404 ok  404 401 401 401`,
	"listDevices":        `404 404 ok  404 404 ok  404 401 401 401                404 404 404 404 404 ok  404 401 401 401`,
	"revokeDevice":       `404 404 ok  404 404 ok  404 401 401 401                404 404 404 404 404 ok  404 401 401 401`,
	"deleteCourierTrack": `404 404 403 404 404 ok  404 401 401 401                404 404 404 404 404 ok  404 401 401 401`,

	//                      these take devices only
	"ingestOwnTracks":      `401 401 401 401 401 401 401 401 401 401              401 401 401 401 401 401 401 401 401 401`,
	"ingestOsmAnd":         `401 401 401 401 401 401 401 401 401 401              401 401 401 401 401 401 401 401 401 401`,
	"ingestOsmAndQuery":    `401 401 401 401 401 401 401 401 401 401              401 401 401 401 401 401 401 401 401 401`,
	"ingestOverland":       `401 401 401 401 401 401 401 401 401 401              401 401 401 401 401 401 401 401 401 401`,
	"ingestGPSLogger":      `401 401 401 401 401 401 401 401 401 401              401 401 401 401 401 401 401 401 401 401`,
	"ingestGPSLoggerQuery": `401 401 401 401 401 401 401 401 401 401              401 401 401 401 401 401 401 401 401 401`,

	//                      these name no order; the restaurant is res_1, then res_2
	"createOrder":   `ok  403 403 403 403 403 403 401 401 401                     ok  403 403 403 403 403 403 401 401 401`,
	"listOrders":    `ok  ok  ok  ok  403 ok  403 401 401 401                     ok  ok  ok  ok  403 ok  403 401 401 401`,
	"getRestaurant": `ok  ok  ok  ok  ok  ok  ok  ok  ok  ok                      ok  ok  ok  ok  ok  ok  ok  ok  ok  ok`,
	"getItem":       `ok  ok  ok  ok  ok  ok  ok  ok  ok  ok                      ok  ok  ok  ok  ok  ok  ok  ok  ok  ok`,
	"putRestaurant": `403 ok  403 403 403 ok  403 401 401 401                     403 403 403 403 403 ok  403 401 401 401`,
	"patchItem":     `403 ok  403 403 403 ok  403 401 401 401                     403 403 403 403 403 ok  403 401 401 401`,
	"revokeTokens":  `403 403 403 403 403 ok  403 401 401 401                     403 403 403 403 403 ok  403 401 401 401`,
}

// operation is one of the document, with a body that fits it.
type operation struct{ id, method, path string }

var bodies = map[string]any{
	"createOrder":   orderBody(func(b map[string]any) { b["paymentMethod"] = "CASH" }),
	"payOrder":      map[string]any{"amount": 5000, "transactionId": "tx_1"},
	"refundOrder":   map[string]any{"amount": 1, "reason": "cold"},
	"confirmOrder":  map[string]any{"prepMinutes": 20},
	"delayOrder":    map[string]any{"prepMinutes": 20},
	"rejectOrder":   map[string]any{"reason": "STORE_BUSY"},
	"amendOrder":    map[string]any{"itemId": "soup", "change": "REMOVE"},
	"cancelOrder":   map[string]any{"reason": "OTHER"},
	"assignCourier": map[string]any{"courierId": "cou_1"},
	"reportProblem": map[string]any{"type": "TRAFFIC"},
	"failOrder":     map[string]any{"reason": "OTHER"},
	"putRestaurant": map[string]any{"name": "Golden Wok", "lat": 31.23, "lon": 121.47},
	"patchItem":     map[string]any{"available": true},
	"revokeTokens":  map[string]any{"sub": "cus_gone"},
	"postLocations": map[string]any{"points": []any{}},
}

// operations lists the document's.
func operations(t testing.TB) (out []operation) {
	t.Helper()
	doc, err := api.Load()
	if err != nil {
		t.Fatal(err)
	}
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			out = append(out, operation{op.OperationID, method, path})
		}
	}
	return out
}

func (o operation) ofOrder() bool { return strings.Contains(o.path, "{orderId}") }

// ask calls an operation. An If-Match that never matches keeps the allowed ones from changing anything: they end in
// 412, behind the checks that are looked at here.
func (n *node) ask(o operation, token, orderPath, restaurant string) reply {
	n.t.Helper()
	courier := "cou_1"
	if restaurant == "res_2" {
		courier = "cou_2"
	}
	path := "/v1" + strings.NewReplacer(
		"{orderId}", orderID(orderPath), "{n}", "1", "{restaurantId}", restaurant, "{itemId}", "rice",
		"{courierId}", courier, "{deviceId}", n.devices[courier], "{token}", "dvc_"+strings.Repeat("x", 32)).Replace(o.path)
	var headers []string
	if o.method != http.MethodGet && o.id != "createOrder" {
		headers = []string{"If-Match", `"999"`}
	}
	return n.call(o.method, path, token, bodies[o.id], headers...)
}

// allowed reports whether neither token, ownership nor role stood in the way.
func (r reply) allowed() bool {
	return r.Code/100 == 2 || r.Code == http.StatusPreconditionFailed
}

func TestP7_NobodySeesAStrangersOrder(t *testing.T) {
	n := start(t)
	c := newCast(t)
	for _, id := range []string{"res_1", "res_2"} {
		n.restaurant(c, id, func(b map[string]any) {
			b["menu"] = []any{
				map[string]any{"itemId": "rice", "name": "Rice", "unitPrice": 1500, "available": true},
				map[string]any{"itemId": "soup", "name": "Soup", "unitPrice": 2000, "available": true},
			}
		})
	}
	ours := n.order(c, "assigned", nil)
	n.put(ours+"/courier", c.ops, map[string]any{"courierId": "cou_3"}).want(200)
	n.put(ours+"/courier", c.ops, map[string]any{"courierId": "cou_1"}).want(200)
	strangers := c
	strangers.customer, strangers.merchant = c.stranger, c.otherMerchant
	theirs := n.order(strangers, "preparing", func(b map[string]any) { b["restaurantId"] = "res_2" })
	n.put(theirs+"/courier", c.ops, map[string]any{"courierId": "cou_2"}).want(200)

	tokens := map[string]string{
		"customer": c.customer, "merchant": c.merchant, "courier": c.courier, "payment": c.payment, "ops": c.ops, "nobody": "",
		"replaced": token(t, orders.RoleCourier, "cou_3"), "tracker": n.link(ours, c.customer), "forged": forged(n.link(ours, c.customer)),
	}
	ended := n.order(c, "completed", nil)
	tokens["dead"] = n.link(ended, c.customer)
	n.get(ended, tokens["dead"]).want(200)
	n.now.pass(orders.TrackingLives)
	n.devices = map[string]string{}
	for _, courier := range []string{"cou_1", "cou_2"} {
		n.devices[courier] = n.post("/v1/couriers/"+courier+"/devices", c.ops, nil).want(201).text("deviceId")
	}

	n.sub("EveryOperationForEveryCaller", func(n *node) {
		seen := map[string]bool{}
		for _, o := range operations(n.t) {
			seen[o.id] = true
			row := strings.Fields(permissions[o.id])
			if len(row) != 2*len(who) {
				n.t.Errorf("%s: nobody wrote down who may", o.id)
				continue
			}
			for i, want := range row {
				name, order, restaurant, whose := who[i%len(who)], ours, "res_1", "our"
				if i >= len(who) {
					order, restaurant, whose = theirs, "res_2", "a stranger's"
				}
				r := n.ask(o, tokens[name], order, restaurant)
				if got := http.StatusText(r.Code); want == "ok" && !r.allowed() || want != "ok" && !strings.HasPrefix(want, strconv.Itoa(r.Code)) {
					n.t.Errorf("%s, %s, before %s order: %d %s, want %s\n%s", o.id, name, whose, r.Code, got, want, r.Raw)
				}
			}
		}
		for id := range permissions {
			if !seen[id] {
				n.t.Errorf("%s is no operation", id)
			}
		}
	})

	n.sub("AnUnpaidOrderIsNotThereForItsMerchant", func(n *node) {
		unpaid := n.order(c, "placed", nil)
		for _, o := range operations(n.t) {
			if o.ofOrder() {
				n.ask(o, c.merchant, unpaid, "res_1").want(404)
			}
		}
		n.act(unpaid+"/pay", c.payment, bodies["payOrder"])
		n.get(unpaid, c.merchant).want(200)
	})

	n.sub("AHiddenOrderLooksLikeOneThatNeverWas", func(n *node) {
		never := "/v1/orders/" + orders.NewID(time.Now())
		for _, o := range operations(n.t) {
			if !o.ofOrder() {
				continue
			}
			hidden, unknown := n.ask(o, c.customer, theirs, ""), n.ask(o, c.customer, never, "")
			hidden.Header.Del("X-Request-Id")
			unknown.Header.Del("X-Request-Id")
			hidden.Header.Del("Date")
			unknown.Header.Del("Date")
			if hidden.Code != 404 || string(hidden.Raw) != string(unknown.Raw) || !sameHeader(hidden.Header, unknown.Header) {
				n.t.Errorf("%s: a stranger's order answers\n%d %v %s\nan unknown one\n%d %v %s",
					o.id, hidden.Code, hidden.Header, hidden.Raw, unknown.Code, unknown.Header, unknown.Raw)
			}
		}
	})

	n.sub("AReplacedCourierLosesTheOrderAtOnce", func(n *node) {
		for _, step := range []string{"assigned", "onway"} {
			path := n.order(c, step, nil)
			n.get(path, c.courier).want(200)
			n.put(path+"/courier", c.ops, map[string]any{"courierId": "cou_2"}).want(200)
			for _, o := range operations(n.t) {
				if o.ofOrder() {
					n.ask(o, c.courier, path, "").want(404)
				}
			}
			n.get(path, c.otherCourier).want(200)
		}
	})

	n.sub("ACourierReadsItsFinishedOrderForADay", func(n *node) {
		path := n.order(c, "completed", nil)
		n.get(path, c.courier).want(200).shows("status", "COMPLETED", "address", nil, "delivery.courier.phone", nil)
		n.now.pass(orders.CourierReads - time.Minute)
		n.get(path, c.courier).want(200).shows("address", nil)
		n.get(path+"/events", c.courier).want(200)
		n.now.pass(time.Minute)
		n.get(path, c.courier).want(404)
		n.get(path+"/events", c.courier).want(404)
		n.get(path, c.customer).want(200)
	})

	n.sub("ATrackingLinkLivesAnHourBeyondTheEnd", func(n *node) {
		path := n.order(c, "completed", nil)
		link := n.link(path, c.customer)
		n.now.pass(orders.TrackingLives - time.Minute)
		n.get(path, link).want(200)
		n.get(path+"/events", link).want(200)
		n.now.pass(time.Minute)
		n.get(path, link).want(401)
		n.get(path, c.customer).want(200).shows("trackingUrl", nil)
	})
}

// link is an order's tracking capability, as its customer is told it.
func (n *node) link(path, token string) string {
	n.t.Helper()
	_, capability, ok := strings.Cut(n.get(path, token).want(200).text("trackingUrl"), "https://bell.example/t/#")
	if !ok || !strings.HasPrefix(capability, orders.TrackPrefix) {
		n.t.Fatalf("the tracking link is %q", capability)
	}
	return capability
}

// forged is a capability for the same order with another key: its middle characters belong to the key alone.
func forged(link string) string {
	b := []byte(link)
	i := len(b) - 6
	if b[i] == 'A' {
		b[i] = 'B'
	} else {
		b[i] = 'A'
	}
	return string(b)
}

func sameHeader(a, b http.Header) bool {
	if len(a) != len(b) {
		return false
	}
	for k, v := range a {
		if !slices.Equal(v, b[k]) {
			return false
		}
	}
	return true
}
