package ride

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"doorbell/hub/track"
)

const (
	// MaxWrite is how many fixes Tracks is given at a time.
	MaxWrite = 1000
	// maxWaiting is how many wait at most, some 10 MB: a minute's worth of a busy node without a database.
	maxWaiting = 65_536
	// writeEvery is how long a fix waits at most for others to be written with.
	writeEvery = 500 * time.Millisecond
	// lastWrite is how long the end of Run waits for the rest to be written.
	lastWrite = 5 * time.Second
)

// history writes fixes behind the posts that brought them.
type history struct {
	to  Tracks // nil = nobody keeps them
	m   *metrics
	log zerolog.Logger

	full chan struct{} // capacity 1: a write's worth is waiting

	mu      sync.Mutex // guards the following
	waiting []Fix      // oldest first, at most maxWaiting
}

func (h *history) init(to Tracks, m *metrics, log zerolog.Logger) {
	h.to, h.m, h.log, h.full = to, m, log, make(chan struct{}, 1)
}

func (h *history) len() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.waiting)
}

// add keeps points of an order. like is what they have in common; what it says of the one that was shown, live, is that
// one's only.
func (h *history) add(like Fix, points []track.Point, live *track.Point) {
	shown, eta := like.Shown, like.ETAAt
	h.mu.Lock()
	room := maxWaiting - len(h.waiting)
	kept := points[:min(len(points), room)]
	for i := range kept {
		like.Point = kept[i]
		like.Shown, like.ETAAt = false, time.Time{}
		if p := &kept[i]; shown && p.At == live.At && p.Device == live.Device {
			like.Shown, like.ETAAt = true, eta
		}
		h.waiting = append(h.waiting, like)
	}
	full := len(h.waiting) >= MaxWrite
	h.mu.Unlock()
	if n := len(points) - len(kept); n > 0 {
		h.m.lost.Add(float64(n))
	}
	if full {
		select {
		case h.full <- struct{}{}:
		default:
		}
	}
}

// run writes until ctx ends, and then what is left.
func (h *history) run(ctx context.Context) {
	if h.to == nil {
		return
	}
	t := time.NewTicker(writeEvery)
	defer t.Stop()
	failing := false
	for {
		select {
		case <-t.C:
			failing = h.write(ctx, failing)
		case <-h.full:
			if !failing { // else at the next tick
				failing = h.write(ctx, failing)
			}
		case <-ctx.Done():
			ctx, cancel := context.WithTimeoutCause(context.WithoutCancel(ctx), lastWrite, errEnding)
			defer cancel()
			h.write(ctx, failing)
			if n := h.len(); n > 0 {
				h.m.lost.Add(float64(n))
				h.log.Error().Int("fixes", n).Msg("positions lost, the history could not be written before the end")
			}
			return
		}
	}
}

var errEnding = errors.New("ride: the node stops")

// write writes what waits. It reports whether that failed: then all of it waits still.
func (h *history) write(ctx context.Context, failing bool) bool {
	for {
		h.mu.Lock()
		n := min(len(h.waiting), MaxWrite)
		batch := h.waiting[:n:n]
		h.mu.Unlock() // what is behind batch may grow meanwhile, batch itself is nobody else's
		if n == 0 {
			return false
		}
		if err := h.to.WriteTrack(ctx, batch); err != nil {
			if !failing && ctx.Err() == nil {
				h.log.Warn().Err(err).Msg("history not written, trying again")
			}
			return true
		}
		failing = false
		h.m.written.Add(float64(n))
		h.mu.Lock()
		if h.waiting = h.waiting[n:]; len(h.waiting) == 0 {
			h.waiting = nil // the memory of a busy moment is not kept
		}
		h.mu.Unlock()
	}
}
