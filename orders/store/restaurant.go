package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"doorbell/orders"
)

// decodeRestaurant is a restaurant from its row.
func decodeRestaurant(version, updatedAt int64, doc []byte) (*orders.Restaurant, error) {
	r := new(orders.Restaurant)
	if err := json.Unmarshal(doc, r); err != nil {
		return nil, fmt.Errorf("decode a restaurant: %w", err)
	}
	r.Version, r.UpdatedAt = version, fromMicros(updatedAt)
	return r, nil
}

// Restaurant implements [orders.Store]. Once PutRestaurant has returned, no call answers with an older version.
func (s *Store) Restaurant(ctx context.Context, id string) (*orders.Restaurant, error) {
	if r := s.restaurants.get(id); r != nil {
		return r, nil
	}
	asOf := s.restaurants.asOf(id)
	var version, updated int64
	var doc []byte
	if err := s.reads.row(ctx, readRestaurant, []any{id}, &version, &updated, &doc); err != nil {
		return nil, notFound(err, "restaurant")
	}
	r, err := decodeRestaurant(version, updated, doc)
	if err != nil {
		return nil, internal(err)
	}
	s.restaurants.loaded(asOf, r)
	return r, nil
}

// PutRestaurant implements [orders.Store]. The store sets UpdatedAt.
func (s *Store) PutRestaurant(ctx context.Context, r orders.Restaurant) (*orders.Restaurant, error) {
	doc, err := json.Marshal(&r)
	if err != nil {
		return nil, internal(err)
	}
	at := time.Now().UnixMicro()
	next, err := decodeRestaurant(r.Version+1, at, doc) // shares nothing with what the caller holds
	if err != nil {
		return nil, internal(err)
	}
	if err := s.do(ctx, s.restaurantChange(r.Version, next, string(doc))); err != nil {
		return nil, err
	}
	return next, nil
}

// restaurantChange writes next if the stored version is base.
func (s *Store) restaurantChange(base int64, next *orders.Restaurant, doc string) *change {
	id := newChangeID()
	args := []any{next.ID, id, next.Version, micros(next.UpdatedAt), doc}
	c := newChange(step{addRestaurant, args})
	if base > 0 {
		c.rows[0] = step{setRestaurant, append(args, base)}
	}
	c.lock = "r/" + next.ID
	c.probe, c.mark = &step{restaurantMark, []any{next.ID}}, id
	c.verdict = func(touched []int64) error {
		if touched[0] == 0 {
			return orders.ErrLost
		}
		return nil
	}
	c.after = func(err error) { s.restaurants.written(next, err) }
	return c
}
