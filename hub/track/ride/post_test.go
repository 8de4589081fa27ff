package ride_test

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"doorbell/hub/track"
	"doorbell/hub/track/ride"
	"doorbell/orders"
)

func TestPost_ShowsInsideTheWindowOnly(t *testing.T) {
	w := newWorld(t, 1, ride.Config{})
	id := w.assigned("cou_1", 5000)
	w.wait(time.Second).post("cou_1", w.fix(-300))
	w.shows()
	early := fixAt(w.wait(10*time.Second).Now(), -100)
	w.wait(time.Second).do(id, ops, orders.Pickup{})

	// What was measured before pick-up is not shown behind it.
	w.wait(20*time.Second).post("cou_1", early)
	w.shows()
	w.wait(time.Second).post("cou_1", w.fix(100))
	w.shows(id, 100)
	// Another courier's fixes are another's.
	w.wait(time.Second).post("cou_2", w.fix(7000))
	w.shows()

	late := fixAt(w.wait(time.Second).Now(), 140)
	w.wait(time.Second).do(id, ops, orders.Hand{})
	w.wait(time.Second).post("cou_1", late)
	w.post("cou_1", w.fix(200))
	w.shows()
}

func TestPost_AReplacedCourierIsNotSeenAndItsSuccessorIs(t *testing.T) {
	w := newWorld(t, 1, ride.Config{})
	id := w.picked("cou_1", 5000)
	w.wait(time.Second).post("cou_1", w.fix(100))
	w.shows(id, 100)
	before := fixAt(w.wait(30*time.Second).Now(), 3000)
	w.wait(time.Second).do(id, ops, assign("cou_2"))
	w.wait(time.Second).post("cou_1", w.fix(200))
	w.post("cou_2", before) // from before it had the order
	w.shows()
	w.wait(time.Second).post("cou_2", w.fix(3020))
	w.shows(id, 3020)
	if p, ok := w.local.Last(context.Background(), id); !ok || p.Courier != "cou_2" {
		t.Errorf("last %v %v", p, ok)
	}

	// And back: what the first one measured meanwhile stays its own.
	meanwhile := fixAt(w.wait(10*time.Second).Now(), 300)
	w.wait(time.Second).do(id, ops, assign("cou_1"))
	if _, ok := w.local.Last(context.Background(), id); ok {
		t.Error("the position of the courier before is still there")
	}
	w.wait(time.Second).post("cou_1", meanwhile)
	w.shows()
	w.wait(5*time.Second).post("cou_1", w.fix(340))
	w.shows(id, 340)
}

func TestPost_OnlyTheNewestOfABatchIsShown(t *testing.T) {
	w := newWorld(t, 1, ride.Config{})
	id := w.picked("cou_1", 9000)
	w.wait(time.Minute)
	var batch []track.Point
	for _, ago := range []int{5, 25, 15, 10, 20} {
		batch = append(batch, fixAt(w.Now().Add(-time.Duration(ago)*time.Second), float64(1000-20*ago)))
	}
	bad := track.Unplaced()
	a := w.post("cou_1", append(batch, bad)...)
	w.shows(id, 900)
	if a.Accepted != 5 || len(a.Dropped) != 1 || a.Dropped[0] != (track.Drop{I: 5, Reason: track.Invalid}) || a.NextIntervalMs() != 5000 {
		t.Errorf("answered %+v", a)
	}
	// The same batch again, for ever: nothing is stored or shown.
	data, mark, _ := w.local.Load(context.Background(), "cou_1")
	a = w.wait(time.Second).post("cou_1", append(batch, bad)...)
	again, markAgain, _ := w.local.Load(context.Background(), "cou_1")
	if a.Accepted != 0 || len(a.Dropped) != 6 || mark != markAgain || !bytes.Equal(data, again) {
		t.Errorf("a repeat is answered %+v, and saved", a)
	}
	w.shows()
	// Older than what is there: history.
	w.wait(time.Second).post("cou_1", fixAt(w.Now().Add(-12*time.Second), 700))
	w.shows()
}

func TestPost_ATeleportIsHeldUntilItIsBelieved(t *testing.T) {
	w := newWorld(t, 1, ride.Config{})
	id := w.picked("cou_1", 9000)
	w.wait(time.Second).post("cou_1", w.fix(0))
	w.shows(id, 0)
	for range 2 {
		a := w.wait(time.Second).post("cou_1", w.fix(8000))
		if len(a.Dropped) != 1 || a.Dropped[0].Reason != track.Teleport {
			t.Errorf("answered %+v", a)
		}
		w.shows()
	}
	w.wait(time.Second).post("cou_1", w.fix(8000))
	w.shows(id, 8000)
}

