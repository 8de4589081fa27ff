package auth

import (
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestLimit(t *testing.T) {
	c := &clock{}
	l, err := NewLimit(2, 3, c.now)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		if ok, wait := l.Allow("a"); !ok || wait != 0 {
			t.Fatalf("request %d of the burst: %v, %v", i, ok, wait)
		}
	}
	for range 3 { // asking does not make it longer
		if ok, wait := l.Allow("a"); ok || wait != 500*time.Millisecond {
			t.Fatalf("over the burst: %v, %v", ok, wait)
		}
	}
	if ok, _ := l.Allow("b"); !ok {
		t.Error("another subject pays for a")
	}
	c.advance(499 * time.Millisecond)
	if ok, wait := l.Allow("a"); ok || wait <= 0 || wait > time.Millisecond+time.Microsecond {
		t.Errorf("a moment early: %v, %v", ok, wait)
	}
	c.advance(2 * time.Millisecond)
	if ok, _ := l.Allow("a"); !ok {
		t.Error("refused after the wait it was told")
	}
	if ok, _ := l.Allow("a"); ok {
		t.Error("two for one")
	}
}

func TestLimitForgetsOnlyFullBuckets(t *testing.T) {
	c := &clock{}
	l, err := NewLimit(1, 10, c.now)
	if err != nil {
		t.Fatal(err)
	}
	for range 10 {
		l.Allow("a")
	}
	c.advance(9 * time.Second) // nine are back
	if _, ok := l.buckets.GetEntryQuietly("a"); !ok {
		t.Fatal("a bucket that is not full was forgotten")
	}
	c.advance(20 * time.Second)
	if _, ok := l.buckets.GetEntryQuietly("a"); ok {
		t.Error("a full bucket is still there")
	}
	passed := 0
	for range 20 {
		if ok, _ := l.Allow("a"); ok {
			passed++
		}
	}
	if passed != 10 {
		t.Errorf("%d passed, want the burst", passed)
	}
}

func TestLimitMemoryIsBounded(t *testing.T) {
	c := &clock{}
	l, err := NewLimit(1e-9, 1, c.now) // fills in 31 years: only the size bounds it
	if err != nil {
		t.Fatal(err)
	}
	for i := range maxBuckets + maxBuckets/10 {
		l.Allow(fmt.Sprint(i))
	}
	l.buckets.CleanUp()
	if n := l.buckets.EstimatedSize(); n > maxBuckets {
		t.Errorf("%d buckets", n)
	}
}

func TestLimitConcurrentFirstRequestsShareABucket(t *testing.T) {
	c := &clock{}
	l, err := NewLimit(1, 5, c.now)
	if err != nil {
		t.Fatal(err)
	}
	var passed atomic.Int32
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			if ok, _ := l.Allow("a"); ok {
				passed.Add(1)
			}
		})
	}
	wg.Wait()
	if n := passed.Load(); n != 5 {
		t.Errorf("%d passed, want 5", n)
	}
}

func TestLimitOff(t *testing.T) {
	l, err := NewLimit(0, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range []*Limit{l, nil} {
		for range 100 {
			if ok, wait := l.Allow("a"); !ok || wait != 0 {
				t.Fatal("a limit that is off refuses")
			}
		}
	}
}

func TestNewLimitRefuses(t *testing.T) {
	for _, tc := range []struct {
		rate  float64
		burst int
	}{{-1, 1}, {math.NaN(), 1}, {math.Inf(1), 1}, {1, 0}, {1, -1}} {
		if _, err := NewLimit(tc.rate, tc.burst, nil); err == nil {
			t.Errorf("rate %v, burst %d accepted", tc.rate, tc.burst)
		}
	}
}

func BenchmarkLimit(b *testing.B) {
	l, err := NewLimit(1e9, 1e9, nil)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		l.Allow("cus_1")
	}
}
