package callback

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"doorbell/orders"
)

func wantIDs(t *testing.T, w *receivers, want ...string) {
	t.Helper()
	if got := w.ids(); !slices.Equal(got, want) {
		t.Errorf("arrived %v, want %v", got, want)
	}
}

func wantOutcomes(t *testing.T, d *disk, want map[Outcome]int) {
	t.Helper()
	if got := d.outcomes(); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("settled %v, want %v", got, want)
	}
}

// TestEnginePlan: retries come 0, 1 s, 5 s, 15 s, 30 s, 1 m, 2 m, 5 m and then each hour behind each other, for as long
// as the class is worth it.
func TestEnginePlan(t *testing.T) {
	for _, c := range []struct {
		event orders.EventType
		tries []time.Duration // since the commit; the last ones
		count int
	}{
		{orders.OrderPreparing, []time.Duration{0, 1, 6, 21, 51, 111, 231, 531}, 8},
		{orders.OrderCompleted, []time.Duration{0, 1, 6, 21, 51, 111, 231, 531, 4131, 7731}, 8 + 23},
		{orders.PaymentRefunded, []time.Duration{0, 1, 6}, 8 + 23},
		{orders.OrderAmendmentProposed, []time.Duration{0, 1, 6}, 8},
	} {
		t.Run(string(c.event), func(t *testing.T) {
			e := at("a.test")
			inWorld(t, []Endpoint{e}, func(t *testing.T, w *world) {
				w.to.always(reply{status: 500})
				begun := time.Now()
				w.commit(row(e, "ord_1", 5, c.event))
				after(25 * time.Hour)
				got := w.to.arrivals()
				if len(got) != c.count {
					t.Errorf("%d tries, want %d", len(got), c.count)
				}
				for i, at := range c.tries {
					if d := got[i].at.Sub(begun) - at*time.Second; d < 0 || d > time.Millisecond {
						t.Errorf("try %d came after %v, want %v", i, got[i].at.Sub(begun), at*time.Second)
					}
					if got[i].id != "ord_1:5" {
						t.Errorf("try %d has webhook-id %q", i, got[i].id)
					}
				}
				wantOutcomes(t, w.disk, map[Outcome]int{Again: c.count - 1, Expired: 1})
				if w.disk.waiting() != 0 {
					t.Error("a dead letter still waits")
				}
			})
		})
	}
}

// TestEngineOrder: under failures an endpoint hears of each order in order, one try at a time.
func TestEngineOrder(t *testing.T) {
	e := at("a.test")
	kinds := []orders.EventType{orders.OrderPaid, orders.OrderConfirmed, orders.OrderAmended, orders.OrderPreparing, orders.OrderReady, orders.OrderCompleted, orders.PaymentRefunded}
	inWorld(t, []Endpoint{e}, func(t *testing.T, w *world) {
		random := rand.New(rand.NewPCG(1, 2))
		w.to.answers(func(int, arrival) reply {
			if random.IntN(10) < 3 {
				return reply{status: 503, after: time.Duration(random.IntN(900)) * time.Millisecond}
			}
			return reply{after: time.Duration(random.IntN(20)) * time.Millisecond}
		})
		const lanes = 40
		for i, kind := range kinds {
			for n := range lanes {
				w.commit(row(e, fmt.Sprintf("ord_%d", n), int64(i+1), kind))
			}
			after(700 * time.Millisecond)
		}
		after(time.Hour)
		if len(w.to.passed) > 0 {
			t.Errorf("%v came while another of their order was under way", w.to.passed)
		}
		last := map[string]int64{}
		done := map[string]bool{}
		for _, s := range w.disk.log {
			if s.Outcome == Delivered {
				if s.Seq <= last[s.Lane] {
					t.Errorf("%s: %d was delivered behind %d", s.Lane, s.Seq, last[s.Lane])
				}
				last[s.Lane] = s.Seq
				done[s.MessageID()] = true
			}
		}
		for n := range lanes {
			for i, kind := range kinds {
				if id := fmt.Sprintf("ord_%d:%d", n, i+1); ClassOf(kind) != ClassStatus && !done[id] {
					t.Errorf("%s (%s) was not delivered", id, kind)
				}
			}
		}
		if n := w.disk.waiting(); n != 0 {
			t.Errorf("%d rows still wait", n)
		}
	})
}

