package web

import (
	"encoding/json"
	"time"

	"doorbell/orders"
	"doorbell/web/api"
)

// sight is what a caller may see of an order beyond what every watcher may. The table of visibility_test.go holds it.
type sight struct {
	secrets  bool // trackingUrl, pin, notificationUrl, deliver: the customer's own
	address  bool
	phone    bool // the customer's, in the address
	relay    bool // the courier's relay number
	notes    bool // what customer and merchant wrote to each other
	ledger   bool // what came in and went back
	photo    bool // the proof at the door
	problems bool // the notes of problems; their types are everybody's
}

// sightOf is who sees what: until the order's end, and after it.
func sightOf(role orders.Role, ended bool) sight {
	switch role {
	case orders.RoleOps:
		return sight{secrets: true, address: true, phone: true, relay: true, notes: true, ledger: true, photo: true, problems: true}
	case orders.RoleCustomer:
		return sight{secrets: true, address: true, phone: !ended, relay: !ended, notes: true, ledger: true, photo: true}
	case orders.RoleMerchant:
		return sight{address: !ended, phone: !ended, relay: !ended, notes: true, ledger: true, problems: true}
	case orders.RoleCourier:
		return sight{address: !ended, phone: !ended, relay: !ended, notes: !ended, photo: true, problems: true}
	case orders.RolePayment:
		return sight{ledger: true}
	}
	return sight{} // a tracking link
}

// Viewer shows orders: what a caller may see of them, in the words of openapi.yaml.
type Viewer struct {
	PublicURL string           // of tracking links, without a slash behind
	Estimator orders.Estimator // of arrivals; nil = only estimatedTime is shown, the kitchen's
}

// JSON is View as the API writes it.
func (s Viewer) JSON(o *orders.Order, role orders.Role, now time.Time) []byte {
	b, err := json.Marshal(s.View(o, role, now))
	if err != nil {
		panic("web: an order cannot be encoded: " + err.Error()) // only fixed types inside
	}
	return b
}

// View is the order as this role may see it now.
func (s Viewer) View(o *orders.Order, role orders.Role, now time.Time) api.OrderResponse {
	over := o.Status.Final() || role == orders.RoleCourier && o.Delivery.Courier == nil // it has just given it back
	see := sightOf(role, over)
	eta := o.ETA(s.Estimator, now)
	v := api.OrderResponse{
		OrderID: o.ID, Status: o.Status, Seq: o.Seq, RestaurantID: o.Restaurant, CustomerID: o.Customer,
		Items: linesView(o.Items, see), Total: o.Total, Currency: api.Currency(o.Currency), PaymentMethod: o.Method,
		Payment: paymentView(&o.Payment, see), Delivery: deliveryView(&o.Delivery, see),
		AcceptBy: orders.Millis(o.AcceptBy), ReadyAt: orders.Millis(o.ReadyAt), Amendment: amendmentView(o.Amendment),
		CancellationRequest: cancellationView(o.Cancel, see), Problems: problemsView(o.Problems, see), Reason: o.Reason,
		EstimatedTime: o.EstimatedMinutes(eta, now), ETAAt: orders.Millis(eta.At), ETAEarliest: orders.Millis(eta.Earliest),
		ETALatest: orders.Millis(eta.Latest), SoldOutPolicy: o.SoldOutPolicy,
		CreatedAt: orders.Millis(o.CreatedAt), UpdatedAt: orders.Millis(o.UpdatedAt), Timeline: timelineView(o.Timeline),
	}
	if o.Status != orders.Pending {
		v.AcceptBy = orders.Millis{}
	}
	if !o.ConfirmedAt.IsZero() {
		v.PrepMinutes = o.PrepMinutes
	}
	if see.notes {
		v.ReasonNote = o.EndNote
	}
	if see.address {
		a := api.Address{Line: o.Address.Line, Lat: o.Address.Lat, Lon: o.Address.Lon, Name: o.Address.Name}
		if see.phone {
			a.Phone = o.Address.Phone
		}
		v.Address = &a
	}
	if see.secrets {
		v.TrackingURL = s.trackingURL(o, now)
		v.PIN = o.PIN
		if v.NotificationURL = o.NotificationURL; v.NotificationURL != "" {
			v.Deliver = o.Deliver
		}
	}
	return v
}

