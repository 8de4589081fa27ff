package callback

import "time"

// learn draws from an answer what it says of the endpoint. The lock is held.
func (e *Engine) learn(p *endpoint, a *Answer, v *verdict, now time.Time) {
	if p.removed {
		return
	}
	throttled := v.outcome == Deferred
	alive := v.alive || throttled
	before := p.breaker.state
	p.breaker.record(now, alive, a.unconnected())
	e.metrics.breaker(before, p.breaker.state)
	p.tried, p.lastOK = true, alive
	e.mark(p, now)
	if v.hold.After(p.hold) {
		p.hold = v.hold
	}
	if a.ok() {
		e.prove(p.origin)
	}
	switch {
	case p.cfg == nil: // deleted meanwhile
	case a.ok() || v.outcome == Aborted:
		e.recovered(p, now)
	default:
		e.failed(p, v, now, before != breakerIsOpen && p.breaker.state == breakerIsOpen)
	}
	if v.disable != "" && p.cfg != nil {
		e.disable(p, v.disable, now)
	}
}

// prove notes that an origin answers 2xx: its endpoints are no longer held to a try a second. The lock is held.
func (e *Engine) prove(o *origin) {
	if o.proven {
		return
	}
	o.proven = true
	e.bells.unset(&o.bell)
	for o.waiting.len() > 0 {
		e.release(o)
	}
	e.unsaved.Proven = append(e.unsaved.Proven, o.name)
	signal(e.toSave)
}

// recovered ends a time of failures. The lock is held.
func (e *Engine) recovered(p *endpoint, now time.Time) {
	p.lastFail = time.Time{}
	if p.cfg.FailingSince.IsZero() {
		return
	}
	e.configure(p, func(c *Endpoint) {
		if c.Noticed {
			e.notice(EndpointRecovered, c, "", now)
		}
		c.FailingSince, c.Noticed = time.Time{}, false
	}, "")
}

// failed counts a failure: the first begins the time after which the endpoint is disabled. The lock is held.
func (e *Engine) failed(p *endpoint, v *verdict, now time.Time, opened bool) {
	c := p.cfg
	anew := c.FailingSince.IsZero() || !p.lastFail.IsZero() && now.Sub(p.lastFail) > failingGap
	p.lastFail = now
	tell := !c.Noticed && (opened || !anew && now.Sub(c.FailingSince) >= failingNotice)
	if anew || tell {
		e.configure(p, func(c *Endpoint) {
			if anew {
				c.FailingSince = now
			}
			if tell {
				c.Noticed = true
				e.notice(EndpointFailing, c, "", now)
			}
		}, "")
	}
	if now.Sub(p.cfg.FailingSince) >= DisableAfter && v.disable == "" {
		e.disable(p, ReasonFailing, now)
	}
}

// disable ends sending to an endpoint: what waits is parked. The lock is held.
func (e *Engine) disable(p *endpoint, why string, now time.Time) {
	if p.cfg.State != StateEnabled {
		return
	}
	e.configure(p, func(c *Endpoint) {
		c.State = StateDisabled
		e.notice(EndpointDisabled, c, why, now)
	}, why)
	e.park(p)
}

// park settles all that waits for an endpoint that is not sent to. The lock is held.
func (e *Engine) park(p *endpoint) {
	o := Parked
	if p.cfg.State == StateDeleted {
		o = Gone
	}
	e.letGo(p, o)
}

// letGo settles all that waits for an endpoint. What is under way goes on. The lock is held.
func (e *Engine) letGo(p *endpoint, o Outcome) {
	now := e.now()
	for i := len(p.lanes) - 1; i >= 0; i-- { // a lane that is forgotten takes the last one's place
		l := p.lanes[i]
		e.over(l, o, l.takeOut(func(*Row) bool { return true }))
		e.schedule(l, now)
	}
}

// configure changes a copy of the endpoint's settings, since tries under way read the old, and has them stored. The lock
// is held.
func (e *Engine) configure(p *endpoint, change func(*Endpoint), reason string) {
	c := *p.cfg
	change(&c)
	p.cfg = &c
	h := Health{Endpoint: c.ID, State: c.State, Reason: reason, FailingSince: c.FailingSince, Noticed: c.Noticed}
	e.health[c.ID] = h
	e.toStore[c.ID] = struct{}{}
	signal(e.toSave)
}

// notice is told when the change it is about was stored. The lock is held.
func (e *Engine) notice(t NoticeType, c *Endpoint, reason string, now time.Time) {
	e.notices = append(e.notices, Notice{Type: t, Endpoint: c.ID, Owner: c.Owner, Reason: reason, Since: c.FailingSince, At: now})
}