func TestEngineSupersede(t *testing.T) {
	e := at("a.test")
	inWorld(t, []Endpoint{e}, func(t *testing.T, w *world) {
		w.to.answers(func(n int, _ arrival) reply {
			if n <= 2 {
				return reply{status: 500}
			}
			return reply{}
		})
		w.commit(row(e, "ord_1", 3, orders.OrderConfirmed)) // fails, waits a second
		after(100 * time.Millisecond)
		w.commit(row(e, "ord_1", 4, orders.OrderPreparing)) // supersedes it, fails
		after(100 * time.Millisecond)
		w.commit(row(e, "ord_1", 5, orders.OrderAmended)) // supersedes nothing, waits behind it
		w.commit(row(e, "ord_1", 6, orders.OrderReady))   // supersedes 4, not 5
		after(10 * time.Second)
		wantIDs(t, w.to, "ord_1:3", "ord_1:4", "ord_1:5", "ord_1:6")
		wantOutcomes(t, w.disk, map[Outcome]int{Again: 2, Superseded: 2, Delivered: 2})
	})
}

// unlessAcked is an endpoint whose callbacks an ack of its merchant calls off.
func unlessAcked(host string) Endpoint {
	e := at(host)
	e.Deliver = orders.DeliverUnlessAcked
	return e
}

func TestEngineAck(t *testing.T) {
	e := unlessAcked("a.test")
	ack := func(seq int64) Ack { return Ack{OrderID: "ord_1", Role: orders.RoleMerchant, Seq: seq} }
	run := func(name string, f func(t *testing.T, w *world)) {
		t.Run(name, func(t *testing.T) { inWorld(t, []Endpoint{e}, f) })
	}
	run("none: due a second after the commit", func(t *testing.T, w *world) {
		begun := time.Now()
		w.commit(row(e, "ord_1", 5, orders.OrderReady))
		after(2 * time.Second)
		if got := w.to.arrivals(); len(got) != 1 || got[0].at.Sub(begun).Round(time.Millisecond) != time.Second {
			t.Errorf("arrived %v", got)
		}
	})
	run("calls off what waits, up to its seq", func(t *testing.T, w *world) {
		w.commit(row(e, "ord_1", 5, orders.OrderAmended), row(e, "ord_1", 6, orders.OrderAmended), row(e, "ord_2", 5, orders.OrderReady))
		w.Acked(ack(5))
		after(2 * time.Second)
		got := w.to.ids()
		slices.Sort(got)
		if !slices.Equal(got, []string{"ord_1:6", "ord_2:5"}) {
			t.Errorf("arrived %v", got)
		}
	})
	run("of another role calls off nothing", func(t *testing.T, w *world) {
		w.commit(row(e, "ord_1", 5, orders.OrderReady))
		w.Acked(Ack{OrderID: "ord_1", Role: orders.RoleCustomer, Seq: 9})
		after(2 * time.Second)
		wantIDs(t, w.to, "ord_1:5")
	})
	run("does not call off the end", func(t *testing.T, w *world) {
		w.commit(row(e, "ord_1", 5, orders.OrderCompleted))
		w.Acked(ack(9))
		after(900 * time.Millisecond)
		wantIDs(t, w.to)
		after(time.Second)
		wantIDs(t, w.to, "ord_1:5")
	})
	run("that comes before the row is remembered for 5 s", func(t *testing.T, w *world) {
		w.Acked(ack(5))
		after(4900 * time.Millisecond)
		w.commit(row(e, "ord_1", 5, orders.OrderReady))
		after(2 * time.Second)
		wantIDs(t, w.to)
		w.commit(row(e, "ord_1", 4, orders.OrderReady))
		after(2 * time.Second)
		wantIDs(t, w.to, "ord_1:4")
	})
	run("stops retries", func(t *testing.T, w *world) {
		w.to.always(reply{status: 500, after: 200 * time.Millisecond})
		w.commit(row(e, "ord_1", 5, orders.OrderReady), row(e, "ord_2", 5, orders.OrderReady))
		after(1100 * time.Millisecond) // both are under way
		w.Acked(ack(5))
		after(3 * time.Second)
		w.Acked(Ack{OrderID: "ord_2", Role: orders.RoleMerchant, Seq: 5})
		after(time.Hour)
		got := w.to.ids()
		slices.Sort(got)
		if !slices.Equal(got, []string{"ord_1:5", "ord_2:5", "ord_2:5"}) {
			t.Errorf("arrived %v", got)
		}
	})
}

