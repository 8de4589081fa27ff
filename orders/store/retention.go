package store

import (
	"context"
	"database/sql"
	"errors"
	"math"
	"time"
)

// Fixes are deleted and thinned a page at a time: a read finds the page's last fix, and the write is about all up to
// that one. So both follow an index from its beginning, and a transaction is short however much is to be done.

// DropTrack implements [orders.TrackStore], 1000 fixes a transaction.
func (s *Store) DropTrack(ctx context.Context, order string) (n int, err error) {
	for {
		at, device := int64(math.MaxInt64), int64(math.MaxInt64) // the page is the rest
		err := s.row(ctx, readTrackEnd, []any{order, int64(maxPage - 1)}, &at, &device)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return n, s.Told(err)
		}
		rest := err != nil
		touched, err := s.doTracks(ctx, Step{dropTrack, []any{order, at, device}})
		if n += touched; err != nil || rest {
			return n, err
		}
	}
}

// DropCourierTracks implements [orders.TrackStore]. It deletes at most 1000 fixes.
func (s *Store) DropCourierTracks(ctx context.Context, courier string, limit int) (int, error) {
	var steps []Step
	err := s.each(ctx, readCourierFixes, []any{courier, int64(PageSize(limit))}, func(scan Scan) error {
		var order string
		var at, device int64
		if err := scan(&order, &at, &device); err != nil {
			return err
		}
		steps = append(steps, Step{dropFix, []any{order, at, device}})
		return nil
	})
	if err != nil || len(steps) == 0 {
		return 0, s.Told(err)
	}
	sortByFix(steps)
	return s.doTracks(ctx, steps...)
}

// ThinTracks implements [orders.TrackStore]. Only minutes that are over before t are looked at. A fix that comes when
// its minute was thinned already goes at the next call: of each minute one stays. It looks at most at 1000 fixes.
func (s *Store) ThinTracks(ctx context.Context, t time.Time, limit int) (int, error) {
	end, some, err := s.pageEnd(ctx, readFullEnd, t.Truncate(time.Minute), PageSize(limit))
	if err != nil || !some {
		return 0, err
	}
	return s.doTracks(ctx, Step{keepFirst, end}, Step{dropOthers, end})
}

// DropTracks implements [orders.TrackStore]. It deletes at most 1000 fixes: of those that were thinned first, then of
// those that nobody has thinned.
func (s *Store) DropTracks(ctx context.Context, t time.Time, limit int) (n int, err error) {
	limit = PageSize(limit)
	for _, kind := range []struct {
		end  string
		drop Statement
	}{{readThinEnd, dropThin}, {readFullEnd, dropFull}} {
		end, some, err := s.pageEnd(ctx, kind.end, t, limit-n)
		if err != nil {
			return n, err
		}
		if !some {
			continue
		}
		touched, err := s.doTracks(ctx, Step{kind.drop, end})
		if n += touched; err != nil || n >= limit {
			return n, err
		}
	}
	return n, nil
}

// pageEnd is the key of the last fix of a page of those before t, the oldest first. some = false: there are none.
func (s *Store) pageEnd(ctx context.Context, text string, t time.Time, limit int) (end []any, some bool, err error) {
	for _, offset := range []int{limit - 1, 0} {
		var at, device int64
		var order string
		switch err := s.row(ctx, text, []any{micros(t), int64(offset)}, &at, &order, &device); {
		case errors.Is(err, sql.ErrNoRows):
			continue
		case err != nil:
			return nil, false, s.Told(err)
		case offset == limit-1:
			return []any{at, order, device}, true, nil
		}
		return []any{micros(t), "", int64(math.MinInt64)}, true, nil // all of them: no key of t itself is as low
	}
	return nil, false, nil
}

// doTracks writes steps as one change of tracks and counts the fixes that they touched.
func (s *Store) doTracks(ctx context.Context, steps ...Step) (n int, err error) {
	c := newChange(steps...)
	c.lock = tracksLock
	if err := s.do(ctx, c); err != nil {
		return 0, err
	}
	for _, touched := range c.touched {
		n += int(touched)
	}
	return n, nil
}
