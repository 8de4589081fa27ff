package callback

import (
	"context"
	"slices"
	"time"

	"doorbell/orders"
)

const (
	leaseRetry   = 100 * time.Millisecond // pause after a failure of the store
	leaseSoonest = 20 * time.Millisecond  // between two renewals
)

// runLease keeps this node's lease, and takes and gives back shards as nodes come and go.
func (e *Engine) runLease(ctx context.Context) {
	said := false
	for ctx.Err() == nil {
		again, err := e.hold(ctx)
		switch {
		case err != nil && ctx.Err() == nil:
			if !said {
				e.cfg.Log.Warn().Err(err).Str("kind", string(orders.KindOf(err))).Msg("callbacks: lease not renewed, tried again")
			}
			said = true
			e.set(e.lapse)
			pause(ctx, leaseRetry)
		case err == nil && again == 0:
			return // the only node
		default:
			said = false
			pause(ctx, again)
		}
	}
}

// hold renews the lease once.
func (e *Engine) hold(ctx context.Context) (again time.Duration, err error) {
	begun := time.Now()
	give := e.giving()
	call, cancel := context.WithDeadline(ctx, e.answerBy(begun))
	defer cancel()
	h, err := e.store.Hold(call, give)
	if err != nil {
		return 0, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.lapse() // the answer may have come too late
	e.alone = h.Again == 0
	e.validTo = time.Time{}
	if !e.alone {
		e.validTo = begun.Add(orders.LeaseFor) // counted from before the call: others count from within it
	}
	e.setClock(h.Now, begun)
	e.keep(h)
	return renewIn(h), nil
}

// renewIn is the pause before the next renewal: shorter where another node's lease runs out before, for its shards are
// then taken at once.
func renewIn(h Holding) time.Duration {
	if h.Free.IsZero() || h.Again == 0 {
		return h.Again
	}
	return min(h.Again, max(leaseSoonest, h.Free.Sub(h.Now)+time.Millisecond))
}

// answerBy is when a renewal that has not been answered is given up: in time to let go before the lease is over.
func (e *Engine) answerBy(begun time.Time) time.Time {
	e.mu.Lock()
	defer e.mu.Unlock()
	by := begun.Add(orders.LeaseFor / 2)
	if begun.Before(e.validTo) && e.validTo.Before(by) {
		return e.validTo
	}
	return by
}

// setClock notes how far the store's clock is before ours; h is its time somewhere between begun and now.
func (e *Engine) setClock(h, begun time.Time) {
	now := time.Now()
	offset := h.Sub(begun.Add(now.Sub(begun) / 2).Round(0))
	if e.alone {
		offset = 0 // one machine, one clock
	}
	if d := offset - e.offset; d > 20*time.Millisecond || d < -20*time.Millisecond {
		e.offset = offset
		signal(e.poke)
	}
}

// leased reports whether what this node holds is surely its own. The lock is held.
func (e *Engine) leased() bool { return e.validTo.IsZero() || time.Now().Before(e.validTo) }

// lapse lets go of everything once the lease is over: another node may send it now. The lock is held.
func (e *Engine) lapse() {
	if !e.leased() {
		e.dropAll()
	}
}

// giving are the shards to give back: those in which nothing is left to do.
func (e *Engine) giving() (give []int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, s := range e.shards {
		if s != nil && s.leaving && s.inFlight == 0 && s.unsaved == 0 {
			give = append(give, s.n)
			e.drop(s)
		}
	}
	return give
}

// keep makes what is held what the store says. The lock is held.
func (e *Engine) keep(h Holding) {
	for _, s := range e.shards {
		if s != nil && !slices.Contains(h.Shards, s.n) {
			e.drop(s)
		}
	}
	for _, n := range h.Shards {
		if e.shards[n] == nil {
			s := newShard(n)
			e.shards[n] = s
			e.wanted.shards = append(e.wanted.shards, s)
			signal(e.toRead)
		}
	}
	share := (Shards + h.Nodes - 1) / max(1, h.Nodes)
	for i := len(h.Shards) - 1; i >= share && !e.alone; i-- {
		e.shards[h.Shards[i]].leaving = true
	}
}

// dropAll lets go of everything. The lock is held.
func (e *Engine) dropAll() {
	for _, s := range e.shards {
		if s != nil {
			e.drop(s)
		}
	}
}

// drop lets go of a shard: what waits there is forgotten here, what is under way cancelled. The lock is held.
func (e *Engine) drop(s *shard) {
	s.drop()
	e.shards[s.n] = nil
	for _, p := range e.endpoints {
		if p.shard != s {
			continue
		}
		for len(p.lanes) > 0 {
			l := p.lanes[len(p.lanes)-1]
			e.rows -= len(l.rows)
			e.forget(l)
		}
		e.remove(p)
	}
}

// remove forgets an endpoint without lanes. The lock is held.
func (e *Engine) remove(p *endpoint) {
	p.removed = true
	e.bells.unset(&p.bell)
	e.bells.unset(&p.watch)
	e.metrics.breaker(p.breaker.state, breakerClosed)
	p.breaker = breaker{}
	p.ready = fifo[*lane]{}
	if p.origin != nil {
		p.origin.endpoints--
	}
	delete(e.endpoints, p.id)
}

// runJanitor forgets what nobody has used for long.
func (e *Engine) runJanitor(ctx context.Context) {
	t := time.NewTicker(janitorEvery)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			e.set(e.tidy)
		}
	}
}

func (e *Engine) tidy() {
	now := time.Now()
	for _, p := range e.endpoints {
		if len(p.lanes) == 0 && p.inFlight == 0 && !p.inTurn && now.Sub(p.used) > idleEndpoint {
			e.remove(p)
		}
	}
	for name, o := range e.origins {
		if o.endpoints == 0 && o.inFlight == 0 && o.waiting.len() == 0 && o.bell.pos == 0 {
			delete(e.origins, name)
		}
	}
}