func TestPost_StopsAhead(t *testing.T) {
	w := newWorld(t, 1, ride.Config{})
	first := w.picked("cou_1", 3000)
	w.wait(time.Second)
	second := w.picked("cou_1", 6000)
	w.wait(time.Second)
	neighbour := w.picked("cou_1", 6010) // at the same stop
	w.wait(time.Second)
	third := w.picked("cou_1", 9000)

	w.wait(time.Second).post("cou_1", w.fix(123.4))
	told := w.take()
	for id, ahead := range map[string]int{first: 0, second: 1, neighbour: 1, third: 2} {
		p := told[id]
		exact := w.frame(p.Exact)
		if exact.StopsAhead != ahead || exact.Coarse || exact.north() != 123 || exact.Accuracy != 8 || exact.Speed != 5 || *exact.Heading != 0 {
			t.Errorf("%s: merchants see %s", id, p.Exact)
		}
		if eta := w.frame(p.ETA); eta.StopsAhead != ahead {
			t.Errorf("%s: told %s", id, p.ETA)
		}
		if ahead == 0 {
			if p.Coarse != nil {
				t.Errorf("%s: customers see %s", id, p.Coarse)
			}
			continue
		}
		// Three decimals, and nothing that tells more.
		if got, want := string(p.Coarse), `"lat":31.232,"lon":121.474,"stopsAhead":`; !strings.Contains(got, want) || strings.Contains(got, "accuracy") || !w.frame(p.Coarse).Coarse {
			t.Errorf("%s: customers see %s", id, got)
		}
	}
	if a, b, c := w.frame(told[first].ETA), w.frame(told[second].ETA), w.frame(told[third].ETA); a.ETAAt >= b.ETAAt || b.ETAAt >= c.ETAAt {
		t.Errorf("expected at %s, %s and %s", a.ETAAt, b.ETAAt, c.ETAAt)
	}

	// Where it stands is what comes first, and who was served is ahead of nobody.
	w.wait(time.Second).do(second, ops, orders.Arrive{})
	w.wait(time.Second).post("cou_1", w.fix(160))
	told = w.take()
	if told[second].Coarse != nil || told[neighbour].Coarse != nil || w.frame(told[first].Exact).StopsAhead != 1 {
		t.Error("the customer at whose door the courier stands does not come first")
	}
	w.do(second, ops, orders.Hand{}).do(neighbour, ops, orders.Hand{}).do(first, ops, orders.Hand{})
	w.wait(5*time.Second).post("cou_1", w.fix(200))
	w.shows(third, 200)
}

func TestPost_BeforePickUpTheMerchantSeesDistanceAndArrival(t *testing.T) {
	w := newWorld(t, 1, ride.Config{})
	old := fixAt(w.Now().Add(-time.Second), -1060)
	id := w.assigned("cou_1", 2000)
	w.wait(time.Second).post("cou_1", old) // from before it had the order
	if told := w.take(); len(told) != 0 {
		t.Errorf("told %v", told)
	}
	w.wait(2*time.Second).post("cou_1", w.fix(-1000))
	p, ok := w.take()[id]
	if !ok || p.Exact != nil || p.Coarse != nil || p.Courier != "cou_1" {
		t.Fatalf("told %+v", p)
	}
	for _, b := range [][]byte{p.ETA, p.MerchantETA} {
		if strings.Contains(string(b), "lat") {
			t.Errorf("a point in %s", b)
		}
	}
	eta, m := w.frame(p.ETA), w.frame(p.MerchantETA)
	if eta.Distance != nil || eta.ArrivesAt != "" || eta.ETAAt == "" || eta.ETAEarliest > eta.ETAAt || eta.ETAAt > eta.ETALatest {
		t.Errorf("customers are told %s", p.ETA)
	}
	if m.Distance == nil || *m.Distance != 1000 || m.ArrivesAt != "2026-03-14T12:04:40.000Z" || m.ETAAt != eta.ETAAt {
		t.Errorf("the merchant is told %s", p.MerchantETA)
	}
	if _, ok := w.local.Last(context.Background(), id); !ok {
		t.Error("it is not kept")
	}
	// The merchant hears of it every hundred metres, the customer when the estimate moves.
	w.wait(5*time.Second).post("cou_1", w.fix(-950))
	if told := w.take(); len(told) != 0 {
		t.Errorf("told %s", told[id].MerchantETA)
	}
	w.wait(5*time.Second).post("cou_1", w.fix(-890))
	if p, ok := w.take()[id]; !ok || p.ETA != nil || *w.frame(p.MerchantETA).Distance != 890 {
		t.Errorf("told %s %s", p.ETA, p.MerchantETA)
	}
}

