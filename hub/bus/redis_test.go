package bus_test

import (
	"testing"
	"time"

	"doorbell/hub/bus/redistest"
)

// What one node commits, people on every node see: each event once, in order, and nobody asks the database.
func TestRedis_AllNodesHearAll(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		url  func(*testing.T) string
	}{
		{"Single", func(t *testing.T) string { return redistest.Start(t).URL() }},
		{"Cluster", func(t *testing.T) string { return redistest.StartCluster(t).URL() }},
		{"Sentinel", func(t *testing.T) string { return redistest.StartSentinel(t).URL() }},
	} {
		t.Run(c.name, func(t *testing.T) {
			url, store := c.url(t), newMemory()
			a, b := start(t, "a", url, store), start(t, "b", url, store, hubOnly)
			waitBegun(t, a, a, b)
			compares := get(b, func() int { return b.compares })
			ids := place(store, a.bus, 200)
			for i := range 2000 {
				wait(t, patience, "room in the queue", func() bool { return a.bus.Waiting() < 100 })
				store.change(a.bus, ids[i%len(ids)], nil)
			}
			for _, n := range []*node{a, b} {
				wait(t, patience, "everything to be heard", n.whole)
			}
			wait(t, patience, "the outbox to be marked", func() bool { return store.unpublished() == 0 })
			check(t, a, b)
			if store.renewals() != 1 {
				t.Errorf("%d generations begun, want 1", store.renewals())
			}
			if swept := counted(t, a.reg, "doorbell_bus_published_total", "swept"); swept > 0 {
				t.Logf("the machine was so slow that the outbox published %v orders", swept)
				return
			}
			for _, n := range []*node{a, b} {
				if n.gaps > 0 || n.repeats > 0 {
					t.Errorf("%d gaps and %d repeats", n.gaps, n.repeats)
				}
			}
			if b.compares != compares {
				t.Errorf("the database was asked %d times", b.compares-compares)
			}
			for _, what := range []string{"failed", "refused", "dropped"} {
				if v := counted(t, a.reg, "doorbell_bus_"+what+"_total"); v > 0 {
					t.Errorf("%v %s", v, what)
				}
			}
			if err := b.bus.Ready(); err != nil {
				t.Error(err)
			}
		})
	}
}

// A node that starts where others are at work does not disturb them.
func TestRedis_AnotherNodeBegins(t *testing.T) {
	t.Parallel()
	url, store := redistest.Start(t).URL(), newMemory()
	a := start(t, "a", url, store)
	waitBegun(t, a, a)
	stop := load(store, time.Millisecond, place(store, a.bus, 20), a.bus)
	for range 5 {
		b := start(t, "b", url, store, hubOnly)
		waitBegun(t, a, b)
		b.stop()
	}
	stop()
	wait(t, patience, "everything to be heard", a.whole)
	if a.gaps > 0 || a.repeats > 0 || store.renewals() != 1 {
		t.Errorf("%d gaps, %d repeats, %d generations", a.gaps, a.repeats, store.renewals())
	}
}
