package bus

import (
	"context"
	"encoding/json"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"doorbell/orders"
)

const (
	recentTimeout = time.Second // what Redis does not answer by then, the database does
	recentBatch   = 256         // questions of one round trip
	recentTrips   = 4           // round trips at a time
	maxAsking     = 1 << 16     // questions that wait
)

// batcher asks many small questions in few round trips: ten thousand clients of a node that died ask at once.
type batcher struct {
	mu    sync.Mutex // guards the following
	queue []*question
	trips int // going on
}

// question asks for fields of one order's hash.
type question struct {
	key    string
	fields []string
	answer []any // of each field, nil where it is not there; nil where Redis was not asked
	done   chan struct{}
}

// ask asks Redis for fields of an order. It answers nil where Redis cannot be asked soon.
func (r *Redis) ask(ctx context.Context, id string, fields ...string) []any {
	g := r.generation()
	if g == nil || r.health.degraded.Load() || ctx.Err() != nil {
		return nil
	}
	q := &question{key: r.name[partitionOf(id)].order(g.ID, id), fields: fields, done: make(chan struct{})}
	b := &r.recent
	b.mu.Lock()
	if len(b.queue) >= maxAsking {
		b.mu.Unlock()
		return nil
	}
	b.queue = append(b.queue, q)
	if b.trips < recentTrips && r.workers.run(r.travel) {
		b.trips++
	}
	b.mu.Unlock()
	t := time.NewTimer(recentTimeout)
	defer t.Stop()
	select {
	case <-q.done:
		return q.answer
	case <-t.C:
	case <-ctx.Done():
	}
	return nil
}

// travel asks what waits until nothing does.
func (r *Redis) travel() {
	b := &r.recent
	for {
		b.mu.Lock()
		n := min(len(b.queue), recentBatch)
		batch := b.queue[:n:n]
		if b.queue = b.queue[n:]; n == 0 {
			b.queue = nil
			b.trips--
			b.mu.Unlock()
			return
		}
		b.mu.Unlock()
		r.askAll(batch)
	}
}

func (r *Redis) askAll(batch []*question) {
	ctx, cancel := context.WithTimeout(context.Background(), recentTimeout)
	defer cancel()
	answers := make([]*redis.SliceCmd, len(batch))
	if c := r.data.Load(); c != nil {
		_, _ = c.Pipelined(ctx, func(p redis.Pipeliner) error { // each answer has its error
			for i, q := range batch {
				answers[i] = p.HMGet(ctx, q.key, q.fields...)
			}
			return nil
		})
	}
	for i, q := range batch {
		if a := answers[i]; a != nil && a.Err() == nil {
			q.answer = a.Val()
		}
		close(q.done)
	}
}

// text is a field that was asked for.
func text(answer []any, i int) (string, bool) {
	if i >= len(answer) {
		return "", false
	}
	s, ok := answer[i].(string)
	return s, ok
}

func ownership(answer []any, i int) (orders.Ownership, bool) {
	s, ok := text(answer, i)
	r := reader{s: s}
	own := r.own()
	return own, ok && !r.bad
}

// Ownership is what decides who may see an order, as Redis keeps it.
func (r *Redis) Ownership(ctx context.Context, id string) (own orders.Ownership, ok bool) {
	return ownership(r.ask(ctx, id, "o"), 0)
}

// Order is an order as Redis keeps it.
func (r *Redis) Order(ctx context.Context, id string) (o orders.Order, ok bool) {
	s, ok := text(r.ask(ctx, id, "d"), 0)
	ok = ok && json.Unmarshal([]byte(s), &o) == nil && o.ID == id
	return o, ok
}

// Events is all events of an order behind after, none where Redis keeps it as it was then. ok is false where Redis has
// not all of them, or not as much as after.
func (r *Redis) Events(ctx context.Context, id string, after int64) (own orders.Ownership, events []orders.Event, ok bool) {
	answer := r.ask(ctx, id, "o", "e0", "e1", "e2", "e3", "e4", "e5", "e6", "e7")
	if own, ok = ownership(answer, 0); !ok || after > own.Seq || own.Seq-after > keptEvents {
		return own, nil, false
	}
	for seq := after + 1; seq <= own.Seq; seq++ {
		s, there := text(answer, 1+int(uint64(seq)%keptEvents))
		e, readable := readEvent(s, id)
		if !there || !readable || e.Seq != seq {
			return own, nil, false
		}
		events = append(events, e)
	}
	return own, events, true
}
