package orders

import (
	"context"
	"math"
	"sync"
	"time"
)

// How RunTimers works through what is due.
const (
	timerPage    = 256             // orders read at a time
	timerWorkers = 32              // of them fired at a time, so that they share commit groups
	timerRetry   = time.Second     // pause after a failure of the store
	timerIdle    = 5 * time.Minute // longest sleep

	sweepEvery = 10 * time.Minute // between sweeps of old keys and ended orders
	sweepPage  = 1_000            // rows of one sweeping transaction
)

// poke tells RunTimers of a clock that may be earlier than the one it waits for.
func (s *Service) poke(due time.Time) {
	if due.UnixMicro() >= s.waiting.Load() {
		return
	}
	for {
		select {
		case s.wake <- due:
			return
		default:
		}
		select { // full: keep the earlier of the two
		case other := <-s.wake:
			if other.Before(due) {
				due = other
			}
		default:
		}
	}
}

// RunTimers fires clocks as they run out, until ctx ends. onError hears of a failure of the store, which is tried
// again. It costs nothing per waiting order: one timer sleeps until the earliest clock. Of several nodes one fires; it
// looks at each renewal of its claim, since the others set clocks, too.
func (s *Service) RunTimers(ctx context.Context, onError func(error)) error {
	for ctx.Err() == nil {
		s.waiting.Store(math.MaxInt64) // a commit that this look does not see must wake us
		mine, again, err := s.store.Claim(ctx, TaskTimers)
		var next time.Time
		if mine && err == nil {
			next, err = s.fireDue(ctx)
		}
		switch {
		case err != nil && ctx.Err() == nil:
			onError(err)
			s.sleep(ctx, timerRetry)
		case err != nil:
		case !mine:
			s.sleep(ctx, again)
		default:
			s.sleepUntil(ctx, next, again)
		}
	}
	return nil
}

// sleep waits for a time, whatever clocks are set.
func (s *Service) sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

// fireDue fires everything due now and returns when to look again.
func (s *Service) fireDue(ctx context.Context) (next time.Time, err error) {
	for {
		now, err := s.store.Now(ctx)
		if err != nil {
			return time.Time{}, err
		}
		ids, next, err := s.store.Due(ctx, now, timerPage)
		if err != nil {
			return time.Time{}, err
		}
		if err := s.fireAll(ctx, ids, now); err != nil {
			return time.Time{}, err
		}
		if len(ids) < timerPage {
			return next, nil
		}
	}
}

func (s *Service) fireAll(ctx context.Context, ids []string, now time.Time) (first error) {
	var (
		wg   sync.WaitGroup
		mu   sync.Mutex
		work = make(chan string)
	)
	for range min(timerWorkers, len(ids)) {
		wg.Go(func() {
			for id := range work {
				_, _, err := s.DoAsSystem(ctx, id, Tick{}, now)
				if err != nil && KindOf(err) != NotFound {
					mu.Lock()
					first = err
					mu.Unlock()
				}
			}
		})
	}
	for _, id := range ids {
		work <- id
	}
	close(work)
	wg.Wait()
	return first
}

// sleepUntil waits for the next clock, for an earlier one, for timerIdle, or for again where that is not 0.
func (s *Service) sleepUntil(ctx context.Context, next time.Time, again time.Duration) {
	wait := timerIdle
	if again > 0 {
		wait = again
	}
	if !next.IsZero() {
		wait = min(wait, next.Sub(s.Now()))
	}
	s.waiting.Store(s.Now().Add(wait).UnixMicro())
	t := time.NewTimer(max(0, wait))
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			return
		case due := <-s.wake:
			if next.IsZero() || due.Before(next) {
				return
			}
		}
	}
}

// RunSweeps deletes idempotency keys that are over, thins and deletes old tracks where the store keeps any, and archives
// orders that ended archiveAfter ago (0 = never), until ctx ends. Several nodes do it one at a time.
func (s *Service) RunSweeps(ctx context.Context, archiveAfter time.Duration, onError func(error)) error {
	t := time.NewTicker(sweepEvery)
	defer t.Stop()
	for {
		mine, _, err := s.store.Claim(ctx, TaskSweeps)
		if mine && err == nil {
			err = s.sweep(ctx, archiveAfter)
		}
		if err != nil && ctx.Err() == nil {
			onError(err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
		}
	}
}

func (s *Service) sweep(ctx context.Context, archiveAfter time.Duration) error {
	now, err := s.store.Now(ctx)
	if err != nil {
		return err
	}
	type page func(context.Context, time.Time, int) (int, error)
	drain := func(some page, before time.Time) error {
		for ctx.Err() == nil {
			if n, err := some(ctx, before, sweepPage); err != nil || n < sweepPage {
				return err
			}
			// A sweep may take longer than a claim lasts.
			if mine, _, err := s.store.Claim(ctx, TaskSweeps); err != nil || !mine {
				return err
			}
		}
		return nil
	}
	if err := drain(s.store.DropKeys, now.Add(-KeyLives)); err != nil {
		return err
	}
	if tracks, ok := s.store.(TrackStore); ok {
		if err := drain(tracks.DropTracks, now.Add(-TrackThin)); err != nil {
			return err
		}
		if err := drain(tracks.ThinTracks, now.Add(-TrackFull)); err != nil {
			return err
		}
	}
	if archiveAfter == 0 {
		return nil
	}
	return drain(s.store.Archive, now.Add(-archiveAfter))
}
