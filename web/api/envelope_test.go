package api_test

import (
	"encoding/json"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"

	"doorbell/orders"
)

var (
	customer = orders.Actor{Role: orders.RoleCustomer, ID: "cus_1"}
	merchant = orders.Actor{Role: orders.RoleMerchant, ID: "mer_1"}
	courier  = orders.Actor{Role: orders.RoleCourier, ID: "cou_1"}
	payment  = orders.Actor{Role: orders.RolePayment, ID: "pay_1"}
	ops      = orders.Actor{Role: orders.RoleOps, ID: "ops_1"}
)

// act is one step of an order's life; after is the time since the step before.
type act struct {
	by    orders.Actor
	do    orders.Command
	after time.Duration
}

var (
	place = orders.Create{
		ID: "ord_0193f0a1-7c3e-7b52-9d11-2f6f6f0c8a10", Restaurant: orders.Restaurant{ID: "res_1", Name: "面馆", OpenPricing: true},
		Items: []orders.Item{
			{ItemID: "noodles", Name: "牛肉面", Quantity: 2, UnitPrice: 2400, Note: "no coriander"},
			{ItemID: "tea", Name: "茶", Quantity: 3, UnitPrice: 500},
		},
		Method: orders.WeChat, Address: orders.Address{Line: "1 Nanjing Road", Lat: 31.23, Lon: 121.47, Phone: "138"},
	}
	paid   = act{by: payment, do: orders.Pay{Amount: 6300, TransactionID: "wx_1"}}
	accept = act{by: merchant, do: orders.Confirm{PrepMinutes: 20}}
	rider  = act{by: ops, do: orders.Assign{Courier: orders.Courier{ID: "cou_1", Name: "Li", Vehicle: "scooter", Phone: "139"}}}
	system = orders.System
)

// lives are orders' lives that together tell every kind of event.
var lives = map[string][]act{
	"Delivered": {
		paid, accept, {by: merchant, do: orders.Delay{PrepMinutes: 25}}, rider,
		{by: system, do: orders.Nearby{}}, {by: courier, do: orders.Arrive{}}, {by: merchant, do: orders.Ready{}},
		{by: courier, do: orders.Unassign{}}, rider,
		{by: courier, do: orders.Pickup{Code: "7"}, after: time.Minute}, {by: system, do: orders.Nearby{}},
		{by: courier, do: orders.Arrive{}}, {by: courier, do: orders.ReportProblem{Type: "GATE_CLOSED", Note: "rang twice"}},
		{by: customer, do: orders.Hand{}}, {by: ops, do: orders.RefundMade{Amount: 100, Reason: "late"}},
	},
	"PaidTooLate": {
		{by: system, do: orders.Tick{}, after: time.Hour}, paid, {by: payment, do: orders.RefundMade{Amount: 6300}},
	},
	"Amended": {
		paid, {by: merchant, do: orders.Amend{ItemID: "noodles", Change: orders.ChangeReduce, Quantity: 1}},
		{by: customer, do: orders.AcceptAmendment{N: 1}},
		{by: merchant, do: orders.Amend{ItemID: "tea", Change: orders.ChangeSubstitute, Substitute: &orders.Substitute{ItemID: "water", Name: "水", UnitPrice: 300}}},
		{by: system, do: orders.Tick{}, after: 5 * time.Minute},
		{by: merchant, do: orders.Amend{ItemID: "noodles", Change: orders.ChangeRemove}},
		{by: customer, do: orders.RejectAmendment{N: 3, CancelOrder: true}},
	},
	"Refused":     {paid, {by: merchant, do: orders.Reject{Reason: orders.ItemSoldOut, OutOfStock: []string{"tea"}}}},
	"NotAccepted": {paid, {by: system, do: orders.Tick{}, after: 6 * time.Minute}, {by: system, do: orders.Tick{}, after: 6 * time.Minute}},
	"CancelDenied": {
		paid, accept, {by: customer, do: orders.Cancel{Reason: orders.CustomerCancelled, Note: "sorry"}, after: 5 * time.Minute},
		{by: merchant, do: orders.DenyCancellation{}},
		{by: customer, do: orders.Cancel{Reason: orders.CustomerCancelled}}, {by: merchant, do: orders.ApproveCancellation{}},
	},
	"Failed": {
		paid, accept, {by: merchant, do: orders.Prepare{}}, rider, {by: courier, do: orders.Pickup{}}, {by: courier, do: orders.Arrive{}},
		{by: courier, do: orders.ReportProblem{Type: orders.ContactAttempt}},
		{by: courier, do: orders.Fail{Reason: orders.Damaged}, after: 8 * time.Minute}, {by: merchant, do: orders.ReturnMade{}},
	},
}

// TestEnvelopes checks the events of whole lives against the document: the same bytes go to sockets and callbacks.
func TestEnvelopes(t *testing.T) {
	schema := load(t).Components.Schemas["Event"]
	var seen []string
	for name, life := range lives {
		t.Run(name, func(t *testing.T) {
			for _, ev := range live(t, life) {
				checkEvent(t, schema, ev)
				seen = append(seen, string(ev.Type))
			}
		})
	}
	slices.Sort(seen)
	var all []string
	for _, e := range orders.EventTypes {
		all = append(all, string(e))
	}
	same(t, "event types seen", slices.Compact(seen), all)
}

// live places an order and leads it through a life.
func live(t *testing.T, life []act) (events []orders.Event) {
	t.Helper()
	now := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	var o orders.Order
	for i, a := range append([]act{{by: customer, do: place}}, life...) {
		now = now.Add(a.after)
		next, evs, err := orders.DefaultPolicy.Apply(o, a.do, a.by, now)
		if err != nil || len(evs) == 0 {
			t.Fatalf("step %d, %s: %d events, %v", i, a.do.Action(), len(evs), err)
		}
		o, events = next, append(events, evs...)
	}
	return events
}

func checkEvent(t *testing.T, schema *openapi3.SchemaRef, ev orders.Event) {
	t.Helper()
	if err := visit(t, schema, ev.Envelope, openapi3.VisitAsResponse()); err != nil {
		t.Errorf("%s: %v", ev.Envelope, err)
	}
	var v map[string]any
	if err := json.Unmarshal(ev.Envelope, &v); err != nil {
		t.Fatal(err)
	}
	payload := v["payload"].(map[string]any)
	for _, always := range []string{"restaurantId", "payment", "delivery"} {
		if payload[always] == nil {
			t.Errorf("%s without %s", ev.Type, always)
		}
	}
	for _, at := range []any{v["occurredAt"], payload["timestamp"]} {
		if s, _ := at.(string); !millis.MatchString(s) {
			t.Errorf("%s: %v is no time with milliseconds in UTC", ev.Type, at)
		}
	}
}

var millis = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$`)