func TestEngineRetryAfter(t *testing.T) {
	e := at("a.test")
	inWorld(t, []Endpoint{e}, func(t *testing.T, w *world) {
		w.to.answers(func(n int, _ arrival) reply {
			if n <= 5 {
				return reply{status: 429, header: map[string]string{"Retry-After": "120"}}
			}
			return reply{status: 500}
		})
		begun := time.Now()
		w.commit(row(e, "ord_1", 5, orders.OrderReady))
		after(time.Second)
		w.commit(row(e, "ord_2", 5, orders.OrderReady)) // another order waits for it too
		after(6*time.Minute + 2*time.Second)
		var at []time.Duration
		for _, a := range w.to.arrivals() {
			if strings.HasPrefix(a.id, "ord_1") {
				at = append(at, a.at.Sub(begun).Round(time.Second)/time.Second)
			}
			if strings.HasPrefix(a.id, "ord_2") && a.at.Sub(begun) < 2*time.Minute {
				t.Errorf("another order was sent after %v", a.at.Sub(begun))
			}
		}
		// 120 s each, and then the first failure that counts: a second.
		if want := []time.Duration{0, 120, 240, 360, 361}; !slices.Equal(at, want) {
			t.Errorf("tries after %v, want %v", at, want)
		}
	})
}

func TestEngineDisable(t *testing.T) {
	for name, out := range map[string]reply{
		"410":                       {status: 410},
		"webhook-delivery: disable": {status: 500, header: map[string]string{"webhook-delivery": "disable"}},
	} {
		t.Run(name, func(t *testing.T) {
			e := at("a.test")
			inWorld(t, []Endpoint{e}, func(t *testing.T, w *world) {
				w.to.always(out)
				w.commit(row(e, "ord_1", 5, orders.OrderReady))
				after(time.Second)
				w.commit(row(e, "ord_2", 1, orders.OrderPaid), row(e, "ord_2", 2, orders.OrderConfirmed), row(e, "ord_2", 3, orders.OrderReady))
				after(time.Minute)
				wantIDs(t, w.to, "ord_1:5")
				wantOutcomes(t, w.disk, map[Outcome]int{Parked: 3, Superseded: 1})
				if got := w.noticed(); !slices.Equal(got, []NoticeType{EndpointDisabled}) {
					t.Errorf("noticed %v", got)
				}

				w.to.always(reply{})
				w.disk.enable(e.ID) // what is still worth it, newest of each order
				w.Changed(e.ID)
				after(time.Second)
				got := w.to.ids()[1:]
				slices.Sort(got)
				if !slices.Equal(got, []string{"ord_1:5", "ord_2:1", "ord_2:3"}) {
					t.Errorf("replayed %v", got)
				}
				if w.disk.waiting() != 0 {
					t.Error("something still waits")
				}
			})
		})
	}
	t.Run("abort-message ends one callback only", func(t *testing.T) {
		e := at("a.test")
		inWorld(t, []Endpoint{e}, func(t *testing.T, w *world) {
			w.to.always(reply{status: 400, header: map[string]string{"webhook-delivery": "abort-message"}})
			w.commit(row(e, "ord_1", 5, orders.OrderReady))
			after(time.Minute)
			w.to.always(reply{})
			w.commit(row(e, "ord_1", 6, orders.OrderReady))
			after(time.Minute)
			wantIDs(t, w.to, "ord_1:5", "ord_1:6")
			wantOutcomes(t, w.disk, map[Outcome]int{Aborted: 1, Delivered: 1})
		})
	})
	t.Run("72 hours without success", func(t *testing.T) {
		e := at("a.test")
		inWorld(t, []Endpoint{e}, func(t *testing.T, w *world) {
			w.to.always(reply{status: 500})
			for hour := range 80 {
				w.commit(row(e, fmt.Sprintf("ord_%d", hour), 5, orders.OrderReady))
				after(time.Hour)
				var state State
				w.disk.set(func() { state = w.disk.endpoints[e.ID].State })
				if want := map[bool]State{true: StateEnabled, false: StateDisabled}[hour < 72]; state != want {
					t.Fatalf("%s after %d hours", state, hour+1)
				}
			}
			if got := w.noticed(); !slices.Equal(got, []NoticeType{EndpointFailing, EndpointDisabled}) {
				t.Errorf("noticed %v", got)
			}
		})
	})
	t.Run("a success in between begins the 72 hours anew", func(t *testing.T) {
		e := at("a.test")
		inWorld(t, []Endpoint{e}, func(t *testing.T, w *world) {
			for hour := range 100 {
				w.to.always(reply{status: map[bool]int{true: 202, false: 500}[hour == 40]})
				w.commit(row(e, fmt.Sprintf("ord_%d", hour), 5, orders.OrderReady))
				after(time.Hour)
			}
			if got := w.noticed(); !slices.Equal(got, []NoticeType{EndpointFailing, EndpointRecovered, EndpointFailing}) {
				t.Errorf("noticed %v", got)
			}
		})
	})
}

