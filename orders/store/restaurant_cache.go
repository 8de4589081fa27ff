package store

import (
	"hash/maphash"
	"sync"

	"github.com/maypok86/otter/v2"

	"doorbell/orders"
)

// maxRestaurants bounds the decoded restaurants in memory; a menu of 100 items takes about 15 KiB.
const maxRestaurants = 10_000

// restaurantCache keeps decoded restaurants. A reader that was slow must not put back what a write has replaced, so
// each write moves a counter, and what was loaded counts only if the counter stands where it stood before the load.
// One counter serves many restaurants: a false alarm costs one read.
type restaurantCache struct {
	seed   maphash.Seed
	shards [64]cacheShard
	values *otter.Cache[string, *orders.Restaurant]
}

type cacheShard struct {
	mu     sync.Mutex // guards the following, and what is put in for the shard's restaurants
	writes uint64
}

func newRestaurantCache() *restaurantCache {
	return &restaurantCache{
		seed:   maphash.MakeSeed(),
		values: otter.Must(&otter.Options[string, *orders.Restaurant]{MaximumSize: maxRestaurants}),
	}
}

func (c *restaurantCache) shard(id string) *cacheShard {
	return &c.shards[maphash.String(c.seed, id)%uint64(len(c.shards))]
}

// get is nil for what is not in memory.
func (c *restaurantCache) get(id string) *orders.Restaurant {
	r, _ := c.values.GetIfPresent(id)
	return r
}

// asOf is to be called before a restaurant is read from the database.
func (c *restaurantCache) asOf(id string) uint64 {
	s := c.shard(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.writes
}

// loaded keeps what was read, unless a write came in between.
func (c *restaurantCache) loaded(asOf uint64, r *orders.Restaurant) {
	s := c.shard(r.ID)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.writes == asOf {
		c.values.Set(r.ID, r)
	}
}

// written replaces what is kept after a write of r ended with err; when nobody knows what is stored, it forgets.
func (c *restaurantCache) written(r *orders.Restaurant, err error) {
	s := c.shard(r.ID)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writes++
	if err == nil {
		c.values.Set(r.ID, r)
	} else {
		c.values.Invalidate(r.ID)
	}
}

func (c *restaurantCache) close() { c.values.StopAllGoroutines() }
