package orders_test

import (
	"testing"
	"time"

	"doorbell/orders"
)

// says is an estimator that always says the same, from now.
type says struct{ at, earliest, latest time.Duration }

func (s says) Estimate(_ *orders.Order, now time.Time) (orders.ETA, bool) {
	return orders.ETA{At: now.Add(s.at), Earliest: now.Add(s.earliest), Latest: now.Add(s.latest)}, true
}

// wild is a model that has learned nothing: it says anything or nothing, the past too, the ends in any order. It cannot
// be compared.
type wild struct{ _ map[string]int }

func (wild) Estimate(_ *orders.Order, now time.Time) (orders.ETA, bool) {
	n := uint64(now.UnixMicro()) * 0x9e3779b97f4a7c15
	some := func(shift int) time.Time { // up to 75 minutes from now, either way
		return now.Add(time.Duration(int16(n>>shift)) * 137 * time.Millisecond)
	}
	return orders.ETA{At: some(0), Earliest: some(16), Latest: some(32)}, n>>48%8 != 0
}

// foretelling is pol with a wild estimator: whatever that says, the promises about arrivals hold.
var foretelling = func() orders.Policy {
	p := orders.DefaultPolicy
	p.Estimator = wild{}
	return p
}()

func TestETA(t *testing.T) {
	const m, s = time.Minute, time.Second
	for _, c := range []struct {
		name  string
		says  says
		shown time.Duration // by the last event, from now; 0 = nothing
		want  says
	}{
		{"AsEstimated", says{20 * m, 15 * m, 30 * m}, 0, says{20 * m, 15 * m, 30 * m}},
		{"WholeSeconds", says{20*m + s/2, 15*m + s/2 - 1, 30*m - 1}, 0, says{20*m + s, 15 * m, 30 * m}},
		{"NeverOver", says{-m, -2 * m, 0}, 0, says{m, m, m}},
		{"NeverSoonerThanAMinute", says{30 * s, 20 * s, 40 * s}, 0, says{m, m, m}},
		{"EndsInOrder", says{10 * m, 12 * m, 8 * m}, 0, says{10 * m, 10 * m, 10 * m}},
		{"SoonerAtOnce", says{20*m - s, 15 * m, 30 * m}, 20 * m, says{20*m - s, 15 * m, 30 * m}},
		{"NotPutOffByLessThanAMinute", says{20*m + 59*s, 15 * m, 30 * m}, 20 * m, says{20 * m, 15 * m, 30 * m}},
		{"PutOffByWholeMinutes", says{23*m + 59*s, 15 * m, 30 * m}, 20 * m, says{23 * m, 15 * m, 30 * m}},
		{"PutOffPastItsOwnEnds", says{20*m + 50*s, 20*m + 40*s, 20*m + 55*s}, 20 * m, says{20 * m, 20 * m, 20*m + 55*s}},
		{"WhatWasSaidIsOver", says{m, m, m}, -5*m - 10*s, says{50 * s, 50 * s, m}},
		{"WhatWasSaidIsOverSinceAWeek", says{m, m, m}, -7 * 24 * time.Hour, says{m, m, m}},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := preparing(t).o
			if c.shown != 0 {
				o.Timeline[len(o.Timeline)-1].ETAAt = t0.Add(c.shown)
			}
			got := o.ETA(c.says, t0)
			if is := (says{got.At.Sub(t0), got.Earliest.Sub(t0), got.Latest.Sub(t0)}); is != c.want {
				t.Errorf("%v, want %v", is, c.want)
			}
		})
	}
	for name, from := range all {
		g := from(t)
		if eta := g.o.ETA(nil, g.now); eta != (orders.ETA{}) {
			t.Errorf("%s: nobody foretells, and it is %v", name, eta)
		}
		eta := g.o.ETA(says{20 * m, 15 * m, 30 * m}, g.now)
		if told := !eta.At.IsZero(); told == g.o.Status.Final() {
			t.Errorf("%s: %v", name, eta)
		}
		if n := g.o.EstimatedMinutes(eta, g.now); (n == 0) != g.o.Status.Final() || n != 0 && n != 20 {
			t.Errorf("%s: %d minutes", name, n)
		}
	}
}

// What an event told of the arrival stays with the stored order, in whole, and what really came is beside it.
func TestTimelineKeepsWhatWasForetold(t *testing.T) {
	g := completed(t)
	for _, e := range g.o.Timeline {
		if !e.ETAAt.IsZero() {
			t.Errorf("nobody foretold, and %s has %v", e.Type, e.ETAAt)
		}
	}
	p := pol
	p.Estimator = says{at: 20*time.Minute + time.Second, latest: time.Hour}
	g = paid(t).wait(time.Minute)
	o, evs, err := p.Apply(g.o, orders.Confirm{PrepMinutes: 7}, merchant, g.now)
	if err != nil {
		t.Fatal(err)
	}
	want := g.now.Add(20*time.Minute + time.Second)
	if e := o.Timeline[len(o.Timeline)-1]; e.Type != orders.OrderConfirmed || !e.ETAAt.Equal(want) || !e.At.Equal(g.now) {
		t.Errorf("%+v", e)
	}
	payload := decode(t, evs[0].Envelope)["payload"].(map[string]any)
	for field, is := range map[string]any{
		"estimatedTime": 21.0, "etaAt": want.Format(orders.TimeFormat), "etaLatest": g.now.Add(time.Hour).Format(orders.TimeFormat),
		"etaEarliest": g.now.Add(time.Minute).Format(orders.TimeFormat), "prepMinutes": 7.0,
	} {
		if payload[field] != is {
			t.Errorf("%s is %v, want %v", field, payload[field], is)
		}
	}
}

// The eight times that a model of arrivals learns from are in the order, by the server's clock.
func TestOrderKeepsItsTimes(t *testing.T) {
	g := place(t)
	at := map[string]time.Time{"placed": g.now}
	for _, s := range []struct {
		name string
		do   func()
	}{
		{"", func() { g.pay() }},
		{"accepted", func() { g.confirm() }},
		{"assigned", func() { g.assign() }},
		{"at merchant", func() { g.arrive() }},
		{"ready", func() { g.ready() }},
		{"picked up", func() { g.pickup() }},
		{"at customer", func() { g.arrive() }},
		{"delivered", func() { g.do(rider, orders.Hand{}) }},
	} {
		g.wait(3 * time.Minute)
		s.do()
		at[s.name] = g.now
	}
	d := &g.o.Delivery
	for name, is := range map[string]time.Time{
		"placed": g.o.CreatedAt, "accepted": g.o.ConfirmedAt, "ready": g.o.ReadyAt, "assigned": d.AssignedAt, "at merchant": d.ArrivedAtMerchantAt,
		"picked up": d.PickedUpAt, "at customer": d.ArrivedAtCustomerAt, "delivered": g.o.EndedAt,
	} {
		sameTime(t, name, is, at[name])
	}
}

// Config.Policy with an estimator alone means the usual clocks.
func TestServiceWithAnEstimatorAlone(t *testing.T) {
	g := atCustomer(t).do(rider, orders.ReportProblem{Type: orders.ContactAttempt}).wait(pol.ContactWait - us)
	s := orders.NewService(nil, orders.Config{Policy: orders.Policy{Estimator: wild{}}, Now: func() time.Time { return g.now }})
	truthful(t, &g.o, rider, g.now, s.AllowedActions(&g.o, rider))
}
