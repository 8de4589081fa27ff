package callback

import (
	"slices"
	"time"
)

// Fresh are rows that this process has just committed, with their bodies. The order of calls for one lane is that of
// its seq. Where other processes write rows too, an older row of the lane may be one of theirs: then the lanes are read,
// else the rows are taken as they are. It does not block.
func (e *Engine) Fresh(rows []Row) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.running {
		return // whoever holds the shard later reads them
	}
	if !e.alone {
		for _, r := range rows {
			if e.shards[ShardOf(r.Endpoint)] != nil {
				e.want(r.Lane)
			}
		}
		return
	}
	e.take(rows)
	e.pump(e.now())
}

// Wake says that lanes (orders) have new rows: what the bus tells of other nodes' commits. It does not block.
func (e *Engine) Wake(lanes ...string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, id := range lanes {
		e.want(id)
	}
}

// Changed says that endpoints have other settings, a new secret for one, or are gone, or were enabled again and have
// rows that wait. It does not block.
func (e *Engine) Changed(endpoints ...string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, id := range endpoints {
		if e.shards[ShardOf(id)] != nil {
			e.wanted.endpoints[id] = struct{}{}
			e.wanted.revived[id] = struct{}{}
		}
	}
	signal(e.toRead)
}

// Acked says that somebody was shown an order's events: what waits for that is called off. It does not block.
func (e *Engine) Acked(a Ack) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.acks.add(a, time.Now())
	now := e.now()
	for _, l := range slices.Clone(e.lanes[a.OrderID]) {
		e.over(l, Acked, l.calledOff(a))
		e.schedule(l, now)
	}
	e.pump(now)
}

// want has a lane read. The lock is held.
func (e *Engine) want(lane string) {
	if e.running {
		e.wanted.lanes[lane] = struct{}{}
		signal(e.toRead)
	}
}

// take adds rows that are stored. The lock is held.
func (e *Engine) take(rows []Row) {
	now := e.now()
	for i := range rows {
		r := &rows[i]
		s := e.shards[ShardOf(r.Endpoint)]
		switch {
		case s == nil || r.Parked:
		case !s.loaded: // an older row of the lane may not be there yet
			s.late = append(s.late, *r)
		default:
			e.add(s, r, now)
		}
	}
}

// bodiesOf is how many lanes of an endpoint may wait with their bodies in memory; those of a longer queue are read when
// their turn comes.
const bodiesOf = 256

// add adds one row. The lock is held.
func (e *Engine) add(s *shard, r *Row, now time.Time) {
	if e.done.has(r) {
		return
	}
	l := e.lane(s, r)
	own := *r
	if len(l.to.lanes) > bodiesOf {
		own.Body = nil
	}
	if !l.insert(&own) {
		return
	}
	e.rows++
	if seq, ok := e.acks.of(r.Lane, r.AckedBy, time.Now()); ok {
		e.over(l, Acked, l.calledOff(Ack{OrderID: r.Lane, Role: r.AckedBy, Seq: seq}))
	}
	e.over(l, Superseded, l.superseded())
	e.schedule(l, now)
}

// lane finds or makes the lane of a row. The lock is held.
func (e *Engine) lane(s *shard, r *Row) *lane {
	p := e.endpoints[r.Endpoint]
	if p == nil {
		p = &endpoint{id: r.Endpoint, shard: s}
		p.bell.who, p.watch.who = p, p
		e.endpoints[r.Endpoint] = p
		e.ask(p)
	}
	for _, l := range e.lanes[r.Lane] {
		if l.to == p {
			return l
		}
	}
	l := &lane{to: p, id: r.Lane, at: len(p.lanes)}
	l.bell.who = l
	p.lanes = append(p.lanes, l)
	e.lanes[r.Lane] = append(e.lanes[r.Lane], l)
	return l
}

// over settles rows that were taken out of a lane without a try. The lock is held.
func (e *Engine) over(l *lane, o Outcome, rows []*Row) {
	for _, r := range rows {
		e.rows--
		e.settle(l.to.shard, Settlement{Key: r.Key, Outcome: o, Before: r.Attempt})
	}
}

// schedule has a lane tried when its first row is due, and forgets a lane without rows. The lock is held.
func (e *Engine) schedule(l *lane, now time.Time) {
	switch {
	case l.busy || l.gone:
	case len(l.rows) == 0:
		e.forget(l)
	case l.rows[0].Due.After(now):
		e.wake(&l.bell, l.rows[0].Due)
	case !l.ready:
		e.bells.unset(&l.bell)
		l.ready = true
		l.to.ready.push(l)
		e.enlist(l.to)
	}
}

// forget takes a lane out. The lock is held.
func (e *Engine) forget(l *lane) {
	l.gone = true
	e.bells.unset(&l.bell)
	p := l.to
	last := len(p.lanes) - 1
	p.lanes[l.at] = p.lanes[last]
	p.lanes[l.at].at = l.at
	p.lanes[last] = nil
	p.lanes = p.lanes[:last]
	p.used = time.Now()
	rest := slices.DeleteFunc(e.lanes[l.id], func(x *lane) bool { return x == l })
	if len(rest) == 0 {
		delete(e.lanes, l.id)
		return
	}
	e.lanes[l.id] = rest
}
