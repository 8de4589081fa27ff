package callback

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"doorbell/orders"
)

func TestRows(t *testing.T) {
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	events := func(types ...orders.EventType) (all []orders.Event) {
		for i, ty := range types {
			all = append(all, orders.Event{OrderID: "ord_1", Seq: int64(3 + i), Type: ty, Envelope: []byte(`{}`)})
		}
		return all
	}
	unpaid := &orders.Order{ID: "ord_1", Customer: "cus_1", Restaurant: "res_1", Status: orders.Pending, NotificationURL: "https://c.test/cb"}
	paid := *unpaid
	paid.Payment.PaidAt = now
	customers := func(o orders.Order, d orders.Deliver) Endpoint {
		o.Deliver = d
		e, _ := ImplicitOf(&o)
		e.ID = "customer"
		return e
	}
	merchant := at("m.test")
	merchant.ID = "merchant"
	other := merchant
	other.ID, other.Owner.Restaurants = "other", []string{"res_2"}
	picky := merchant
	picky.ID, picky.Events = "picky", []orders.EventType{orders.OrderCompleted}
	off := merchant
	off.ID, off.State = "off", StateDisabled
	deleted := merchant
	deleted.ID, deleted.State = "deleted", StateDeleted
	patient := merchant
	patient.ID, patient.Deliver = "patient", orders.DeliverUnlessAcked
	ops := patient
	ops.ID, ops.Owner = "ops", orders.Caller{Actor: orders.Actor{Role: orders.RoleOps}}

	for _, c := range []struct {
		name   string
		o      *orders.Order
		events []orders.Event
		hear   []Endpoint
		want   []string // endpoint seq kind due ackedBy worth parked
	}{
		{"a merchant hears nothing of an unpaid order", unpaid, events(orders.OrderCreated), []Endpoint{merchant, patient}, nil},
		{"ops do", unpaid, events(orders.OrderCreated), []Endpoint{ops}, []string{"ops 3 0 1s  30m0s false"}},
		{"of another restaurant's neither", &paid, events(orders.OrderPaid), []Endpoint{other}, nil},
		{"from PAID on", &paid, events(orders.OrderPaid), []Endpoint{merchant, patient}, []string{"merchant 3 0 0s  30m0s false", "patient 3 0 1s merchant 30m0s false"}},
		{"only what it asked for", &paid, events(orders.OrderReady, orders.OrderCompleted), []Endpoint{picky}, []string{"picky 4 0 0s  24h0m0s false"}},
		{"the end is nobody's to call off", &paid, events(orders.OrderCompleted), []Endpoint{patient}, []string{"patient 3 0 1s  24h0m0s false"}},
		{"a disabled one's wait until it is enabled", &paid, events(orders.OrderPaid), []Endpoint{off, deleted}, []string{"off 3 0 0s  30m0s true"}},
		{"the customer's back end", unpaid, events(orders.OrderCreated), []Endpoint{customers(*unpaid, "")}, []string{"customer 3 0 1s customer 30m0s false"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			for _, r := range Rows(c.o, c.events, c.hear, now) {
				got = append(got, fmt.Sprintf("%s %d %d %v %s %v %v", r.Endpoint, r.Seq, r.Kind, r.Due.Sub(now), r.AckedBy, r.Expires.Sub(r.Made), r.Parked))
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
	t.Run("the acceptance also goes to order-status, in the same lane", func(t *testing.T) {
		e, _ := ImplicitOf(&paid)
		got := Rows(&paid, events(orders.OrderPaid, orders.OrderConfirmed), []Endpoint{e}, now)
		if len(got) != 3 || got[2].Kind != KindStatus || got[2].Class != ClassKept || got[2].AckedBy != orders.RoleCustomer ||
			got[2].MessageID() != "ord_1:4:status" || got[1].Compare(got[2].Key) >= 0 {
			t.Errorf("%+v", got)
		}
	})
}

func TestAckOf(t *testing.T) {
	w := orders.Ownership{ID: "ord_1", Customer: "cus_1", Restaurant: "res_1", ShownToMerchant: true}
	hidden := w
	hidden.ShownToMerchant = false
	customer := func(id string) orders.Caller {
		return orders.Caller{Actor: orders.Actor{Role: orders.RoleCustomer, ID: id}}
	}
	merchant := func(res ...string) orders.Caller {
		return orders.Caller{Actor: orders.Actor{Role: orders.RoleMerchant, ID: "m"}, Restaurants: res}
	}
	for _, c := range []struct {
		name         string
		by           orders.Caller
		w            orders.Ownership
		seq, written int64
		want         int64 // 0 = nothing
	}{
		{"the customer", customer("cus_1"), w, 5, 7, 5},
		{"no further than what was written to it", customer("cus_1"), w, 9, 7, 7},
		{"nothing was written to it", customer("cus_1"), w, 9, 0, 0},
		{"another customer", customer("cus_2"), w, 5, 7, 0},
		{"its merchant", merchant("res_2", "res_1"), w, 5, 7, 5},
		{"another merchant", merchant("res_2"), w, 5, 7, 0},
		{"its merchant, who may not know of it yet", merchant("res_1"), hidden, 5, 7, 0},
		{"ops", orders.Caller{Actor: orders.Actor{Role: orders.RoleOps}}, w, 5, 7, 0},
		{"a tracking link", orders.Caller{Actor: orders.Actor{Role: orders.RoleTracker}, OrderID: "ord_1"}, w, 5, 7, 0},
	} {
		a, ok := AckOf(c.by, c.w, c.seq, c.written, time.Now())
		if ok != (c.want > 0) || ok && (a.Seq != c.want || a.Role != c.by.Role || a.OrderID != "ord_1") {
			t.Errorf("%s: %+v %v, want %d", c.name, a, ok, c.want)
		}
	}
}

func TestReplay(t *testing.T) {
	now := time.Now()
	e := at("a.test")
	var rows []Row
	for i, ty := range []orders.EventType{orders.OrderPaid, orders.OrderConfirmed, orders.OrderPreparing, orders.OrderReady} {
		r := row(e, "ord_1", int64(i+1), ty)
		r.Parked, r.Attempt = true, 5
		rows = append(rows, r)
	}
	stale := row(e, "ord_2", 1, orders.OrderAmended)
	stale.Expires = now
	again, over := Replay(append(rows, stale), now.Add(time.Second))
	var got, gone []string
	for _, r := range again {
		got = append(got, r.MessageID())
		if r.Parked || r.Attempt != 0 || !r.Due.Equal(r.Made) {
			t.Errorf("%+v", r)
		}
	}
	for _, r := range over {
		gone = append(gone, r.MessageID())
	}
	if !slices.Equal(got, []string{"ord_1:1", "ord_1:4"}) || !slices.Equal(gone, []string{"ord_1:2", "ord_1:3", "ord_2:1"}) {
		t.Errorf("again %v, over %v", got, gone)
	}
}
