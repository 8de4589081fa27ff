package bus

import (
	"testing"
	"time"
)

// Only what is older than a stream keeps is cut off, once, and after a while of nobody cutting not too much is remembered.
func TestTrail(t *testing.T) {
	var tr trail
	begin := time.Now()
	at := func(s int) time.Time { return begin.Add(time.Duration(s) * time.Second) }
	step := func(s int, n int64) {
		v := view{at: at(s)}
		v.counters[3] = n
		tr.add(v)
	}
	for s := range 31 {
		step(s, int64(10*s))
	}
	if up := tr.old(at(29), 30*time.Second); up[3] != -1 {
		t.Errorf("cut up to %d too early", up[3])
	}
	if up := tr.old(at(32), 30*time.Second); up[3] != 20 || up[4] != -1 {
		t.Errorf("cut up to %d and %d, want 20 and nothing", up[3], up[4])
	}
	if up := tr.old(at(32), 30*time.Second); up[3] != -1 {
		t.Error("cut twice")
	}
	for s := 31; s < 1000; s++ {
		step(s, int64(10*s))
	}
	if len(tr.was) > 2*int(streamKept/trailStep)+1 {
		t.Errorf("%d footprints", len(tr.was))
	}
	tr.forget()
	if up := tr.old(at(2000), 30*time.Second); up[3] != -1 {
		t.Error("what was forgotten is cut")
	}
}
