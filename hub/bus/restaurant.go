package bus

import (
	"context"
	"encoding/json"
	"strconv"
	"sync"
	"time"

	"doorbell/orders"
)

const (
	maxCaching = 256  // restaurants that wait to be cached; more are not, and are read once more
	maxFloors  = 8192 // restaurants that a node remembers the version of
)

// CachedRestaurant reads a restaurant from the cache that all nodes share.
func (r *Redis) CachedRestaurant(ctx context.Context, id string) (*orders.Restaurant, bool) {
	g, c := r.generation(), r.data.Load()
	if g == nil || c == nil || r.health.degraded.Load() {
		return nil, false
	}
	ctx, cancel := context.WithTimeout(ctx, recentTimeout)
	defer cancel()
	fields, err := c.HMGet(ctx, r.name[partitionOf(id)].restaurant(g.ID, id), "v", "u", "d").Result()
	if err != nil || r.generation() != g {
		return nil, false
	}
	version, ok1 := number(fields, 0)
	changed, ok2 := number(fields, 1)
	doc, ok3 := text(fields, 2)
	v := &orders.Restaurant{}
	if !ok1 || !ok2 || !ok3 || json.Unmarshal([]byte(doc), v) != nil || v.ID != id {
		return nil, false
	}
	v.Version, v.UpdatedAt = version, time.UnixMicro(changed).UTC()
	return v, version >= r.floors.at(id)
}

// floors are the versions of restaurants that this node has heard of. What Redis holds below is old: the newer one may be
// on its way there, or waits in the outbox.
type floors struct {
	mu sync.Mutex       // guards the following
	of map[string]int64 // at most maxFloors
}

func (f *floors) at(id string) int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.of[id]
}

func (f *floors) raise(id string, version int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.of == nil || len(f.of) >= maxFloors {
		f.of = map[string]int64{} // by now the earlier ones have reached Redis
	}
	f.of[id] = max(f.of[id], version)
}

func number(answer []any, i int) (int64, bool) {
	s, ok := text(answer, i)
	n, err := strconv.ParseInt(s, 10, 64)
	return n, ok && err == nil
}

// CacheRestaurant has a restaurant kept for all nodes, unless a newer one is there. It does not wait.
func (r *Redis) CacheRestaurant(v *orders.Restaurant) {
	r.floors.raise(v.ID, v.Version)
	if r.generation() == nil || r.health.degraded.Load() {
		return
	}
	select {
	case r.cached <- v:
	default:
	}
}

// cacheLoop keeps what CacheRestaurant is given.
func (r *Redis) cacheLoop(ctx context.Context) {
	for {
		select {
		case v := <-r.cached:
			if g, c := r.generation(), r.data.Load(); g != nil && c != nil {
				_ = r.keepRestaurant(ctx, c, g.ID, v) // it is read once more
			}
		case <-ctx.Done():
			return
		}
	}
}

// keepRestaurants keeps what is about to be announced. What fails here fails there too, or is dropped by the outbox.
func (r *Redis) keepRestaurants(ctx context.Context, c *client, gen string, batch []parcel) {
	for i := range batch {
		if v := batch[i].restaurant; v != nil {
			if r.keepRestaurant(ctx, c, gen, v) != nil {
				batch[i].group.failed.Store(true)
			}
		}
	}
}

func (r *Redis) keepRestaurant(ctx context.Context, c *client, gen string, v *orders.Restaurant) error {
	doc, err := json.Marshal(v)
	if err != nil {
		return err
	}
	n := r.name[partitionOf(v.ID)]
	keys := []string{n.marker(), n.restaurant(gen, v.ID)}
	return keepRestaurant.Run(ctx, c, keys, gen, v.Version, v.UpdatedAt.UnixMicro(), doc, restaurantKept.Milliseconds()).Err()
}