// TestEngineBreaker: an endpoint that fails is left alone, one probe at a time, and what was held back costs no try.
func TestEngineBreaker(t *testing.T) {
	e := at("a.test")
	inWorld(t, []Endpoint{e}, func(t *testing.T, w *world) {
		w.to.always(reply{status: 500})
		begun := time.Now()
		for i := range 200 {
			w.commit(row(e, fmt.Sprintf("ord_%d", i), 5, orders.OrderCompleted))
		}
		after(25 * time.Second)
		n := len(w.to.arrivals())
		if n < breakerTries || n > breakerTries+slowStart {
			t.Errorf("%d tries before the breaker opened", n)
		}
		after(15 * time.Minute)
		var probes []time.Duration
		for _, a := range w.to.arrivals()[n:] {
			probes = append(probes, a.at.Sub(begun).Round(time.Second)/time.Second)
		}
		if want := []time.Duration{30, 90, 210, 450, 750}; !slices.Equal(probes, want) {
			t.Errorf("probes after %v s, want %v", probes, want)
		}
		w.to.always(reply{})
		after(5 * time.Minute)
		if n := w.disk.waiting(); n > 20 { // those that were tried and are on their way through the plan
			t.Errorf("%d still wait after the receiver came back", n)
		}
		after(2 * time.Hour)
		if n := w.disk.outcomes()[Delivered]; n != 200 {
			t.Errorf("%d delivered, want all 200", n)
		}
	})
}

// TestEngineUnknownOrigin: an origin that has never answered 2xx is tried once a second, whatever number of endpoints.
func TestEngineUnknownOrigin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t, to: newReceivers(t), disk: newDisk()}
		var all []Endpoint
		for i := range 50 {
			e := at("new.test")
			e.ID = fmt.Sprintf("end_%d", i)
			all = append(all, e)
			w.disk.endpoints[e.ID] = e
		}
		w.node = w.run("one", true, nil)
		w.to.always(reply{status: 404})
		for _, e := range all {
			w.commit(row(e, "ord_"+e.ID, 5, orders.OrderReady))
		}
		after(9500 * time.Millisecond)
		if n := len(w.to.arrivals()); n != 10 {
			t.Errorf("%d tries in 9.5 s, want 10", n)
		}
		w.to.always(reply{})
		after(1500 * time.Millisecond)
		if n := len(w.to.arrivals()); n < 45 {
			t.Errorf("%d tries after the first 2xx, want all at once", n)
		}
		after(5 * time.Minute)
		if w.disk.waiting() != 0 {
			t.Errorf("%d still wait", w.disk.waiting())
		}
		if !w.disk.proven["http://new.test:80"] {
			t.Error("that the origin answers was not stored")
		}
	})
}

