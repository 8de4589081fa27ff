package store

import (
	"context"
	"time"

	"doorbell/orders"
)

// Revoke implements [orders.Store]. A later revocation stays.
func (s *Store) Revoke(ctx context.Context, sub string, t time.Time) error {
	t = t.Truncate(time.Second)
	c := newChange(Step{revoke, []any{sub, micros(t)}})
	c.lock = "s/" + sub
	c.tell = func(g *orders.Group) { g.Revocations = append(g.Revocations, orders.Revocation{Sub: sub, At: t}) }
	return s.do(ctx, c)
}

// Revocations implements [orders.Store]. The times are whole seconds.
func (s *Store) Revocations(ctx context.Context) (map[string]time.Time, error) {
	out := map[string]time.Time{}
	err := s.each(ctx, readRevocations, nil, func(scan Scan) error {
		var sub string
		var at int64
		if err := scan(&sub, &at); err != nil {
			return err
		}
		out[sub] = fromMicros(at)
		return nil
	})
	if err != nil {
		return nil, s.Told(err)
	}
	return out, nil
}
