package ride

import (
	"context"
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"doorbell/hub/track"
	"doorbell/orders"
)

// forgottenAfter is how long a courier that posts nothing is remembered by a node.
const forgottenAfter = 10 * time.Minute

// shards is into how many parts couriers and orders are split, so that posts on different cores seldom meet. Run looks at
// one of them a second for what is idle.
const shards = 64

// courier is what a node keeps of a courier that posts here.
type courier struct {
	id      string
	turn    chan struct{} // capacity 1: full while a post is under way, so that posts come one after another
	limiter *rate.Limiter // nil = off

	used   atomic.Int64         // UnixMilli of the last post
	gen    atomic.Uint64        // rises when what it carries may have changed
	load   atomic.Pointer[load] // what it carries; nil = to be read
	retell atomic.Bool          // the channel lost what was told: tell it again
}

// couriers are those of a node.
type couriers struct {
	seed  maphash.Seed
	limit rate.Limit // posts a second; 0 = off
	burst int
	shard [shards]struct {
		mu   sync.Mutex // guards the following
		byID map[string]*courier
	}
}

func (cs *couriers) init(limit float64, burst int) {
	cs.seed, cs.limit, cs.burst = maphash.MakeSeed(), rate.Limit(limit), burst
	for i := range cs.shard {
		cs.shard[i].byID = map[string]*courier{}
	}
}

// of is a courier, made if it is new here.
func (cs *couriers) of(id string, now track.UnixMilli) *courier {
	s := &cs.shard[maphash.String(cs.seed, id)%shards]
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.byID[id]
	if c == nil {
		c = &courier{id: id, turn: make(chan struct{}, 1)}
		if cs.limit > 0 {
			c.limiter = rate.NewLimiter(cs.limit, cs.burst)
		}
		s.byID[id] = c
	}
	c.used.Store(int64(now))
	return c
}

// known is a courier that posts here, or nil.
func (cs *couriers) known(id string) *courier {
	s := &cs.shard[maphash.String(cs.seed, id)%shards]
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.byID[id]
}

// each calls f for every courier of a shard.
func (cs *couriers) each(shard int, f func(c *courier)) {
	s := &cs.shard[shard]
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.byID {
		f(c)
	}
}

// forget drops the couriers of a shard that have posted nothing for long.
func (cs *couriers) forget(shard int, now track.UnixMilli) {
	s := &cs.shard[shard]
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, c := range s.byID {
		if now.Sub(track.UnixMilli(c.used.Load())) > forgottenAfter {
			delete(s.byID, id)
		}
	}
}

func (cs *couriers) len() (n int) {
	for i := range cs.shard {
		cs.shard[i].mu.Lock()
		n += len(cs.shard[i].byID)
		cs.shard[i].mu.Unlock()
	}
	return n
}

// changed has what the courier carries read anew.
func (c *courier) changed() {
	c.gen.Add(1) // first: whoever reads right now must see that it may be too old
	c.load.Store(nil)
}

// carries is what the courier carries, from memory unless it changed. Unavailable.
func (c *courier) carries(ctx context.Context, store Store, m *metrics) (*load, error) {
	if l := c.load.Load(); l != nil {
		return l, nil
	}
	gen := c.gen.Load()
	m.reads.Inc()
	l, err := readLoad(ctx, store, c.id)
	if err != nil {
		return nil, err
	}
	c.load.Store(l)
	if c.gen.Load() != gen { // it changed while it was read: good enough for this post, which the channel judges again
		c.load.CompareAndSwap(l, nil)
	}
	return l, nil
}

// begin waits until no other post of this courier is under way here. Unavailable when ctx ends first.
func (c *courier) begin(ctx context.Context) error {
	select {
	case c.turn <- struct{}{}:
		return nil
	default:
	}
	select {
	case c.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		e := orders.Errorf(orders.Unavailable, "positions are not taken right now, try again")
		e.Err = context.Cause(ctx)
		return e
	}
}

func (c *courier) end() { <-c.turn }
