package hub

import (
	"context"
	"hash/maphash"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"doorbell/hub/wire"
	"doorbell/orders"
)

// Source is where a hub reads what it was not told: the truth behind the events. orders/store has it.
type Source interface {
	// Order reads one order. NotFound.
	Order(ctx context.Context, id string) (orders.Order, error)
	// Ownership reads what decides who may see an order, and its seq. NotFound.
	Ownership(ctx context.Context, id string) (orders.Ownership, error)
	// Events reads at most limit events after seq, oldest first.
	Events(ctx context.Context, orderID string, after int64, limit int) ([]orders.Event, error)
	// List reads a page of orders, newest first; next is "" on the last page.
	List(ctx context.Context, q orders.Query) (page []orders.Order, next string, err error)
	// Seqs reads the seq of at most orders.MaxSeqs orders; those it does not know are not in the answer.
	Seqs(ctx context.Context, ids []string) (map[string]int64, error)
}

// Config is what a Hub works with. Zero durations and numbers take the default beside them.
type Config struct {
	Source Source
	// Recent answers what many ask at once, instead of Source; nil = nobody does.
	Recent Recent
	// Follow has the bus bring the positions of an order, or no more; nil = it brings them all. It must not block.
	Follow func(orderID string, on bool)
	// Last is the last position of an order, if it may still be seen; nil = nobody knows.
	Last func(ctx context.Context, orderID string) (p Position, ok bool)
	// LocationEvery is how soon behind one position of an order the next may be told; 0 = at once.
	LocationEvery time.Duration
	// Now is the clock by which it is decided who may still see an order; nil = this machine's.
	Now func() time.Time
	// View is an order as JSON, as this role may see it now. It may be called from any goroutine.
	View func(o *orders.Order, role orders.Role, now time.Time) []byte
	// Verify checks a token that a client brings to a live session.
	Verify func(ctx context.Context, token string) (Identity, error)
	// Locate takes the positions of a courier's own socket: in which coordinates (as written, "" = WGS-84), and the JSON
	// that stood under points. It answers in JSON. Errors are the caller's to read; nil = positions are not taken here. It
	// may wait: the session's other requests wait behind it.
	Locate func(ctx context.Context, by orders.Caller, coordSys string, points []byte) (answer []byte, err error)
	// OnAck hears that everything up to seq of an order was shown to this person; nil = nobody listens. It must not block.
	OnAck func(by orders.Caller, orderID string, seq int64)

	Heartbeat     time.Duration // silence after which a client is pinged; 25 s. Twice that and it is dead
	MaxAge        time.Duration // of a session, ± 20 %; 30 min
	MaxSessions   int           // of the node; 0 = any number
	MaxPerSubject int           // sessions of one sub, ops excepted; 0 = any number

	Log        zerolog.Logger
	Registerer prometheus.Registerer // nil = no metrics
}

// Defaults of Config.
const (
	DefaultHeartbeat = 25 * time.Second
	DefaultMaxAge    = 30 * time.Minute
)

// shards is into how many parts topics and people are split, so that sessions on different cores seldom meet.
const shards = 64

// Hub holds the sessions of one node and the topics they watch. Run must run while it is used.
type Hub struct {
	cfg  Config
	log  zerolog.Logger
	seed maphash.Seed
	m    *metrics

	topics [shards]topicShard
	people [shards]peopleShard

	wheel    wheel
	degraded atomic.Pointer[[]byte] // the frame that says so; nil while all is well
	sessions atomic.Int64           // live ones and those being admitted
	draining atomic.Bool
	shut     atomic.Bool // no new sessions
	closed   atomic.Bool // Run ends or has ended: a session that is there only now ends at once

	pumps   pumps
	kept    kept
	waiters Waiters
}

// Waiters is who waits for an order's next change without a session.
func (h *Hub) Waiters() *Waiters { return &h.waiters }

// New makes a Hub. It starts nothing.
func New(cfg Config) *Hub {
	if cfg.Heartbeat == 0 {
		cfg.Heartbeat = DefaultHeartbeat
	}
	if cfg.MaxAge == 0 {
		cfg.MaxAge = DefaultMaxAge
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	h := &Hub{cfg: cfg, log: cfg.Log, seed: maphash.MakeSeed(), pumps: pumps{last: make(chan struct{})}}
	for i := range h.topics {
		h.topics[i].byName = map[wire.Topic]*topic{}
		h.people[i].sessions = map[string][]*Session{}
	}
	h.m = newMetrics(cfg.Registerer, h)
	return h
}

// Run turns the wheel that pings, expires and retires sessions, until ctx ends. Then it ends every session that is
// left and returns when nothing of the hub runs any more.
func (h *Hub) Run(ctx context.Context) error {
	t := time.NewTicker(wheelTick)
	defer t.Stop()
	for {
		select {
		case now := <-t.C:
			h.wheel.turn(now)
			h.kept.drop(now)
		case <-ctx.Done():
			h.shut.Store(true)
			h.closed.Store(true)
			for _, s := range h.all() {
				s.End(GoingAway)
			}
			h.pumps.close()
			return nil
		}
	}
}

// all is every live session.
func (h *Hub) all() []*Session {
	var out []*Session
	for i := range h.people {
		p := &h.people[i]
		p.mu.Lock()
		for _, list := range p.sessions {
			out = append(out, list...)
		}
		p.mu.Unlock()
	}
	return out
}

func (h *Hub) now() time.Time { return h.cfg.Now() }

func (h *Hub) shardOf(s string) uint64 { return maphash.String(h.seed, s) % shards }

// Sessions is how many sessions are live or being admitted.
func (h *Hub) Sessions() int { return int(h.sessions.Load()) }
