package bus

import (
	"context"
	"sync/atomic"
	"time"
)

const (
	compareTimeout = 15 * time.Second       // of one comparison of all that is watched
	compareAgain   = 300 * time.Millisecond // after one that failed
	storeTimeout   = 2 * time.Second        // of one question to the store
)

// doubts is what may have been missed, and no stream tells.
type doubts struct {
	asked   atomic.Int64 // comparisons asked for
	done    atomic.Int64 // of those
	failing atomic.Bool  // the last one failed
	wake    chan struct{}
}

func (d *doubts) pending() bool { return d.done.Load() < d.asked.Load() }

// doubt has all that is watched compared with the database, soon and once for many doubts.
func (r *Redis) doubt() {
	if !r.cfg.Receives { // nobody watches, and nobody would compare
		return
	}
	r.doubts.asked.Add(1)
	select {
	case r.doubts.wake <- struct{}{}:
	default:
	}
}

// compareLoop compares until ctx ends.
func (r *Redis) compareLoop(ctx context.Context) {
	d := &r.doubts
	for {
		select {
		case <-d.wake:
		case <-ctx.Done():
			return
		}
		for d.pending() && ctx.Err() == nil {
			n := d.asked.Load()
			r.m.compares.Inc()
			if err := r.compare(ctx); err != nil {
				if ctx.Err() == nil && !d.failing.Swap(true) {
					r.log.Warn().Err(err).Msg("what is watched could not be compared with the database")
				}
				pause(ctx, compareAgain)
				continue
			}
			d.failing.Store(false)
			d.done.Store(n)
		}
		r.poke()
	}
}

func (r *Redis) compare(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, compareTimeout)
	defer cancel()
	return r.to.Compare(ctx)
}
