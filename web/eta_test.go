package web_test

import (
	"encoding/json"
	"testing"
	"time"

	"doorbell/hub/track"
	"doorbell/hub/wire"
	"doorbell/orders"
	"doorbell/web"
)

// arrival is what an order, or an event's payload, says of its arrival.
type arrival struct {
	EstimatedTime                 int
	EtaAt, EtaEarliest, EtaLatest time.Time
}

// arrivalIn reads it from JSON.
func arrivalIn(t testing.TB, raw []byte) (a arrival) {
	t.Helper()
	if err := json.Unmarshal(raw, &a); err != nil {
		t.Fatal(err)
	}
	return a
}

// near wants an arrival in about this time from now, with a range around it and the same in minutes.
func (a arrival) near(t testing.TB, want time.Duration, now time.Time) {
	t.Helper()
	left := a.EtaAt.Sub(now)
	if (left-want).Abs() > 10*time.Second || a.EtaEarliest.After(a.EtaAt) || a.EtaLatest.Before(a.EtaAt) || !a.EtaEarliest.After(now) {
		t.Errorf("%v is in %v, want %v", a, left, want)
	}
	if m := left.Minutes(); float64(a.EstimatedTime) < m || float64(a.EstimatedTime) > m+1.2 {
		t.Errorf("%v is in %v", a, left)
	}
}

// Each answer here is held against openapi.yaml, which allows none of this in a timeline: what was foretold stays inside.
func TestArrivals(t *testing.T) {
	n := start(t, func(wc *web.Config, oc *orders.Config) {
		wc.Viewer.Estimator = track.OfOrders{Estimator: track.Formula{}}
		oc.Policy.Estimator = wc.Viewer.Estimator
	})
	c := newCast(t)
	n.restaurant(c, "res_1", fields("lat", 31.2435)) // 1.5 km away
	const ride = 1501 * 14 / 10 * time.Second / 5    // streets are longer than the line, and it is 5 m/s

	path := n.order(c, "paid", nil)
	for _, letter := range "cmot" {
		n.seenBy(c, letter, path).shows("estimatedTime", nil, "etaAt", nil, "etaEarliest", nil, "etaLatest", nil)
	}

	n.sub("FromTheConfirmationOnEverybodySeesIt", func(n *node) {
		confirmed := n.act(path+"/confirm", c.merchant, map[string]any{"prepMinutes": 25})
		arrivalIn(n.t, confirmed.Raw).near(n.t, 25*time.Minute+ride+3*time.Minute, n.now.now())
		n.put(path+"/courier", c.ops, map[string]any{"courierId": "cou_1"}).want(200)
		for letter, name := range roleNames {
			seen := n.seenBy(c, letter, path)
			arrivalIn(n.t, seen.Raw).near(n.t, 25*time.Minute+ride+3*time.Minute, n.now.now())
			if n.t.Failed() {
				n.t.Fatalf("%s sees %s", name, seen.Raw)
			}
		}
		n.get("/v1/orders", c.customer).want(200).has("items.0.etaAt", "items.0.etaEarliest", "items.0.etaLatest")
	})

	n.sub("EventsAndSnapshotsTellIt", func(n *node) {
		s := n.dial(c.customer)
		s.watch("order/"+orderID(path), 0)
		arrivalIn(n.t, s.want(wire.OpSnapshot).Order).near(n.t, 25*time.Minute+ride+3*time.Minute, time.Now())
		n.act(path+"/pickup", c.courier, map[string]any{"code": "17"})
		var e struct {
			Payload    json.RawMessage
			OccurredAt time.Time
		}
		if err := json.Unmarshal(s.want(wire.OpEvent).Event, &e); err != nil {
			n.t.Fatal(err)
		}
		arrivalIn(n.t, e.Payload).near(n.t, ride+3*time.Minute, e.OccurredAt)
	})

	n.sub("ItIsReadAnewAndNeverOver", func(n *node) {
		n.now.pass(5 * time.Minute)
		arrivalIn(n.t, n.get(path, c.customer).want(200).Raw).near(n.t, ride-2*time.Minute, n.now.now())
		n.now.pass(time.Hour)
		a := arrivalIn(n.t, n.get(path, c.customer).want(200).Raw)
		if left := a.EtaAt.Sub(n.now.now()); left <= 0 || left > 4*time.Minute || a.EstimatedTime < 1 {
			n.t.Errorf("%v is in %v", a, left)
		}
	})

	n.sub("AfterTheEndThereIsNone", func(n *node) {
		n.act(path+"/deliver", c.courier, nil).shows("estimatedTime", nil, "etaAt", nil, "etaEarliest", nil, "etaLatest", nil)
		history := n.get(path+"/events", c.customer).want(200)
		history.shows("items.1.payload.etaAt", nil, "items.5.payload.etaAt", nil).has("items.2.payload.etaAt", "items.4.payload.etaLatest")
		history.shows("items.5.eventType", "order.completed")
	})
}