// TestEngineHang: endpoints that hang keep nobody else waiting, however many they are.
func TestEngineHang(t *testing.T) {
	var all []Endpoint
	for i := range 100 {
		all = append(all, at(fmt.Sprintf("h%d.test", i)))
	}
	inWorld(t, all, func(t *testing.T, w *world) {
		hangs := func(host string) bool { // 20 of them
			n := 0
			_, _ = fmt.Sscanf(host, "h%d.test", &n)
			return n%5 == 0
		}
		w.to.answers(func(_ int, a arrival) reply {
			if hangs(a.host) {
				return reply{after: time.Hour}
			}
			return reply{after: 5 * time.Millisecond}
		})
		made := map[string]time.Time{}
		for i := range 5000 { // 500/s
			r := row(all[i%len(all)], fmt.Sprintf("ord_%d", i), 1, orders.OrderReady)
			made[r.MessageID()] = time.Now()
			w.commit(r)
			after(2 * time.Millisecond)
		}
		var worst time.Duration
		n := 0
		for _, a := range w.to.arrivals() {
			if !hangs(a.host) {
				n++
				worst = max(worst, a.at.Sub(made[a.id]))
			}
		}
		if n != 4000 || worst > 10*time.Millisecond {
			t.Errorf("%d of 4000 arrived at those who answer, the slowest after %v", n, worst)
		}
		for host, most := range w.to.most {
			if most > DefaultEndpointCap {
				t.Errorf("%s had %d at a time", host, most)
			}
		}
	})
}

// TestEngineLimit: endpoints in trouble have a part of all tries, and give the rest to the others.
func TestEngineLimit(t *testing.T) {
	var all []Endpoint
	for i := range 11 {
		all = append(all, at(fmt.Sprintf("h%d.test", i)))
	}
	inWorld(t, all, func(t *testing.T, w *world) {
		w.set(func() { w.cfg.Limit = 16 })
		w.to.answers(func(_ int, a arrival) reply {
			if a.host != "h0.test" {
				return reply{after: time.Hour}
			}
			return reply{}
		})
		for i, e := range all[1:] {
			for n := range 20 {
				w.commit(row(e, fmt.Sprintf("ord_%d_%d", i, n), 1, orders.OrderReady))
			}
		}
		after(2 * time.Second) // that they hang is known
		w.set(func() {
			if w.trouble < 16 || w.inFlight != w.trouble {
				t.Errorf("%d tries hang of %d", w.trouble, w.inFlight)
			}
		})
		w.commit(row(all[0], "ord_good", 1, orders.OrderReady))
		after(time.Second)
		if got := w.to.ids(); !slices.Contains(got, "ord_good:1") {
			t.Error("one that answers waits for those that hang")
		}
		w.set(func() {
			if w.inFlight > hardLimit*w.cfg.Limit {
				t.Errorf("%d tries under way", w.inFlight)
			}
		})
	})
}

// TestEngineFairTurns: an endpoint with one callback does not wait for the queue of another.
func TestEngineFairTurns(t *testing.T) {
	a, b := at("a.test"), at("b.test")
	inWorld(t, []Endpoint{a, b}, func(t *testing.T, w *world) {
		w.set(func() { w.cfg.Limit = 1 })
		w.to.always(reply{after: 10 * time.Millisecond})
		for i := range 1000 {
			w.commit(row(a, fmt.Sprintf("ord_%d", i), 1, orders.OrderReady))
		}
		w.commit(row(b, "ord_b", 1, orders.OrderReady))
		after(50 * time.Millisecond)
		if !slices.Contains(w.to.ids(), "ord_b:1") {
			t.Errorf("the single one waits: %v", w.to.ids())
		}
	})
}

// TestEngineWaitingCostsNothing: 100,000 callbacks that wait for their next try lead to no call of the store.
func TestEngineWaitingCostsNothing(t *testing.T) {
	all := many(200)
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t, to: newReceivers(t), disk: newDisk(all...)}
		for i := range 100_000 {
			r := row(all[i%len(all)], fmt.Sprintf("ord_%d", i), 1, orders.OrderCompleted)
			r.Due, r.Attempt = r.Due.Add(time.Hour+time.Duration(i)*time.Millisecond), 8
			w.disk.commit(r)
		}
		w.node = w.run("one", true, nil)
		after(time.Second)
		before := fmt.Sprint(w.door.called())
		after(50 * time.Minute)
		if now := fmt.Sprint(w.door.called()); now != before {
			t.Errorf("calls of the store while all wait: %s, before %s", now, before)
		}
		w.set(func() {
			if w.rows != 100_000 {
				t.Errorf("%d rows known", w.rows)
			}
		})
	})
}

