package callback

import (
	"context"
	"net/url"
	"time"

	"doorbell/orders"
)

// try is one try under way. Nothing in it changes.
type try struct {
	lane  *lane
	row   *Row      // the lane's; read and written under the lock only
	snap  Row       // as it was when the try began
	cfg   *Endpoint // as it was then
	url   *url.URL
	at    time.Time // the store's clock
	began time.Time // ours
}

// bodyTime bounds the read of a body.
const bodyTime = 5 * time.Second

// ownPause is how long a callback waits after a fault of our own, which costs no try.
const ownPause = time.Second

// try makes one try and notes how it ended. It runs in a goroutine of its own.
func (e *Engine) try(t try) {
	defer e.tries.Done()
	ctx := t.lane.to.shard.ctx
	body, err := e.body(ctx, &t)
	switch {
	case orders.KindOf(err) == orders.NotFound:
		e.finish(&t, nil, &verdict{outcome: Gone, alive: true})
		return
	case err != nil:
		e.cfg.Log.Warn().Err(err).Str("kind", string(orders.KindOf(err))).Msg("callback's body not read, tried again")
		e.finish(&t, nil, &verdict{outcome: Deferred, due: t.at.Add(ownPause), alive: true})
		return
	}
	a := e.cfg.Client.Send(ctx, Request{
		URL: t.url, ID: t.snap.MessageID(), Body: body, Secrets: t.cfg.Signing.secrets(t.at), At: t.at,
	})
	if ctx.Err() != nil && a.Status == 0 {
		e.finish(&t, nil, nil) // we let go of it
		return
	}
	a.Timings.Wait = max(0, t.at.Sub(t.snap.Due))
	e.finish(&t, &a, nil)
}

// body is what the row is sent with.
func (e *Engine) body(ctx context.Context, t *try) ([]byte, error) {
	body := t.snap.Body
	if body == nil {
		ctx, cancel := context.WithTimeout(ctx, bodyTime)
		defer cancel()
		var err error
		if body, err = e.store.Body(ctx, t.snap.Key); err != nil {
			return nil, err
		}
	}
	if t.snap.Kind == KindStatus {
		return StatusBody(body)
	}
	return body, nil
}

// finish notes how a try ended: with an answer, with a verdict without one, or, both nil, not at all.
func (e *Engine) finish(t *try, a *Answer, v *verdict) {
	e.mu.Lock()
	defer e.mu.Unlock()
	l, p, now := t.lane, t.lane.to, e.now()
	e.ended(p, now)
	l.busy = false
	if a != nil {
		j := judge(a, &t.snap, now, e.chance())
		v = &j
		e.metrics.tried(a, t, v)
		if l.acked && (v.outcome == Again || v.outcome == Deferred) {
			v.outcome = Acked
		}
		e.cfg.Log.Debug().Str("endpoint", p.id).Str("lane", l.id).Int64("seq", t.snap.Seq).Str("outcome", string(v.outcome)).
			Int("status", a.Status).Str("stage", string(a.Stage)).AnErr("cause", a.Cause).
			Int64("took_ms", a.Timings.Total.Milliseconds()).Msg("callback tried")
	}
	if v != nil {
		e.conclude(t, a, v)
	}
	if a != nil {
		e.learn(p, a, v, now)
	}
	if !l.gone {
		e.over(l, Superseded, l.superseded())
		e.schedule(l, now)
	}
	e.enlist(p)
	if p.trouble {
		e.untrouble()
	}
	e.release(p.origin)
	e.pump(now)
}

// ended takes a try out of all counts. The lock is held.
func (e *Engine) ended(p *endpoint, now time.Time) {
	p.inFlight--
	p.origin.inFlight--
	p.shard.inFlight--
	e.inFlight--
	if p.trouble {
		e.trouble--
	}
	p.progress, p.used = now, time.Now()
	e.look(p, now)
}

// conclude does to the row what the verdict says. The lock is held.
func (e *Engine) conclude(t *try, a *Answer, v *verdict) {
	l, r := t.lane, t.row
	s := Settlement{Key: r.Key, Outcome: v.outcome, Before: t.snap.Attempt, Attempt: t.snap.Attempt, Due: v.due}
	if v.outcome == Again {
		s.Attempt++
	}
	if a != nil {
		s.Try = &Try{At: t.at, Outcome: v.outcome, Answer: *a}
	}
	if l.gone {
		if v.outcome == Delivered { // true whoever holds the row now
			e.settle(l.to.shard, s)
		}
		return
	}
	if a == nil && s.waits() { // a fault of ours is not worth storing
		r.Due = v.due
		return
	}
	if s.waits() {
		r.Attempt, r.Due, r.Body = s.Attempt, s.Due, nil // read again: what waits long must not hold bodies
	} else {
		l.rows = l.rows[1:]
		e.rows--
	}
	e.settle(l.to.shard, s)
}
