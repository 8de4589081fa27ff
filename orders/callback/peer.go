package callback

import (
	"context"
	"net/url"
	"time"

	"golang.org/x/time/rate"
)

// endpoint is what the engine knows of an endpoint with something to send. The engine's lock guards all of it.
type endpoint struct {
	id     string
	shard  *shard
	cfg    *Endpoint // nil until it was read
	read   time.Time // when
	asked  bool      // it is being read
	origin *origin   // nil until cfg was read
	url    *url.URL  // of cfg
	status *url.URL  // of cfg, for KindStatus

	lanes    []*lane
	ready    fifo[*lane] // whose first row is due
	inTurn   bool        // it stands in the ring, at its origin or with those in trouble
	inFlight int
	progress time.Time // of the last end of a try, or since when tries are under way
	tried    bool      // a try has ended
	lastOK   bool      // the last one found a receiver that works
	trouble  bool      // its tries count against the share of those in trouble
	breaker  breaker
	hold     time.Time // nothing before: an answer's Retry-After
	lastFail time.Time
	used     time.Time // something was sent or waited
	removed  bool      // the engine has let go of it
	bell     alarm     // a pause is over
	watch    alarm     // to see whether it hangs, while tries are under way
}

// origin is a scheme, host and port, which several endpoints may share. The engine's lock guards it.
type origin struct {
	name      string
	proven    bool // it has answered 2xx once
	endpoints int  // known endpoints that lead there
	inFlight  int
	waiting   fifo[*endpoint] // that would have a turn but for this origin
	limit     *rate.Limiter   // until it is proven
	bell      alarm
}

// shard is one part of the endpoints, while this node holds it. The engine's lock guards it.
type shard struct {
	n        int
	loaded   bool  // all that waits is known
	late     []Row // what was committed while it was loaded
	leaving  bool  // to be given back: nothing begins
	inFlight int
	unsaved  int             // settlements that are not stored
	ctx      context.Context // of its tries
	drop     func()          // ends ctx: this node lets go of it
}

func newShard(n int) *shard {
	s := &shard{n: n}
	s.ctx, s.drop = context.WithCancel(context.Background())
	return s
}

// stuckAfter is how long an endpoint's tries may go without one of them ending before it counts as being in trouble.
const stuckAfter = time.Second

// well reports whether the last try found a receiver that works; before the first, whether its origin ever did.
func (p *endpoint) well() bool {
	if p.tried {
		return p.lastOK
	}
	return p.origin != nil && p.origin.proven
}

// troubled reports whether an endpoint fails or hangs.
func (p *endpoint) troubled(now time.Time) bool {
	return !p.well() || p.inFlight > 0 && now.Sub(p.progress) >= stuckAfter
}

// cap is how many tries may be under way: a few until it is known that they are answered.
func (p *endpoint) cap(usual int) int {
	most := usual
	if p.cfg.Cap > 0 {
		most = p.cfg.Cap
	}
	switch {
	case p.breaker.state == breakerHalf:
		return 1
	case !p.well():
		return min(slowStart, most)
	}
	return most
}

// slowStart is the cap of an endpoint that failed at last, or of which nothing good is known.
const slowStart = 2

// ring implements [ringer].
func (p *endpoint) ring(e *Engine, now time.Time) {
	e.mark(p, now)
	e.enlist(p)
	e.look(p, now)
}

// look has an endpoint with tries under way looked at when it would count as hanging. The lock is held.
func (e *Engine) look(p *endpoint, now time.Time) {
	if at := p.progress.Add(stuckAfter); p.inFlight > 0 && p.watch.pos == 0 && at.After(now) {
		e.wake(&p.watch, at)
	}
}

// ring implements [ringer]: one more may try an origin that is not proven yet.
func (o *origin) ring(e *Engine, now time.Time) {
	e.release(o)
	if o.waiting.len() > 0 && !o.proven {
		e.wake(&o.bell, now.Add(provingEvery))
	}
}
