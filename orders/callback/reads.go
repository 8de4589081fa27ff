package callback

import (
	"context"
	"slices"
	"time"

	"golang.org/x/time/rate"

	"doorbell/orders"
)

const (
	readPage  = 1000 // rows of a shard, at a time
	lookPage  = 5000 // keys of one look
	readTime  = 5 * time.Second
	readRetry = 200 * time.Millisecond // pause after a failure of the store
	lookBack  = 3 * time.Second        // a look's overlap with the one before: commits take time to be seen
)

// runReads reads what is wanted: shards that were taken, lanes that others wrote to, settings of endpoints.
func (e *Engine) runReads(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-e.toRead:
		}
		for {
			more, err := e.readSome(ctx)
			if ctx.Err() != nil {
				return
			}
			if err != nil {
				e.cfg.Log.Warn().Err(err).Str("kind", string(orders.KindOf(err))).Msg("callbacks not read, tried again")
				pause(ctx, readRetry)
			} else if !more {
				break
			}
		}
	}
}

// readSome reads one thing of each sort that is wanted. What failed stays wanted.
func (e *Engine) readSome(ctx context.Context) (more bool, err error) {
	ids, lanes, revived, s := e.next()
	if len(ids) == 0 && len(lanes) == 0 && len(revived) == 0 && s == nil {
		return false, nil
	}
	if err := e.readEndpoints(ctx, ids); err != nil {
		e.again(ids, lanes, revived, s)
		return true, err
	}
	if err := e.readLanes(ctx, lanes); err != nil {
		e.again(nil, lanes, revived, s)
		return true, err
	}
	for i, id := range revived {
		if err := e.readRevived(ctx, id); err != nil {
			e.again(nil, nil, revived[i:], s)
			return true, err
		}
	}
	if s != nil {
		if err := e.readShard(ctx, s); err != nil {
			e.again(nil, nil, nil, s)
			return true, err
		}
	}
	return true, nil
}

// next takes from what is wanted.
func (e *Engine) next() (ids, lanes, revived []string, s *shard) {
	e.mu.Lock()
	defer e.mu.Unlock()
	w := &e.wanted
	ids, lanes, revived = some(w.endpoints), some(w.lanes), some(w.revived)
	if len(w.shards) > 0 {
		s, w.shards = w.shards[0], w.shards[1:]
	}
	return ids, lanes, revived, s
}

// again puts back what could not be read.
func (e *Engine) again(ids, lanes, revived []string, s *shard) {
	e.mu.Lock()
	defer e.mu.Unlock()
	w := &e.wanted
	for _, put := range []struct {
		in  map[string]struct{}
		ids []string
	}{{w.endpoints, ids}, {w.lanes, lanes}, {w.revived, revived}} {
		for _, id := range put.ids {
			put.in[id] = struct{}{}
		}
	}
	if s != nil {
		w.shards = append([]*shard{s}, w.shards...)
	}
}

// some takes at most MaxLanes ids out of a set.
func some(set map[string]struct{}) (ids []string) {
	for id := range set {
		if len(ids) == MaxLanes {
			break
		}
		ids = append(ids, id)
		delete(set, id)
	}
	return ids
}

// ask has an endpoint's settings read. The lock is held.
func (e *Engine) ask(p *endpoint) {
	if p.asked {
		return
	}
	p.asked = true
	e.wanted.endpoints[p.id] = struct{}{}
	signal(e.toRead)
}

func (e *Engine) readEndpoints(ctx context.Context, ids []string) error {
	if len(ids) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, readTime)
	defer cancel()
	read, err := e.store.Endpoints(ctx, ids)
	if err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	found := make(map[string]*Endpoint, len(read))
	for i := range read {
		found[read[i].ID] = &read[i]
	}
	now := e.now()
	for _, id := range ids {
		if p := e.endpoints[id]; p != nil {
			e.settings(p, found[id], now)
		}
	}
	e.pump(now)
	return nil
}

// settings gives an endpoint what was read of it; nil: it is not there. The lock is held.
func (e *Engine) settings(p *endpoint, c *Endpoint, now time.Time) {
	p.asked, p.read = false, now
	if c == nil {
		if p.cfg != nil {
			gone := *p.cfg
			gone.State = StateDeleted
			p.cfg = &gone
		}
		e.letGo(p, Gone)
		return
	}
	if p.cfg != nil && p.cfg.State != StateEnabled && c.State == StateEnabled { // a fresh start
		e.metrics.breaker(p.breaker.state, breakerClosed)
		p.breaker, p.hold, p.lastFail = breaker{}, time.Time{}, time.Time{}
	}
	u, err := c.target(KindEvent)
	status, err2 := c.target(KindStatus)
	if err != nil || err2 != nil {
		e.cfg.Log.Error().Str("endpoint", p.id).Msg("callbacks: an endpoint's URL cannot be read, so nothing is sent to it; give it another")
		e.letGo(p, Gone)
		return
	}
	if h, ok := e.health[p.id]; ok { // what we know and have not stored is newer
		c.State, c.FailingSince, c.Noticed = h.State, h.FailingSince, h.Noticed
	}
	p.cfg, p.url, p.status = c, u, status
	if name := originOf(u); p.origin == nil || p.origin.name != name {
		e.move(p, name)
	}
	if c.Proven {
		p.origin.proven = true
	}
	if c.State != StateEnabled {
		e.park(p)
	}
	e.enlist(p)
}

