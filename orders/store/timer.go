package store

import (
	"context"
	"time"
)

// Due implements [orders.Store]. It reads the timers themselves, so it costs what is due and not what waits.
func (s *Store) Due(ctx context.Context, now time.Time, limit int) (ids []string, next time.Time, err error) {
	limit = PageSize(limit)
	err = s.each(ctx, readTimers, []any{limit + 1}, func(scan Scan) error {
		var id string
		var due int64
		switch err := scan(&id, &due); {
		case err != nil:
			return err
		case !next.IsZero(): // the row behind next
		case len(ids) < limit && due <= micros(now):
			ids = append(ids, id)
		default:
			next = fromMicros(due)
		}
		return nil
	})
	if err != nil {
		return nil, time.Time{}, s.Told(err)
	}
	return ids, next, nil
}