// TestEngineShutdown: what is under way ends or waits on, and nothing is lost.
func TestEngineShutdown(t *testing.T) {
	e := at("a.test")
	for _, c := range []struct {
		takes time.Duration
		waits int
	}{{3 * time.Second, 0}, {time.Hour, 1}} {
		t.Run(fmt.Sprintf("an answer takes %v", c.takes), func(t *testing.T) {
			inWorld(t, []Endpoint{e}, func(t *testing.T, w *world) {
				w.set(func() { w.cfg.Drain = 4 * time.Second })
				w.to.always(reply{after: c.takes})
				w.commit(row(e, "ord_1", 1, orders.OrderReady))
				after(10 * time.Millisecond)
				begun := time.Now()
				w.stop()
				if d := time.Since(begun); d > 4100*time.Millisecond {
					t.Errorf("took %v", d)
				}
				if n := w.disk.waiting(); n != c.waits {
					t.Errorf("%d rows wait, want %d", n, c.waits)
				}
			})
		})
	}
}

func TestEngineGone(t *testing.T) {
	e := at("a.test")
	inWorld(t, []Endpoint{e}, func(t *testing.T, w *world) {
		w.to.always(reply{status: 500})
		w.commit(row(e, "ord_1", 1, orders.OrderReady))
		after(10 * time.Millisecond)
		w.disk.set(func() { delete(w.disk.endpoints, e.ID) })
		w.Changed(e.ID)
		after(time.Hour)
		w.commit(row(e, "ord_2", 1, orders.OrderReady))
		after(time.Hour)
		wantIDs(t, w.to, "ord_1:1")
		wantOutcomes(t, w.disk, map[Outcome]int{Again: 1, Gone: 2})
	})
}

// TestEngineStoreAway: outcomes wait for the store, and nothing is sent twice for that.
func TestEngineStoreAway(t *testing.T) {
	e := at("a.test")
	inWorld(t, []Endpoint{e}, func(t *testing.T, w *world) {
		w.commit(row(e, "ord_0", 1, orders.OrderReady)) // its settings are known now
		after(time.Second)
		w.door.cutOff(true)
		w.commit(row(e, "ord_1", 1, orders.OrderReady))
		after(10 * time.Second)
		w.door.cutOff(false)
		after(time.Second)
		wantIDs(t, w.to, "ord_0:1", "ord_1:1")
		if w.disk.waiting() != 0 {
			t.Error("an outcome was not stored")
		}
	})
}

// TestEngineHostCap: many endpoints at one host share its cap, and one that does not take its turn passes it on.
func TestEngineHostCap(t *testing.T) {
	var all []Endpoint
	for i := range 20 {
		e := unlessAcked("shared.test")
		e.ID = fmt.Sprintf("end_%d", i)
		all = append(all, e)
	}
	inWorld(t, all, func(t *testing.T, w *world) {
		w.set(func() { w.cfg.HostCap = 4 })
		w.to.always(reply{after: 500 * time.Millisecond})
		for i, e := range all {
			w.commit(row(e, fmt.Sprintf("ord_%d", i), 1, orders.OrderReady))
			after(time.Millisecond) // they are due one after another
		}
		after(1080 * time.Millisecond)
		for i := range all[:16] { // whoever of these waits has nothing to send any more
			w.Acked(Ack{OrderID: fmt.Sprintf("ord_%d", i), Role: orders.RoleMerchant, Seq: 1})
		}
		after(5 * time.Second)
		if n := w.to.most["shared.test/cb"]; n != 4 {
			t.Errorf("%d at a time", n)
		}
		for i := 16; i < 20; i++ {
			if id := fmt.Sprintf("ord_%d:1", i); !slices.Contains(w.to.ids(), id) {
				t.Errorf("%s did not come", id)
			}
		}
		if n := w.disk.waiting(); n != 0 || len(w.to.ids()) == len(all) {
			t.Errorf("%d wait, %d came", n, len(w.to.ids()))
		}
	})
}

