package store

import (
	"hash/maphash"
	"sync"
	"time"

	"github.com/maypok86/otter/v2"

	"doorbell/orders"
)

// maxRestaurants bounds the decoded restaurants in memory; a menu of 100 items takes about 15 KiB.
const maxRestaurants = 10_000

// floorKept is how long it is remembered which version of a restaurant there is at least. Within that time the cache
// that nodes share has it, too, or has forgotten the restaurant.
const floorKept = time.Minute

// restaurantCache keeps decoded restaurants. A reader that was slow must not put back what a write has replaced, so
// each write moves a counter, and what was loaded counts only if the counter stands where it stood before the load.
// One counter serves many restaurants: a false alarm costs one read.
type restaurantCache struct {
	seed   maphash.Seed
	shards [64]cacheShard
	values *otter.Cache[string, *orders.Restaurant]
	floors *otter.Cache[string, int64] // versions known to be there: what others cached below them is too old
}

type cacheShard struct {
	mu     sync.Mutex // guards the following, and what is put in for the shard's restaurants
	writes uint64
}

func newRestaurantCache() *restaurantCache {
	return &restaurantCache{
		seed:   maphash.MakeSeed(),
		values: otter.Must(&otter.Options[string, *orders.Restaurant]{MaximumSize: maxRestaurants}),
		floors: otter.Must(&otter.Options[string, int64]{
			MaximumSize: maxRestaurants, ExpiryCalculator: otter.ExpiryWriting[string, int64](floorKept),
		}),
	}
}

// lock locks a restaurant's shard; the caller unlocks it.
func (c *restaurantCache) lock(id string) *cacheShard {
	s := &c.shards[maphash.String(c.seed, id)%uint64(len(c.shards))]
	s.mu.Lock()
	return s
}

// get is nil for what is not in memory.
func (c *restaurantCache) get(id string) *orders.Restaurant {
	r, _ := c.values.GetIfPresent(id)
	return r
}

// asOf is to be called before a restaurant is read from where others may write it.
func (c *restaurantCache) asOf(id string) uint64 {
	s := c.lock(id)
	defer s.mu.Unlock()
	return s.writes
}

// loaded keeps what was read, unless a write came in between, and reports whether it is no older than what is known to
// be there.
func (c *restaurantCache) loaded(asOf uint64, r *orders.Restaurant) bool {
	s := c.lock(r.ID)
	defer s.mu.Unlock()
	if floor, _ := c.floors.GetIfPresent(r.ID); s.writes != asOf || r.Version < floor {
		return false
	}
	c.values.Set(r.ID, r)
	return true
}

// written replaces what is kept after a write of r ended with err; when nobody knows what is stored, it forgets.
func (c *restaurantCache) written(r *orders.Restaurant, err error) {
	s := c.lock(r.ID)
	defer s.mu.Unlock()
	s.writes++
	if err != nil {
		c.values.Invalidate(r.ID)
		return
	}
	c.values.Set(r.ID, r)
	c.floors.Set(r.ID, r.Version)
}

// forget drops what is older than version.
func (c *restaurantCache) forget(id string, version int64) {
	s := c.lock(id)
	defer s.mu.Unlock()
	if r := c.get(id); r != nil && r.Version >= version {
		return
	}
	s.writes++
	c.values.Invalidate(id)
	if floor, _ := c.floors.GetIfPresent(id); floor < version {
		c.floors.Set(id, version)
	}
}

// forgetAll drops everything, also what is known of versions: a restored database has older ones.
func (c *restaurantCache) forgetAll() {
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.Lock()
		s.writes++
		s.mu.Unlock()
	}
	c.values.InvalidateAll()
	c.floors.InvalidateAll()
}

func (c *restaurantCache) close() {
	c.values.StopAllGoroutines()
	c.floors.StopAllGoroutines()
}
