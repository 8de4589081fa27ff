package store

import (
	"context"
	"database/sql"
	"time"
)

// Revoke implements [orders.Store]. A later revocation stays.
func (s *Store) Revoke(ctx context.Context, sub string, t time.Time) error {
	return s.do(ctx, newChange(step{revoke, []any{sub, micros(t.Truncate(time.Second))}}))
}

// Revocations implements [orders.Store]. The times are whole seconds.
func (s *Store) Revocations(ctx context.Context) (map[string]time.Time, error) {
	out := map[string]time.Time{}
	err := s.reads.each(ctx, readRevocations, nil, func(r *sql.Rows) error {
		var sub string
		var at int64
		if err := r.Scan(&sub, &at); err != nil {
			return err
		}
		out[sub] = fromMicros(at)
		return nil
	})
	if err != nil {
		return nil, told(sqliteFault, err)
	}
	return out, nil
}
