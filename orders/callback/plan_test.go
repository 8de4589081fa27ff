package callback

import (
	"net/http"
	"testing"
	"time"

	"doorbell/orders"
)

func TestStep(t *testing.T) {
	for tries, want := range map[int]time.Duration{0: 0, 1: time.Second, 2: 5 * time.Second, 7: 5 * time.Minute, 8: time.Hour, 1000: time.Hour} {
		if low, mid, high := step(tries, 0), step(tries, 0.5), step(tries, 1); low != want*8/10 || mid != want || high != want*12/10 {
			t.Errorf("after %d tries %v to %v around %v, want %v ± 20 %%", tries, low, high, mid, want)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	for v, want := range map[string]time.Duration{
		"0": 0, "120": 2 * time.Minute, "86400": time.Hour, "99999999999999999": time.Hour,
		now.Add(time.Minute).Format(http.TimeFormat): time.Minute,
		now.Add(-time.Hour).Format(http.TimeFormat):  0,
		now.Add(48 * time.Hour).Format(time.RFC850):  time.Hour,
		"": -1, "-5": -1, "1.5": -1, "soon": -1, "2026-05-01T12:00:00Z": -1, "99999999999999999999999": -1,
	} {
		d, ok := retryAfter(http.Header{"Retry-After": {v}}, now)
		if ok != (want >= 0) || ok && d != want {
			t.Errorf("%q: %v %v, want %v", v, d, ok, want)
		}
	}
}

func TestJudge(t *testing.T) {
	now := time.Now()
	late := func(d time.Duration) *Row { return &Row{Expires: now.Add(d), Attempt: 2} }
	fresh := late(time.Hour)
	for _, c := range []struct {
		name    string
		a       Answer
		r       *Row
		outcome Outcome
		pause   time.Duration
		disable string
		alive   bool
	}{
		{"2xx", Answer{Status: 299}, fresh, Delivered, 0, "", true},
		{"2xx with Retry-After is a success", Answer{Status: 200, HasRetryAfter: true, RetryAfter: time.Minute}, fresh, Delivered, 0, "", true},
		{"2xx with disable is one too, and the last", Answer{Status: 200, Delivery: "disable"}, fresh, Delivered, 0, ReasonAsked, true},
		{"3xx", Answer{Status: 307}, fresh, Again, 15 * time.Second, "", false},
		{"4xx is tried again", Answer{Status: 404}, fresh, Again, 15 * time.Second, "", false},
		{"429 without Retry-After", Answer{Status: 429}, fresh, Again, 15 * time.Second, "", false},
		{"429 with", Answer{Status: 429, HasRetryAfter: true, RetryAfter: time.Minute}, fresh, Deferred, time.Minute, "", false},
		{"Retry-After is never shorter than the step", Answer{Status: 503, HasRetryAfter: true, RetryAfter: time.Second}, fresh, Deferred, 5 * time.Second, "", false},
		{"Retry-After beyond the callback's worth", Answer{Status: 503, HasRetryAfter: true, RetryAfter: time.Minute}, late(50 * time.Second), Expired, 0, "", false},
		{"no answer", Answer{Stage: StageConnect}, fresh, Again, 15 * time.Second, "", false},
		{"no time for another try", Answer{Status: 500}, late(15 * time.Second), Expired, 0, "", false},
		{"410", Answer{Status: 410}, fresh, Parked, 0, ReasonGone, false},
		{"disable", Answer{Status: 404, Delivery: "disable"}, fresh, Parked, 0, ReasonAsked, false},
		{"abort-message", Answer{Status: 404, Delivery: "abort-message"}, fresh, Aborted, 0, "", true},
		{"another word", Answer{Status: 404, Delivery: "please"}, fresh, Again, 15 * time.Second, "", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := judge(&c.a, c.r, now, 0.5)
			if v.outcome != c.outcome || v.disable != c.disable || v.alive != c.alive {
				t.Errorf("%+v", v)
			}
			if (v.outcome == Again || v.outcome == Deferred) && v.due.Sub(now) != c.pause {
				t.Errorf("again after %v, want %v", v.due.Sub(now), c.pause)
			}
		})
	}
}

func TestClassOf(t *testing.T) {
	want := map[orders.EventType]Class{
		orders.OrderCompleted: ClassEnd, orders.OrderCancelled: ClassEnd, orders.OrderFailed: ClassEnd,
		orders.PaymentRefundRequested: ClassMoney, orders.PaymentRefunded: ClassMoney,
		orders.OrderPaid: ClassKept, orders.OrderAmendmentProposed: ClassKept, orders.OrderAmended: ClassKept,
		orders.OrderCancellationRequested: ClassKept, orders.OrderCancellationDenied: ClassKept,
	}
	for _, e := range orders.EventTypes {
		if c := ClassOf(e); c != want[e] {
			t.Errorf("%s: class %d, want %d", e, c, want[e])
		}
	}
}
