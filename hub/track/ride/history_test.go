package ride_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"doorbell/hub/track"
	"doorbell/hub/track/ride"
	"doorbell/orders"
)

func points(p ...track.Point) []track.Point { return p }

// book is a ride.Tracks.
type book struct {
	mu     sync.Mutex // guards the following
	fixes  []ride.Fix
	writes int
	err    error
}

func (b *book) WriteTrack(_ context.Context, fixes []ride.Fix) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.writes++
	if len(fixes) == 0 || len(fixes) > ride.MaxWrite {
		panic("a write of another size than promised")
	}
	if b.err != nil {
		return b.err
	}
	b.fixes = append(b.fixes, fixes...)
	return nil
}

func (b *book) set(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.err = err
}

func (b *book) holds() (fixes, writes int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.fixes), b.writes
}

func TestHistory_HasWhatIsInsideTheWindow(t *testing.T) {
	b := &book{}
	inBubble(t, ride.Config{Tracks: b}, 1, func(w *world) {
		id := w.assigned("cou_1", 3000)
		before := fixAt(w.wait(time.Minute).Now(), 0)
		w.wait(time.Second).do(id, ops, orders.Pickup{})
		w.wait(time.Minute)
		var batch []track.Point
		for i := range 10 {
			batch = append(batch, fixAt(w.Now().Add(time.Duration(i-10)*time.Second), float64(10*i)))
		}
		w.post("cou_1", append(batch, before)...)
		w.post("cou_1", w.wait(time.Second).fix(90)) // too short a step to be shown
		time.Sleep(time.Second)
		synctest.Wait()
		if fixes, writes := b.holds(); fixes != 11 || writes != 1 {
			t.Fatalf("%d fixes in %d writes", fixes, writes)
		}
		shown := 0
		for _, f := range b.fixes {
			if f.Order != id || f.Courier != "cou_1" || f.Epoch != 1 || f.Point.ReceivedAt == 0 {
				t.Errorf("wrote %+v", f)
			}
			if f.Shown {
				shown++
				if f.ETAAt.IsZero() {
					t.Error("without what was foretold")
				}
			}
		}
		if shown != 1 {
			t.Errorf("%d were shown", shown)
		}
		w.do(id, ops, orders.Hand{})
		w.post("cou_1", w.wait(time.Second).fix(120))
		time.Sleep(time.Second)
		if fixes, _ := b.holds(); fixes != 11 {
			t.Errorf("%d fixes", fixes)
		}
	})
}

func TestHistory_WaitsForItsWriterWithinBounds(t *testing.T) {
	b := &book{err: errors.New("away")}
	reg := prometheus.NewRegistry()
	inBubble(t, ride.Config{Tracks: b, Registerer: reg}, 1, func(w *world) {
		w.picked("cou_1", 3000)
		w.wait(2 * time.Hour)
		sent := 0
		for i := range 70 {
			batch := make([]track.Point, 1000)
			for j := range batch {
				batch[j] = fixAt(w.Now().Add(time.Duration(j-1000)*time.Millisecond), float64(i%2))
			}
			w.wait(time.Second)
			sent += w.post("cou_1", batch...).Accepted
		}
		time.Sleep(5 * time.Second)
		if fixes, writes := b.holds(); fixes != 0 || writes > 20 {
			t.Errorf("%d fixes, %d tries", fixes, writes)
		}
		b.set(nil)
		time.Sleep(time.Second)
		synctest.Wait()
		fixes, _ := b.holds()
		if lost := int(value(t, reg, "doorbell_track_history_lost_total")); fixes != 65_536 || fixes+lost != sent {
			t.Errorf("%d taken, %d written, %d counted as lost", sent, fixes, lost)
		}
		// What waits when the service ends is written.
		w.post("cou_1", w.wait(time.Minute).fix(10))
	})
	if fixes, _ := b.holds(); fixes != 65_537 {
		t.Errorf("%d written in the end", fixes)
	}
}

// value is that of a metric without labels.
func value(t testing.TB, reg *prometheus.Registry, name string) float64 {
	t.Helper()
	all, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range all {
		if f.GetName() == name {
			return f.GetMetric()[0].GetCounter().GetValue()
		}
	}
	t.Fatalf("no metric %s", name)
	return 0
}