// move puts an endpoint at its origin. The lock is held.
func (e *Engine) move(p *endpoint, name string) {
	o := e.origins[name]
	if o == nil {
		o = &origin{name: name, limit: rate.NewLimiter(rate.Every(provingEvery), 1)}
		o.bell.who = o
		e.origins[name] = o
	}
	if was := p.origin; was != nil {
		was.endpoints--
		was.inFlight -= p.inFlight
	}
	o.endpoints++
	o.inFlight += p.inFlight
	p.origin = o
}

// readLanes reads lanes that have new rows.
func (e *Engine) readLanes(ctx context.Context, lanes []string) error {
	if len(lanes) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, readTime)
	defer cancel()
	rows, err := e.store.OfLanes(ctx, lanes)
	if err != nil {
		return err
	}
	e.set(func() {
		e.take(rows)
		e.pump(e.now())
	})
	return nil
}

// readRevived reads all that waits for one endpoint: it was enabled again, and its parked rows wait.
func (e *Engine) readRevived(ctx context.Context, id string) error {
	after := Key{Endpoint: id}
	for {
		rows, err := e.page(ctx, ShardOf(id), after)
		if err != nil {
			return err
		}
		end := len(rows) < readPage
		for i := range rows {
			if rows[i].Endpoint != id {
				rows, end = rows[:i], true
				break
			}
		}
		e.set(func() {
			e.take(rows)
			e.pump(e.now())
		})
		if end {
			return nil
		}
		after = rows[len(rows)-1].Key
	}
}

// readShard reads all that waits in a shard that was taken.
func (e *Engine) readShard(ctx context.Context, s *shard) error {
	var after Key
	for {
		rows, err := e.page(ctx, s.n, after)
		if err != nil {
			return err
		}
		if !e.fill(s, rows, len(rows) < readPage) || len(rows) < readPage {
			return nil
		}
		after = rows[len(rows)-1].Key
	}
}

// fill adds a page of a shard; with the last one comes what was committed meanwhile. False: it is no longer held.
func (e *Engine) fill(s *shard, rows []Row, last bool) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.shards[s.n] != s {
		return false
	}
	now := e.now()
	for i := range rows {
		e.add(s, &rows[i], now)
	}
	if last {
		s.loaded = true
		for i := range s.late {
			e.add(s, &s.late[i], now)
		}
		s.late = nil
	}
	e.pump(now)
	return true
}

func (e *Engine) page(ctx context.Context, shard int, after Key) ([]Row, error) {
	ctx, cancel := context.WithTimeout(ctx, readTime)
	defer cancel()
	return e.store.Waiting(ctx, shard, after, readPage)
}

// runLook looks for rows that nobody told of: the bus is away, or lost a message. Where this node writes all rows there
// is nothing to look for.
func (e *Engine) runLook(ctx context.Context) {
	since := time.Time{}
	for ctx.Err() == nil {
		pause(ctx, e.cfg.LookEvery)
		var shards []int
		var now time.Time
		e.set(func() { shards, now = e.lookAt(), e.now() })
		if len(shards) == 0 {
			since = time.Time{}
			continue
		}
		if since.IsZero() {
			since = now
		}
		if e.seek(ctx, shards, since.Add(-lookBack)) == nil {
			since = now
		}
	}
}

// lookAt are the shards whose rows others may write. The lock is held.
func (e *Engine) lookAt() (shards []int) {
	for _, s := range e.shards {
		if s != nil && !e.alone {
			shards = append(shards, s.n)
		}
	}
	return shards
}

// seek has lanes read of which rows were made that are not known here.
func (e *Engine) seek(ctx context.Context, shards []int, since time.Time) error {
	for {
		call, cancel := context.WithTimeout(ctx, readTime)
		rows, err := e.store.MadeSince(call, shards, since, lookPage)
		cancel()
		if err != nil {
			return err
		}
		e.set(func() {
			for i := range rows {
				if !e.knows(&rows[i]) {
					e.metrics.found.Inc()
					e.want(rows[i].Lane)
				}
			}
		})
		if len(rows) < lookPage {
			return nil
		}
		since = rows[len(rows)-1].Made.Add(time.Microsecond)
	}
}

// knows reports whether a row is waiting here or over. The lock is held.
func (e *Engine) knows(r *Row) bool {
	if e.done.has(r) {
		return true
	}
	for _, l := range e.lanes[r.Lane] {
		if l.to.id == r.Endpoint && slices.ContainsFunc(l.rows, func(x *Row) bool { return x.Key == r.Key }) {
			return true
		}
	}
	return false
}