// TestEngineLateRow: an older row that turns up while a newer one is under way goes next.
func TestEngineLateRow(t *testing.T) {
	e := at("a.test")
	inWorld(t, []Endpoint{e}, func(t *testing.T, w *world) {
		w.to.always(reply{after: time.Second})
		w.commit(row(e, "ord_1", 2, orders.OrderAmended))
		after(100 * time.Millisecond)
		w.commit(row(e, "ord_1", 1, orders.OrderPaid))
		after(time.Minute)
		wantIDs(t, w.to, "ord_1:2", "ord_1:1")
		if w.disk.waiting() != 0 {
			t.Error("something still waits")
		}
	})
}

// TestEngineStartsWhileOrdersChange: what is committed while the engine still reads what waits comes behind it.
func TestEngineStartsWhileOrdersChange(t *testing.T) {
	e := at("a.test")
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t, to: newReceivers(t), disk: newDisk(e)}
		w.disk.proven["http://a.test:80"] = true
		w.disk.commit(row(e, "ord_1", 1, orders.OrderPaid))
		d := w.disk.door("one", true)
		d.slow = 10 * time.Millisecond
		w.node = w.runAt(d, nil)
		after(time.Duration(ShardOf(e.ID))*d.slow + d.slow/2) // its shard is being read
		w.commit(row(e, "ord_1", 2, orders.OrderAmended))
		after(time.Minute)
		wantIDs(t, w.to, "ord_1:1", "ord_1:2")
	})
}

// TestEngineWithoutLease: nothing begins once the lease may be over, whatever else the node is busy with.
func TestEngineWithoutLease(t *testing.T) {
	e := at("a.test")
	inWorld(t, []Endpoint{e}, func(t *testing.T, w *world) {
		w.commit(row(e, "ord_0", 1, orders.OrderReady))
		after(time.Second)
		w.set(func() { w.validTo = time.Now().Add(-time.Millisecond) })
		w.commit(row(e, "ord_1", 1, orders.OrderReady))
		after(time.Second)
		wantIDs(t, w.to, "ord_0:1")
	})
}

// TestEngineByHand: an old event is sent once more though newer ones were, and a test is sent as it is.
func TestEngineByHand(t *testing.T) {
	e := at("a.test")
	inWorld(t, []Endpoint{e}, func(t *testing.T, w *world) {
		w.commit(row(e, "ord_1", 3, orders.OrderReady))
		after(time.Second)
		w.commit(row(e, "ord_1", 4, orders.OrderCompleted))
		after(time.Second)
		old := row(e, "ord_1", 3, orders.OrderReady)
		w.commit(Redelivery(old.Key, old.Class, old.Body, time.Now()), Extra(e.ID, "test_1", []byte(`{"test":true}`), time.Now()))
		after(time.Second)
		got := w.to.ids()
		slices.Sort(got[2:])
		if !slices.Equal(got, []string{"ord_1:3", "ord_1:4", "ord_1:3", "test_1"}) || w.disk.waiting() != 0 {
			t.Errorf("arrived %v", got)
		}
	})
}

func TestEngineStatusDoor(t *testing.T) {
	o := &orders.Order{ID: "ord_1", NotificationURL: "http://a.test/cb", Customer: "cus_1", Deliver: orders.DeliverAlways}
	e, _ := ImplicitOf(o)
	inWorld(t, []Endpoint{e}, func(t *testing.T, w *world) {
		ev := orders.Event{OrderID: "ord_1", Seq: 3, Type: orders.OrderConfirmed, Envelope: []byte(`{"seq":3,"payload":{"orderId":"ord_1","status":"CONFIRMED","timestamp":"2026-01-02T03:04:05.678Z","estimatedTime":23,"restaurantId":"res_1"}}`)}
		w.commit(Rows(o, []orders.Event{ev}, []Endpoint{e}, time.Now())...)
		after(time.Second)
		got := w.to.arrivals()
		if len(got) != 2 || got[0].path != "/cb" || got[0].body != string(ev.Envelope) || got[1].path != "/cb/order-status" ||
			got[1].id != "ord_1:3:status" ||
			got[1].body != `{"orderId":"ord_1","status":"CONFIRMED","timestamp":"2026-01-02T03:04:05.678Z","estimatedTime":23}` {
			t.Errorf("arrived %+v", got)
		}
	})
}
