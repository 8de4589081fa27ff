package store

import (
	"context"
	"time"

	"doorbell/orders"
)

// Key implements [orders.Store].
func (s *Store) Key(ctx context.Context, scope, key string) (orders.KeyRecord, error) {
	k := orders.KeyRecord{Scope: scope, Key: key}
	var at int64
	err := s.row(ctx, readKey, []any{scope, key}, &k.Hash, &k.OrderID, &k.Status, &k.Response, &at)
	if err != nil {
		return orders.KeyRecord{}, s.notFound(err, "idempotency key")
	}
	k.At = fromMicros(at)
	return k, nil
}

// DropKeys implements [orders.Store].
func (s *Store) DropKeys(ctx context.Context, t time.Time, limit int) (int, error) {
	c := newChange(Step{DropKeys, []any{micros(t), int64(PageSize(limit))}})
	c.lock = "dropKeys"
	if err := s.do(ctx, c); err != nil {
		return 0, err
	}
	return int(c.touched[0]), nil
}
