package postgres

import (
	"context"
	"sync"
	"testing"

	"doorbell/orders"
)

// cache is a level that nodes share, in memory: it keeps the newest it was given, or has forgotten it.
type cache struct {
	mu    sync.Mutex
	kept  map[string]orders.Restaurant
	asked int
	slow  bool // takes nothing in, as one whose queue is full
}

func (c *cache) CachedRestaurant(_ context.Context, id string) (*orders.Restaurant, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked++
	r, ok := c.kept[id]
	return &r, ok
}

func (c *cache) CacheRestaurant(r *orders.Restaurant) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if old, ok := c.kept[r.ID]; !c.slow && (!ok || old.Version < r.Version) {
		c.kept[r.ID] = *r
	}
}

func TestRestaurantsHaveTwoLevelsOfCache(t *testing.T) {
	url := shared.Database(t)
	between := &cache{kept: map[string]orders.Restaurant{}}
	with := func(c *Config) { c.Restaurants = between }
	a, b := opened(t, url, with), opened(t, url, with)
	running(t, a)
	running(t, b)
	put := func(s *Store, name string, version int64) {
		t.Helper()
		if _, err := s.PutRestaurant(t.Context(), orders.Restaurant{ID: "res_1", Name: name, Version: version}); err != nil {
			t.Fatal(err)
		}
	}
	want := func(s *Store, name string, version int64) {
		t.Helper()
		if r, err := s.Restaurant(t.Context(), "res_1"); err != nil || r.Name != name || r.Version != version || r.UpdatedAt.IsZero() {
			t.Errorf("got %+v, %v, want %s at version %d", r, err, name, version)
		}
	}
	put(a, "first", 0)
	execute(t, url, `UPDATE restaurants SET doc = 'not read'`)
	want(b, "first", 1) // from the shared level
	want(b, "first", 1) // from its own
	if between.asked != 1 {
		t.Errorf("the shared level was asked %d times", between.asked)
	}

	between.slow = true // and so stays at version 1
	put(a, "second", 1)
	want(a, "second", 2) // a node reads what it wrote
	a.ForgetRestaurant("res_1", 2)
	want(a, "second", 2)
	b.ForgetRestaurant("res_1", 2)
	want(b, "second", 2) // the shared level's is known to be too old
	b.ForgetRestaurant("res_1", 1)
	want(b, "second", 2)

	between.slow = false
	put(b, "third", 2)
	a.ForgetRestaurant("res_1", 3)
	want(a, "third", 3)
	if r := between.kept["res_1"]; r.Version != 3 {
		t.Errorf("the shared level has version %d", r.Version)
	}

	execute(t, url, `UPDATE restaurants SET version = 1, doc = '{"id":"res_1","name":"restored"}'`)
	between.kept = map[string]orders.Restaurant{}
	for _, s := range []*Store{a, b} {
		s.ForgetRestaurants()
		want(s, "restored", 1)
	}
}
