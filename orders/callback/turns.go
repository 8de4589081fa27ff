package callback

import "time"

// enlist gives an endpoint with something to send a place behind the others. Why it may not begin just now is found out
// when its turn comes. The lock is held.
func (e *Engine) enlist(p *endpoint) {
	if p.inTurn || p.ready.len() == 0 {
		return
	}
	p.inTurn = true
	e.turns.push(p)
}

// pump begins what may begin: one try of each endpoint in turn. The lock is held.
func (e *Engine) pump(now time.Time) {
	for e.running && e.inFlight-e.trouble < e.cfg.Limit && e.inFlight < hardLimit*e.cfg.Limit &&
		len(e.unsaved.Rows) < maxUnsaved && e.leased() {
		p, ok := e.turns.pop()
		if !ok {
			return
		}
		p.inTurn = false
		if p.removed {
			continue
		}
		if e.may(p, now) && e.begin(p, now) {
			e.enlist(p)
			continue
		}
		if !p.inTurn { // it did not take what it was let in for: the next may
			e.release(p.origin)
			e.untrouble()
		}
	}
}

// may reports whether an endpoint may begin a try now. If not, whatever is in the way brings it back. The lock is held.
func (e *Engine) may(p *endpoint, now time.Time) bool {
	e.mark(p, now)
	switch {
	case p.shard.leaving:
		return false
	case p.cfg == nil:
		e.ask(p)
		return false // until it is read
	case p.cfg.State != StateEnabled:
		e.park(p)
		return false
	case now.Before(p.hold):
		e.wake(&p.bell, p.hold)
		return false
	case !e.allowed(p, now):
		e.wake(&p.bell, p.breaker.until)
		return false
	case p.inFlight >= p.cap(e.cfg.EndpointCap):
		return false // until a try ends
	case p.trouble && e.trouble >= e.troubleLimit():
		p.inTurn = true
		e.inTrouble.push(p)
		return false // until a try of another in trouble ends
	}
	return e.admits(p, now)
}

// admits reports whether the endpoint's origin takes one more. The lock is held.
func (e *Engine) admits(p *endpoint, now time.Time) bool {
	o := p.origin
	wait := func() bool {
		p.inTurn = true
		o.waiting.push(p)
		return false
	}
	if o.inFlight >= e.cfg.HostCap {
		return wait() // until a try there ends
	}
	if o.proven {
		return true
	}
	clock := now.Add(-e.offset)
	r := o.limit.ReserveN(clock, 1)
	if d := r.DelayFrom(clock); d > 0 {
		r.CancelAt(clock)
		if o.bell.pos == 0 {
			e.wake(&o.bell, now.Add(d))
		}
		return wait()
	}
	return true
}

func (e *Engine) troubleLimit() int { return max(1, e.cfg.Limit/troubleShare) }

// release lets one endpoint that waited for its origin have its turn. The lock is held.
func (e *Engine) release(o *origin) {
	if o == nil {
		return
	}
	if p, ok := o.waiting.pop(); ok {
		p.inTurn = false
		e.enlist(p)
	}
}

// allowed asks the breaker and counts its state. The lock is held.
func (e *Engine) allowed(p *endpoint, now time.Time) bool {
	before := p.breaker.state
	ok := p.breaker.allow(now)
	e.metrics.breaker(before, p.breaker.state)
	return ok
}

// mark notes whether an endpoint is in trouble, and counts its tries where they belong. The lock is held.
func (e *Engine) mark(p *endpoint, now time.Time) {
	in := p.troubled(now)
	if in == p.trouble {
		return
	}
	p.trouble = in
	if in {
		e.trouble += p.inFlight
		return
	}
	e.trouble -= p.inFlight
	e.untrouble()
}

// untrouble lets one of those in trouble have its turn. The lock is held.
func (e *Engine) untrouble() {
	if e.trouble >= e.troubleLimit() {
		return
	}
	if p, ok := e.inTrouble.pop(); ok {
		p.inTurn = false
		e.enlist(p)
	}
}

// begin starts a try of the endpoint's next lane that has one; false when it has none. The lock is held.
func (e *Engine) begin(p *endpoint, now time.Time) bool {
	for {
		l, ok := p.ready.pop()
		if !ok {
			return false
		}
		l.ready = false
		if l.gone || l.busy || len(l.rows) == 0 {
			continue
		}
		if expired := l.takeOut(func(r *Row) bool { return !now.Before(r.Expires) }); len(expired) > 0 {
			e.over(l, Expired, expired)
			e.schedule(l, now)
			continue
		}
		if l.rows[0].Due.After(now) {
			e.schedule(l, now)
			continue
		}
		e.start(p, l, now)
		return true
	}
}

// start starts a try of the lane's first row. The lock is held.
func (e *Engine) start(p *endpoint, l *lane, now time.Time) {
	if p.inFlight == 0 {
		p.progress = now
	}
	l.busy, l.acked = true, false
	p.inFlight++
	p.origin.inFlight++
	p.shard.inFlight++
	e.inFlight++
	if p.trouble {
		e.trouble++
	}
	e.look(p, now)
	if now.Sub(p.read) > freshCfg {
		e.ask(p)
	}
	t := try{lane: l, row: l.rows[0], snap: *l.rows[0], cfg: p.cfg, url: p.url, at: now, began: time.Now()}
	if t.row.Kind == KindStatus {
		t.url = p.status
	}
	e.tries.Add(1)
	go e.try(t)
}
