package store

import (
	"context"
	"encoding/json"
	"fmt"

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

// Restaurant implements [orders.Store]. Once PutRestaurant has returned, no call of this Store answers with an older
// version, and once ForgetRestaurant has, none older than it was given.
func (s *Store) Restaurant(ctx context.Context, id string) (*orders.Restaurant, error) {
	if r := s.restaurants.get(id); r != nil && !s.unheard() {
		return r, nil
	}
	asOf := s.restaurants.asOf(id)
	if s.shared != nil {
		if r, ok := s.shared.CachedRestaurant(ctx, id); ok && s.restaurants.loaded(asOf, r) {
			return r, nil
		}
	}
	var version, updated int64
	var doc []byte
	if err := s.row(ctx, readRestaurant, []any{id}, &version, &updated, &doc); err != nil {
		return nil, s.notFound(err, "restaurant")
	}
	r, err := decodeRestaurant(version, updated, doc)
	if err != nil {
		return nil, internal(err)
	}
	s.restaurants.loaded(asOf, r)
	if s.shared != nil {
		s.shared.CacheRestaurant(r)
	}
	return r, nil
}

// unheard reports whether other nodes' writes cannot be heard of now: then memory may be old.
func (s *Store) unheard() bool {
	d, ok := s.shared.(interface{ Doubtful() bool })
	return ok && d.Doubtful()
}

// ForgetRestaurant drops from memory what is older than version: another node has written that one.
func (s *Store) ForgetRestaurant(id string, version int64) { s.restaurants.forget(id, version) }

// ForgetRestaurants drops all restaurants from memory: nobody knows what was written meanwhile, or the database is
// another one.
func (s *Store) ForgetRestaurants() { s.restaurants.forgetAll() }

// PutRestaurant implements [orders.Store]. The store sets UpdatedAt.
func (s *Store) PutRestaurant(ctx context.Context, r orders.Restaurant) (*orders.Restaurant, error) {
	doc, err := json.Marshal(&r)
	if err != nil {
		return nil, internal(err)
	}
	at := s.engine.Now().UnixMicro()
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
	c := newChange(Step{addRestaurant, args})
	if base > 0 {
		c.rows[0] = Step{setRestaurant, append(args, base)}
	}
	c.lock = "r/" + next.ID
	c.probe, c.mark = &Step{restaurantMark, []any{next.ID}}, id
	c.verdict = func(touched []int64) error {
		if touched[0] == 0 {
			return orders.ErrLost
		}
		return nil
	}
	c.tell = func(g *orders.Group) { g.Restaurants = append(g.Restaurants, next) }
	c.after = func(err error) {
		s.restaurants.written(next, err)
		if err == nil && s.shared != nil {
			s.shared.CacheRestaurant(next)
		}
	}
	return c
}
