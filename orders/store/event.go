package store

import (
	"context"

	"doorbell/orders"
)

// maxPage bounds every list: that many, or fewer, are read at a call whatever is asked for.
const maxPage = 1000

// PageSize is how many rows a limit means: 1 to 1000; 0 or less = as many as a page holds.
func PageSize(limit int) int {
	if limit <= 0 || limit > maxPage {
		return maxPage
	}
	return limit
}

// Events implements [orders.Store].
func (s *Store) Events(ctx context.Context, orderID string, after int64, limit int) ([]orders.Event, error) {
	var out []orders.Event
	err := s.each(ctx, readEvents, []any{orderID, after, PageSize(limit)}, func(scan Scan) error {
		e := orders.Event{OrderID: orderID}
		var occurred, recorded int64
		if err := scan(&e.Seq, &e.Type, &occurred, &recorded, &e.Actor.Role, &e.Actor.ID, &e.Envelope); err != nil {
			return err
		}
		e.OccurredAt, e.RecordedAt = fromMicros(occurred), fromMicros(recorded)
		out = append(out, e)
		return nil
	})
	if err != nil {
		return nil, s.Told(err)
	}
	return out, nil
}
