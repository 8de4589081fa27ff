package auth

import (
	"fmt"
	"math"
	"time"

	"github.com/maypok86/otter/v2"
	"golang.org/x/time/rate"
)

// maxBuckets is how many subjects one Limit remembers: twice the sockets of a node, some 20 MB.
const maxBuckets = 100_000

// Limit is a rate limit with one token bucket per subject, on this node only. A nil Limit lets everything through.
type Limit struct {
	rate    rate.Limit
	burst   int
	now     func() time.Time
	buckets *otter.Cache[string, *rate.Limiter] // nil = off
}

// NewLimit makes a limit of perSecond requests (0 = off) with room for burst at once (at least 1). now is the clock, nil
// for the real one. The error names what is wrong.
//
// A bucket that nobody asked for as long as it takes to fill is forgotten: a new one is just as full.
func NewLimit(perSecond float64, burst int, now func() time.Time) (*Limit, error) {
	if now == nil {
		now = time.Now
	}
	l := &Limit{rate: rate.Limit(perSecond), burst: burst, now: now}
	switch {
	case perSecond == 0:
		return l, nil
	case !(perSecond > 0) || math.IsInf(perSecond, 0): // also not a number
		return nil, fmt.Errorf("auth: rate %v is not a number of requests a second", perSecond)
	case burst < 1:
		return nil, fmt.Errorf("auth: burst %d lets nothing through", burst)
	}
	const longest = 24 * time.Hour // keeps tiny rates from overflowing a Duration
	fill := time.Duration(min(float64(burst)/perSecond, longest.Seconds())*float64(time.Second)) + time.Second
	buckets, err := otter.New(&otter.Options[string, *rate.Limiter]{
		MaximumSize:      maxBuckets,
		ExpiryCalculator: otter.ExpiryAccessing[string, *rate.Limiter](fill),
		Clock:            cacheClock(now),
	})
	if err != nil {
		return nil, fmt.Errorf("auth: buckets of a rate limit: %w", err)
	}
	l.buckets = buckets
	return l, nil
}

// Allow takes one request from sub's bucket. When it is empty, ok is false and retryAfter is how long until the next
// request passes; nothing is taken then, so asking early does not push that moment away.
func (l *Limit) Allow(sub string) (ok bool, retryAfter time.Duration) {
	if l == nil || l.buckets == nil {
		return true, 0
	}
	bucket, found := l.buckets.GetIfPresent(sub)
	if !found {
		bucket, _ = l.buckets.ComputeIfAbsent(sub, func() (*rate.Limiter, bool) {
			return rate.NewLimiter(l.rate, l.burst), false
		})
	}
	now := l.now()
	r := bucket.ReserveN(now, 1)
	wait := r.DelayFrom(now)
	if wait > 0 {
		r.CancelAt(now)
	}
	return wait <= 0, wait
}
