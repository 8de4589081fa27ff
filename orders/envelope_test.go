package orders_test

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"doorbell/orders"
)

// The first fields of each are the contract's, in its order: eventType and payload {orderId, status, timestamp,
// estimatedTime}. Clients and signatures see these bytes.
func TestEnvelopeGolden(t *testing.T) {
	for _, c := range []struct {
		name string
		g    *play
		want string
	}{
		{"order.created", place(t, cash),
			`{"eventId":"ord_01996c2f-3a00-7abc-8def-0123456789ab:1","eventType":"order.created","seq":1,"occurredAt":"2025-09-21T11:00:00.000Z",` +
				`"actor":{"role":"customer"},"payload":{"orderId":"ord_01996c2f-3a00-7abc-8def-0123456789ab","status":"PENDING",` +
				`"timestamp":"2025-09-21T11:00:00.000Z","restaurantId":"res_1","payment":{"status":"CASH_DUE"},"delivery":{"status":"UNASSIGNED"},` +
				`"acceptBy":"2025-09-21T11:10:00.000Z","total":6000,"currency":"CNY","items":[` +
				`{"itemId":"rice","name":"Rice","quantity":2,"unitPrice":1500},{"itemId":"soup","name":"Soup","quantity":1,"unitPrice":2200},` +
				`{"itemId":"tea","name":"Tea","quantity":1,"unitPrice":800}]}}`},
		{"order.confirmed", paid(t).wait(1500*time.Microsecond).do(merchant, orders.Confirm{PrepMinutes: 23}),
			`{"eventId":"ord_01996c2f-3a00-7abc-8def-0123456789ab:3","eventType":"order.confirmed","seq":3,"occurredAt":"2025-09-21T11:01:00.001Z",` +
				`"actor":{"role":"merchant"},"payload":{"orderId":"ord_01996c2f-3a00-7abc-8def-0123456789ab","status":"CONFIRMED",` +
				`"timestamp":"2025-09-21T11:01:00.001Z","estimatedTime":23,"restaurantId":"res_1","payment":{"status":"PAID"},` +
				`"delivery":{"status":"UNASSIGNED"},"prepMinutes":23}}`},
		{"order.cancelled", paid(t).do(merchant, orders.Reject{Reason: orders.ItemSoldOut, OutOfStock: []string{"soup"}}),
			`{"eventId":"ord_01996c2f-3a00-7abc-8def-0123456789ab:3","eventType":"order.cancelled","seq":3,"occurredAt":"2025-09-21T11:01:00.000Z",` +
				`"actor":{"role":"merchant"},"payload":{"orderId":"ord_01996c2f-3a00-7abc-8def-0123456789ab","status":"CANCELLED",` +
				`"timestamp":"2025-09-21T11:01:00.000Z","restaurantId":"res_1","payment":{"status":"REFUND_PENDING"},` +
				`"delivery":{"status":"UNASSIGNED"},"reason":"ITEM_SOLD_OUT","outOfStockItems":["soup"]}}`},
		{"order.amendment_proposed", preparing(t).do(merchant, amend(orders.ChangeSubstitute, 0, cheaper)),
			`{"eventId":"ord_01996c2f-3a00-7abc-8def-0123456789ab:5","eventType":"order.amendment_proposed","seq":5,"occurredAt":"2025-09-21T11:03:00.000Z",` +
				`"actor":{"role":"merchant"},"payload":{"orderId":"ord_01996c2f-3a00-7abc-8def-0123456789ab","status":"PREPARING",` +
				`"timestamp":"2025-09-21T11:03:00.000Z","estimatedTime":19,"restaurantId":"res_1","payment":{"status":"PAID"},` +
				`"delivery":{"status":"UNASSIGNED"},"amendment":{"n":1,"status":"PROPOSED","itemId":"rice","change":"SUBSTITUTE",` +
				`"substitute":{"itemId":"bun","name":"Bun","unitPrice":1000},"answerBy":"2025-09-21T11:06:00.000Z"}}}`},
		{"order.on_delivery", onDelivery(t),
			`{"eventId":"ord_01996c2f-3a00-7abc-8def-0123456789ab:7","eventType":"order.on_delivery","seq":7,"occurredAt":"2025-09-21T11:06:00.000Z",` +
				`"actor":{"role":"courier"},"payload":{"orderId":"ord_01996c2f-3a00-7abc-8def-0123456789ab","status":"ON_DELIVERY",` +
				`"timestamp":"2025-09-21T11:06:00.000Z","estimatedTime":16,"restaurantId":"res_1","payment":{"status":"PAID"},` +
				`"delivery":{"status":"PICKED_UP","courier":{"courierId":"cou_1","name":"Li","vehicle":"BIKE"}}}}`},
		{"order.completed", completed(t),
			`{"eventId":"ord_01996c2f-3a00-7abc-8def-0123456789ab:9","eventType":"order.completed","seq":9,"occurredAt":"2025-09-21T11:12:00.000Z",` +
				`"actor":{"role":"courier"},"payload":{"orderId":"ord_01996c2f-3a00-7abc-8def-0123456789ab","status":"COMPLETED",` +
				`"timestamp":"2025-09-21T11:12:00.000Z","restaurantId":"res_1","payment":{"status":"PAID"},` +
				`"delivery":{"status":"DELIVERED","courier":{"courierId":"cou_1","name":"Li","vehicle":"BIKE"}}}}`},
		{"payment.refund_requested", timedOut(t).do(payer, orders.Pay{Amount: 6000, TransactionID: "tx_1"}),
			`{"eventId":"ord_01996c2f-3a00-7abc-8def-0123456789ab:3","eventType":"payment.refund_requested","seq":3,"occurredAt":"2025-09-21T11:15:00.000Z",` +
				`"actor":{"role":"payment"},"payload":{"orderId":"ord_01996c2f-3a00-7abc-8def-0123456789ab","status":"CANCELLED",` +
				`"timestamp":"2025-09-21T11:15:00.000Z","restaurantId":"res_1","payment":{"status":"REFUND_PENDING"},` +
				`"delivery":{"status":"UNASSIGNED"},"reason":"PAYMENT_TIMEOUT","refund":{"amount":6000}}}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := string(c.g.evs[0].Envelope); got != c.want {
				t.Errorf("\n got %s\nwant %s", got, c.want)
			}
		})
	}
}

// What is said of the arrival stands behind the contract's four fields.
func TestEnvelopeGolden_ETA(t *testing.T) {
	p := pol
	p.Estimator = says{at: 9*time.Minute + 30*time.Second, earliest: 7 * time.Minute, latest: 13 * time.Minute}
	g := atMerchant(t).wait(time.Minute)
	_, evs, err := p.Apply(g.o, orders.Pickup{}, rider, g.now)
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"eventId":"ord_01996c2f-3a00-7abc-8def-0123456789ab:7","eventType":"order.on_delivery","seq":7,"occurredAt":"2025-09-21T11:06:00.000Z",` +
		`"actor":{"role":"courier"},"payload":{"orderId":"ord_01996c2f-3a00-7abc-8def-0123456789ab","status":"ON_DELIVERY",` +
		`"timestamp":"2025-09-21T11:06:00.000Z","estimatedTime":10,"etaAt":"2025-09-21T11:15:30.000Z","etaEarliest":"2025-09-21T11:13:00.000Z",` +
		`"etaLatest":"2025-09-21T11:19:00.000Z","restaurantId":"res_1","payment":{"status":"PAID"},` +
		`"delivery":{"status":"PICKED_UP","courier":{"courierId":"cou_1","name":"Li","vehicle":"BIKE"}}}}`
	if got := string(evs[0].Envelope); got != want {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
}

func TestMillis(t *testing.T) {
	shanghai := time.FixedZone("CST", 8*3600)
	for _, c := range []struct {
		in   time.Time
		want string
	}{
		{time.Date(2025, 1, 2, 3, 4, 5, 0, time.UTC), `"2025-01-02T03:04:05.000Z"`},
		{time.Date(2025, 1, 2, 3, 4, 5, 999_999_999, time.UTC), `"2025-01-02T03:04:05.999Z"`}, // cut, never rounded into the future
		{time.Date(2025, 1, 2, 3, 4, 5, 1_000_000, shanghai), `"2025-01-01T19:04:05.001Z"`},
		{time.Time{}, `null`},
	} {
		b, err := json.Marshal(orders.Millis(c.in))
		if err != nil || string(b) != c.want {
			t.Errorf("%v is %s, %v; want %s", c.in, b, err, c.want)
		}
		if got := c.in.UTC().Format(orders.TimeFormat); !c.in.IsZero() && `"`+got+`"` != c.want {
			t.Errorf("TimeFormat gives %s", got)
		}
	}
	b, err := json.Marshal(struct {
		At orders.Millis `json:"at,omitzero"`
	}{})
	if err != nil || string(b) != `{}` {
		t.Errorf("a zero time is %s, %v", b, err)
	}
}

// What people type ends up in item names: it must not break the JSON.
func TestEnvelopeTakesAnyText(t *testing.T) {
	g := place(t, cash, func(c *orders.Create) { c.Items[0].Name = "\"牛肉面\"\x00\xff<b>&\u2028\n" })
	items := payload(t, g, 0)["items"].([]any)
	if got := items[0].(map[string]any)["name"]; got != "\"牛肉面\"\x00\ufffd<b>&\u2028\n" {
		t.Errorf("%q", got)
	}
}

func decode(t interface{ Fatal(...any) }, b []byte) map[string]any {
	var m map[string]any
	if err := json.Unmarshal(b, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

func as[T error](err error, to *T) bool { return errors.As(err, to) }
