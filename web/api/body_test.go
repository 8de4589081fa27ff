package api_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"

	"doorbell/orders"
	"doorbell/web/api"
)

// TestRequests: what callers may leave out, and what they may not say.
func TestRequests(t *testing.T) {
	schemas := load(t).Components.Schemas
	const order = `"restaurantId":"res_1","paymentMethod":"CASH","address":{"line":"1 Nanjing Road","lat":31.2,"lon":121.4}`
	for _, c := range []struct {
		schema, body string
		ok           bool
	}{
		{"OrderRequest", `{` + order + `,"items":[{"itemId":"tea","quantity":1}]}`, true},
		{"OrderRequest", `{` + order + `,"items":[{"itemId":"tea","quantity":1,"name":"茶","unitPrice":0,"note":""}],"expectedTotal":500,"deliver":"always","soldOutPolicy":"ASK","notificationUrl":"https://a.example/n"}`, true},
		{"OrderRequest", `{` + order + `,"items":[]}`, false},
		{"OrderRequest", `{` + order + `,"items":[{"itemId":"tea","quantity":1000}]}`, false},
		{"OrderRequest", `{` + order + `,"items":[{"itemId":"tea","quantity":1.5}]}`, false},
		{"OrderRequest", `{` + order + `,"items":[{"itemId":"tea","quantity":1}],"colour":"red"}`, false},
		{"OrderRequest", `{` + order + `}`, false},
		{"EmptyRequest", `{}`, true},
		{"EmptyRequest", `{"a":1}`, false},
		{"PayRequest", `{"amount":9990000000000,"transactionId":"wx_1"}`, true},
		{"PayRequest", `{"amount":9990000000001,"transactionId":"wx_1"}`, false},
		{"PayRequest", `{"amount":1}`, false},
		{"PrepRequest", `{"prepMinutes":480}`, true},
		{"PrepRequest", `{}`, false},
		{"RejectRequest", `{"reason":"ITEM_SOLD_OUT","outOfStockItems":["tea"]}`, true},
		{"RejectRequest", `{"note":"no"}`, false},
		{"CancelRequest", `{"reason":"PAYMENT_TIMEOUT"}`, false}, // only a clock says that
		{"DeliverRequest", `{"pin":"12345"}`, true},              // a wrong PIN is a rule, not a form
		{"ProblemRequest", `{"type":"CONTACT_ATTEMPT"}`, true},
		{"ProblemRequest", `{"type":"contact"}`, false},
		{"ItemPatch", `{"available":false}`, true},
		{"ItemPatch", `{}`, false},
		{"RestaurantRequest", `{"name":"面馆","lat":31.2,"lon":121.4}`, true},
		{"RestaurantRequest", `{"restaurantId":"res_1","name":"面馆","lat":31.2,"lon":121.4}`, false}, // it stands in the path
		{"RestaurantRequest", `{"name":"面馆","lat":91,"lon":121.4}`, false},
	} {
		err := visit(t, schemas[c.schema], []byte(c.body), openapi3.VisitAsRequest())
		if (err == nil) != c.ok {
			t.Errorf("%s %s: %v", c.schema, c.body, err)
		}
	}
}

// TestZeroIsLeftOut: a Go value with only what is always there is a valid answer.
func TestZeroIsLeftOut(t *testing.T) {
	schemas, now := load(t).Components.Schemas, orders.Millis(time.Now())
	for schema, v := range map[string]any{
		"OrderResponse": api.OrderResponse{
			OrderID: "ord_1", Status: orders.Pending, Seq: 1, RestaurantID: "res_1", CustomerID: "cus_1",
			Items: []api.OrderLine{{ItemID: "tea", Name: "茶", Quantity: 1}}, Currency: orders.DefaultCurrency,
			PaymentMethod: orders.Cash, Payment: api.Payment{Status: orders.CashDue},
			Delivery: api.Delivery{Status: orders.Unassigned}, Problems: []api.DeliveryProblem{},
			CreatedAt: now, UpdatedAt: now, Timeline: []api.TimelineEntry{},
		},
		"OrderStatusUpdate": api.OrderStatusUpdate{OrderID: "ord_1", Status: orders.Confirmed, Timestamp: now, EstimatedTime: 20},
		"Problem":           api.Problem{Type: "about:blank", Title: "Conflict", Status: 409, Kind: orders.Conflict, AllowedActions: &[]string{}},
		"Restaurant":        api.Restaurant{RestaurantID: "res_1", Name: "面馆", Proof: orders.ProofNone, Menu: []api.MenuEntry{}},
		"MenuItem":          api.MenuItem{ItemID: "tea", Name: "茶"},
		"OrderList":         api.OrderList{Items: []api.OrderResponse{}},
		"EventList":         api.EventList{Items: []api.Event{}},
		"Revocation":        api.Revocation{Sub: "cus_1", RevokedAt: now},
	} {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		if err := visit(t, schemas[schema], b, openapi3.VisitAsResponse()); err != nil {
			t.Errorf("%s %s: %v", schema, b, err)
		}
	}
}

func visit(t *testing.T, schema *openapi3.SchemaRef, body []byte, opts ...openapi3.SchemaValidationOption) error {
	t.Helper()
	var v any
	if err := json.Unmarshal(body, &v); err != nil {
		t.Fatal(err)
	}
	return schema.Value.VisitJSON(v, append(opts, openapi3.MultiErrors(), openapi3.EnableFormatValidation())...)
}