func TestPost_TheArrivalIsToldWhenItMoves(t *testing.T) {
	w := newWorld(t, 1, ride.Config{})
	id := w.picked("cou_1", 6000)
	etas := 0
	for i := range 12 { // a minute at the speed that it was foretold with
		w.wait(5*time.Second).post("cou_1", w.fix(float64(i)*18))
		if p := w.take()[id]; p.ETA != nil {
			etas++
		}
	}
	if etas != 1 {
		t.Errorf("told %d times", etas)
	}
	w.wait(4*time.Minute).post("cou_1", w.fix(300)) // stood still
	if p := w.take()[id]; p.ETA == nil || w.frame(p.ETA).EstimatedTime == 0 {
		t.Errorf("told %s", p.ETA)
	}
}

func TestPost_Rate(t *testing.T) {
	w := newWorld(t, 1, ride.Config{Rate: 1})
	n := 0
	for range 20 {
		if _, err := w.nodes[0].Post(context.Background(), "cou_1", "", nil, w.Now()); err == nil {
			n++
		} else if orders.KindOf(err) != orders.Exhausted {
			t.Error(err)
		}
	}
	if n != ride.DefaultBurst {
		t.Errorf("%d posts at once", n)
	}
	w.wait(time.Second).post("cou_1")
	w.post("cou_2")
}

func TestPost_ReadsTheOrdersOnceUntilTheyChange(t *testing.T) {
	w := newWorld(t, 2, ride.Config{})
	id := w.picked("cou_1", 5000)
	for i := range 10 {
		w.wait(time.Second).post("cou_1", w.fix(float64(20*i)))
	}
	if w.reads != 1 {
		t.Errorf("read %d times", w.reads)
	}
	w.do(id, ops, assign("cou_2"))
	if a := w.wait(time.Second).post("cou_1", w.fix(300)); w.reads != 2 || a.Carrying || a.NextIntervalMs() != track.IntervalIdle {
		t.Errorf("read %d times, answered %+v", w.reads, a)
	}
	w.nodes[0].Doubt()
	if w.wait(time.Second).post("cou_1", w.fix(320)); w.reads != 3 {
		t.Errorf("read %d times", w.reads)
	}
}

func TestPost_WhoDidNotHearIsRefusedByTheChannel(t *testing.T) {
	w := newWorld(t, 1, ride.Config{})
	id := w.picked("cou_1", 5000)
	w.wait(time.Second).post("cou_1", w.fix(0))
	w.shows(id, 0)
	w.heard = func(...string) {}
	w.do(id, ops, assign("cou_2"))
	w.wait(5*time.Second).post("cou_1", w.fix(50))
	w.shows()
	if w.wait(5*time.Second).post("cou_1", w.fix(100)); w.reads != 2 {
		t.Errorf("read %d times", w.reads)
	}
}

// TestPost_MemoryFits: as many orders as are looked after.
func TestPost_MemoryFits(t *testing.T) {
	w := newWorld(t, 1, ride.Config{})
	for range ride.MaxOrders + 5 {
		w.picked("cou_1", 5000)
	}
	w.wait(time.Second).post("cou_1", w.fix(0), fixAt(w.Now().Add(-time.Second), 4))
	w.wait(time.Second).post("cou_1", w.fix(8000))
	w.wait(time.Second).post("cou_1", w.fix(8010))
	for i := range 40 {
		w.wait(time.Second).post("cou_1", w.fix(float64(i)), fixAt(w.Now().Add(-time.Second/2), float64(i)))
	}
	data, _, _ := w.local.Load(context.Background(), "cou_1")
	if len(data) == 0 || len(data) > ride.MaxData {
		t.Errorf("%d bytes", len(data))
	}
	if !bytes.Equal(ride.Again(data), data) {
		t.Error("it comes back changed")
	}
}
