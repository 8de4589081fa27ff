package api_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"

	"doorbell/orders"
)

// commands is what each action of the document asks of the domain.
var commands = map[string]orders.Command{
	"payOrder": orders.Pay{Amount: 1, TransactionID: "t"}, "refundOrder": orders.RefundMade{Amount: 1},
	"confirmOrder": orders.Confirm{PrepMinutes: 1}, "rejectOrder": orders.Reject{}, "prepareOrder": orders.Prepare{},
	"delayOrder": orders.Delay{PrepMinutes: 1}, "readyOrder": orders.Ready{}, "amendOrder": orders.Amend{},
	"acceptAmendment": orders.AcceptAmendment{N: 1}, "rejectAmendment": orders.RejectAmendment{N: 1},
	"cancelOrder": orders.Cancel{}, "approveCancellation": orders.ApproveCancellation{},
	"denyCancellation": orders.DenyCancellation{}, "assignCourier": orders.Assign{}, "unassignCourier": orders.Unassign{},
	"arriveOrder": orders.Arrive{}, "pickupOrder": orders.Pickup{}, "deliverOrder": orders.Hand{},
	"reportProblem": orders.ReportProblem{}, "failOrder": orders.Fail{}, "returnOrder": orders.ReturnMade{},
	"createOrder": orders.Create{},
}

var everyone = []orders.Role{
	orders.RoleCustomer, orders.RoleMerchant, orders.RoleCourier, orders.RolePayment, orders.RoleOps, orders.RoleTracker,
}

// TestRoles: every operation says who may call it, and where it changes an order the state machine says the same.
func TestRoles(t *testing.T) {
	device := []orders.Role{"device"} // nobody to the domain
	others := map[string][]orders.Role{
		"listOrders":      {orders.RoleCustomer, orders.RoleMerchant, orders.RoleCourier, orders.RoleOps},
		"getOrder":        {orders.RoleCustomer, orders.RoleMerchant, orders.RoleCourier, orders.RoleOps, orders.RoleTracker},
		"listOrderEvents": {orders.RoleCustomer, orders.RoleMerchant, orders.RoleCourier, orders.RoleOps, orders.RoleTracker},
		"getRestaurant":   everyone, "getItem": everyone,
		"putRestaurant": {orders.RoleMerchant, orders.RoleOps}, "patchItem": {orders.RoleMerchant, orders.RoleOps},
		"revokeTokens": {orders.RoleOps},

		"postLocations": {orders.RoleCourier}, "addDevice": {orders.RoleCourier, orders.RoleOps},
		"listDevices": {orders.RoleCourier, orders.RoleOps}, "revokeDevice": {orders.RoleCourier, orders.RoleOps},
		"getTrack": {orders.RoleOps}, "deleteTrack": {orders.RoleOps}, "deleteCourierTrack": {orders.RoleOps},

		"ingestOwnTracks": device, "ingestOsmAnd": device, "ingestOsmAndQuery": device, "ingestOverland": device,
		"ingestGPSLogger": device, "ingestGPSLoggerQuery": device,
	}
	for path, item := range load(t).Paths.Map() {
		for method, op := range item.Operations() {
			got := rolesOf(t, op)
			want, listed := others[op.OperationID]
			if c, ok := commands[op.OperationID]; ok {
				want, listed = takers(c), true
			}
			if !listed {
				t.Errorf("%s %s: nobody said who may call it", method, path)
			}
			if !slices.Equal(slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(want))) {
				t.Errorf("%s %s: x-roles %v, want %v", method, path, got, want)
			}
			inPath := strings.Contains(path, "{token}") // of which the document's security has no word
			if public := op.Security != nil && len(*op.Security) == 0; public != (len(want) == len(everyone) || inPath) {
				t.Errorf("%s %s: public %v with roles %v", method, path, public, want)
			}
		}
	}
}

func rolesOf(t *testing.T, op *openapi3.Operation) (out []orders.Role) {
	t.Helper()
	list, ok := op.Extensions["x-roles"].([]any)
	if !ok {
		t.Errorf("%s has no x-roles", op.OperationID)
	}
	for _, r := range list {
		out = append(out, orders.Role(r.(string)))
	}
	return out
}

// takers are the roles that the state machine does not turn away.
func takers(c orders.Command) (out []orders.Role) {
	o := orders.Order{Delivery: orders.Delivery{Courier: &orders.Courier{ID: "cou_1"}}}
	for _, r := range everyone {
		_, _, err := orders.DefaultPolicy.Apply(o, c, orders.Actor{Role: r, ID: "cou_1"}, time.Now())
		if orders.KindOf(err) != orders.Forbidden {
			out = append(out, r)
		}
	}
	return out
}

// TestReasons: the document offers the reasons that some role may give, and no others.
func TestReasons(t *testing.T) {
	schemas := load(t).Components.Schemas
	paid := orders.Order{
		ID: "ord_1", Seq: 1, Status: orders.Pending, Method: orders.Cash,
		Payment: orders.Payment{Status: orders.CashDue}, StaleAt: time.Now().Add(time.Hour),
	}
	onRoad := paid
	onRoad.Status = orders.OnDelivery
	for schema, c := range map[string]struct {
		order orders.Order
		roles []orders.Role
		make  func(orders.Reason) orders.Command
	}{
		"RejectReason": {paid, []orders.Role{orders.RoleMerchant}, func(r orders.Reason) orders.Command { return orders.Reject{Reason: r} }},
		"CancelReason": {paid, []orders.Role{orders.RoleCustomer, orders.RoleOps}, func(r orders.Reason) orders.Command { return orders.Cancel{Reason: r} }},
		"FailReason":   {onRoad, []orders.Role{orders.RoleOps}, func(r orders.Reason) orders.Command { return orders.Fail{Reason: r} }},
	} {
		var taken []string
		for _, word := range enum(schemas["Reason"].Value) {
			if slices.ContainsFunc(c.roles, func(role orders.Role) bool {
				_, _, err := orders.DefaultPolicy.Apply(c.order, c.make(orders.Reason(word)), orders.Actor{Role: role}, time.Now())
				var e *orders.Error
				if errors.As(err, &e) && (len(e.Fields) != 1 || e.Fields[0].Pointer != "/reason") {
					t.Fatalf("%s %s: %v", schema, word, err)
				}
				return err == nil
			}) {
				taken = append(taken, word)
			}
		}
		same(t, schema, enum(schemas[schema].Value), taken)
	}
}
