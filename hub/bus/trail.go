package bus

import (
	"context"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// trail is where the counters were, so that what is older than a stream keeps can be cut off by number. It needs no clock
// but this machine's, and none that could jump.
type trail struct {
	mu  sync.Mutex // guards the following
	was []footprint
	cut [partitions]int64 // up to here the streams are cut
}

type footprint struct {
	at       time.Time
	counters [partitions]int64
}

// trailStep is how far apart footprints are, in time.
const trailStep = time.Second

func (t *trail) add(v view) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if n := len(t.was); n == 0 || v.at.Sub(t.was[n-1].at) >= trailStep {
		t.was = append(t.was, footprint{v.at, v.counters})
	}
	if len(t.was) > 2*int(streamKept/trailStep) { // nobody cuts here
		t.was = append(t.was[:0], t.was[len(t.was)/2:]...)
	}
}

// forget is for another generation.
func (t *trail) forget() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.was, t.cut = nil, [partitions]int64{}
}

// old is up to where each partition is older than kept; -1 where that is known, or cut off already.
func (t *trail) old(now time.Time, kept time.Duration) (upTo [partitions]int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := range upTo {
		upTo[i] = -1
	}
	last := -1
	for i := range t.was {
		if now.Sub(t.was[i].at) >= kept {
			last = i
		}
	}
	if last < 0 {
		return upTo
	}
	for i, n := range t.was[last].counters {
		if n > t.cut[i] {
			upTo[i], t.cut[i] = n, n
		}
	}
	t.was = t.was[last+1:]
	return upTo
}

// trim cuts off of the streams what is older than they keep. Whoever sweeps the outbox does it: nothing is published where
// nobody does for long. What an error leaves there is cut off the next time.
func (r *Redis) trim(ctx context.Context) {
	g, c := r.generation(), r.data.Load()
	if g == nil || c == nil {
		return
	}
	upTo := r.trail.old(time.Now(), r.kept)
	_, _ = c.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, n := range upTo {
			if n >= 0 {
				p.XTrimMinID(ctx, r.name[i].stream(g.ID), itoa(n+1)+"-0")
			}
		}
		return nil
	})
}