// trackingURL carries the capability in the fragment, which browsers do not send; "" once the link is dead.
func (s Viewer) trackingURL(o *orders.Order, now time.Time) string {
	if !o.EndedAt.IsZero() && !now.Before(o.EndedAt.Add(orders.TrackingLives)) {
		return ""
	}
	return s.PublicURL + "/t/#" + o.TrackingToken()
}

func linesView(items []orders.Item, see sight) []api.OrderLine {
	out := make([]api.OrderLine, len(items))
	for i, it := range items {
		out[i] = api.OrderLine{ItemID: it.ItemID, Name: it.Name, Quantity: it.Quantity, UnitPrice: it.UnitPrice}
		if see.notes {
			out[i].Note = it.Note
		}
	}
	return out
}

func paymentView(p *orders.Payment, see sight) api.Payment {
	v := api.Payment{Status: p.Status}
	if p.Status == orders.Unpaid {
		v.PayBy = orders.Millis(p.PayBy)
	}
	if see.ledger {
		v.PaidAt, v.Captured = orders.Millis(p.PaidAt), p.Captured
		v.RefundDue, v.Refunded = p.RefundDue, p.Refunded
	}
	return v
}

func deliveryView(d *orders.Delivery, see sight) api.Delivery {
	v := api.Delivery{
		Status: d.Status, AssignedAt: orders.Millis(d.AssignedAt),
		ArrivedAtMerchantAt: orders.Millis(d.ArrivedAtMerchantAt), PickedUpAt: orders.Millis(d.PickedUpAt),
		ArrivedAtCustomerAt: orders.Millis(d.ArrivedAtCustomerAt), Disposition: d.Disposition,
	}
	if d.Courier == nil {
		v.AssignedAt = orders.Millis{}
	} else {
		v.Courier = &api.Courier{CourierID: d.Courier.ID, Name: d.Courier.Name, Vehicle: d.Courier.Vehicle}
		if see.relay {
			v.Courier.Phone = d.Courier.Phone
		}
	}
	if see.photo {
		v.PhotoRef = d.PhotoRef
	}
	return v
}

func amendmentView(m *orders.Amendment) *api.Amendment {
	if m == nil {
		return nil
	}
	v := &api.Amendment{
		N: m.N, Status: m.Status, ItemID: m.ItemID, Change: m.Change, Quantity: m.Quantity,
		ProposedAt: orders.Millis(m.ProposedAt), AnswerBy: orders.Millis(m.AnswerBy),
	}
	if s := m.Substitute; s != nil {
		v.Substitute = &api.Substitute{ItemID: s.ItemID, Name: s.Name, UnitPrice: s.UnitPrice}
	}
	return v
}

func cancellationView(r *orders.CancellationRequest, see sight) *api.CancellationRequest {
	if r == nil {
		return nil
	}
	v := &api.CancellationRequest{
		Status: r.Status, Reason: r.Reason, RequestedAt: orders.Millis(r.RequestedAt), AnswerBy: orders.Millis(r.AnswerBy),
	}
	if see.notes {
		v.Note = r.Note
	}
	return v
}

func problemsView(list []orders.Problem, see sight) []api.DeliveryProblem {
	out := make([]api.DeliveryProblem, len(list))
	for i, p := range list {
		out[i] = api.DeliveryProblem{Type: p.Type, At: orders.Millis(p.At)}
		if see.problems {
			out[i].Note = p.Note
		}
	}
	return out
}

func timelineView(list []orders.TimelineEntry) []api.TimelineEntry {
	out := make([]api.TimelineEntry, len(list))
	for i, e := range list {
		out[i] = api.TimelineEntry{Seq: e.Seq, EventType: e.Type, At: orders.Millis(e.At), Actor: api.EventActor{Role: e.Role}}
	}
	return out
}
