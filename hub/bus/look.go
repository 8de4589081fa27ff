package bus

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
	"golang.org/x/time/rate"

	"doorbell/orders"
)

// How often a node looks whether Redis is what it should be, and whether messages are missing.
const (
	lookEvery  = 500 * time.Millisecond
	askEvery   = 500 * time.Millisecond // the database, whether the generation is still the same
	lookBehind = 100 * time.Millisecond // where a counter runs ahead: what is on its way has come by then
	lookAway   = 250 * time.Millisecond // while Redis or the database cannot be asked
	lookGap    = 20 * time.Millisecond  // at least, however often it is poked
	goodFor    = time.Second            // without a good look: then clients are told that changes may be late
)

// looking is the looker's own: nobody else reads or writes it.
type looking struct {
	probe redis.UniversalClient // any Redis that answers; nil = to be made

	cur     orders.Generation // what this node goes by; ID "" = it has not asked yet
	settled bool              // Redis was seen to be in it
	fresh   bool              // it took the place of another that this node knew: no key of it can have been lost yet
	lost    bool              // counters of it went back: it cannot be used
	renewed bool              // this node began it
	waited  bool              // it may begin one at once

	renewals *rate.Limiter     // so that two nodes that see two primaries do not fight
	counters [partitions]int64 // at the last look
	judged   time.Time         // when it was last judged who is deaf
	saidWhy  string            // what is wrong, as it was last logged
	shut     time.Time         // when it was last logged that Redis lets nobody in
	foreign  string            // the last marker that the database does not know
	accused  time.Time         // when it was last logged that another installation is there
}

// view is what a look found.
type view struct {
	at       time.Time
	seen     [partitions]int64 // what had been received before the counters were read
	markers  [partitions]string
	counters [partitions]int64
	run      string
}

// lookLoop looks until ctx ends.
func (r *Redis) lookLoop(ctx context.Context) {
	r.looking.renewals = rate.NewLimiter(rate.Every(5*time.Second), 5)
	r.health.good = time.Now()
	defer func() {
		if r.looking.probe != nil {
			_ = r.looking.probe.Close()
		}
	}()
	for {
		next := r.look(ctx)
		if !pause(ctx, lookGap) {
			return
		}
		t := time.NewTimer(max(0, next-lookGap))
		select {
		case <-t.C:
		case <-r.wake:
		case <-ctx.Done():
		}
		t.Stop()
		if ctx.Err() != nil {
			return
		}
	}
}

// pause waits, and reports whether ctx goes on.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

var (
	errAgain = errors.New("look again")       // what was not as it should be was put right, perhaps
	errSoon  = errors.New("look a bit later") // somebody else may be putting it right
)

// look looks once, does what is to be done, and returns when to look again.
func (r *Redis) look(ctx context.Context) (next time.Duration) {
	v, err := r.view(ctx)
	if err != nil {
		_ = r.looking.probe.Close() // with the next comes another look-up of the address
		r.looking.probe = nil
	}
	if err == nil {
		err = r.settle(ctx, v)
	}
	switch {
	case ctx.Err() != nil:
		return lookAway
	case errors.Is(err, errAgain):
		return 0
	case errors.Is(err, errSoon):
		return lookBehind
	case err != nil:
		r.say(err)
		r.see(false, false, r.health.late.Load())
		return lookAway
	}
	r.looking.saidWhy, r.looking.shut = "", time.Time{}
	behind := false
	if r.cfg.Receives {
		behind = r.follow(ctx, v)
	}
	r.trail.add(v)
	if r.unread.due(v.at) {
		r.doubt()
	}
	failing := r.doubts.failing.Load()
	late := r.health.late.Load() // before what is pending: its end is a doubt
	r.see(!failing, !failing && !behind && !r.doubts.pending() && r.linked(), late)
	if behind {
		return lookBehind
	}
	if r.health.degraded.Load() {
		return lookAway
	}
	return lookEvery
}

// sayAgain is how often an error is logged that somebody has to put right.
const sayAgain = time.Minute

// lockedOut reports that Redis does not take the user or the password. The words may stand anywhere: Sentinels' errors
// are wrapped.
func lockedOut(err error) bool {
	return slices.ContainsFunc([]string{"WRONGPASS ", "NOAUTH ", "ERR AUTH <password> called without any password"}, func(code string) bool {
		return strings.Contains(err.Error(), code)
	})
}

// say logs what is wrong, once; that Redis lets nobody in, every minute.
func (r *Redis) say(err error) {
	if k := &r.looking; lockedOut(err) {
		if now := time.Now(); k.shut.IsZero() || now.Sub(k.shut) >= sayAgain {
			k.shut = now
			r.log.Error().Err(err).Msg("Redis refuses the user or the password of the Redis URL: mend the URL and start again, or mend Redis' users")
		}
		return
	}
	if why := err.Error(); why != r.looking.saidWhy {
		r.looking.saidWhy = why
		r.log.Warn().Err(err).Msg("the bus is out of order")
	}
}

// view asks Redis for all markers and counters, and which Redis it is.
func (r *Redis) view(ctx context.Context) (v view, err error) {
	k := &r.looking
	if k.probe == nil {
		k.probe = r.at.open(nil)
	}
	v.at = time.Now()
	for i := range r.in {
		v.seen[i] = r.in[i].received(k.cur.ID)
	}
	ctx, cancel := context.WithTimeout(ctx, 2*ioTimeout)
	defer cancel()
	var values [partitions]*redis.SliceCmd
	if _, err = k.probe.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, n := range r.name {
			values[i] = p.MGet(ctx, n.marker(), n.counter(k.cur.ID))
		}
		return nil
	}); err != nil {
		return v, err
	}
	for i, cmd := range values {
		if s, ok := cmd.Val()[0].(string); ok {
			v.markers[i] = s
		}
		if s, ok := cmd.Val()[1].(string); ok {
			v.counters[i], _ = splitNumber(s)
		}
	}
	v.run, err = runOf(ctx, k.probe)
	return v, err
}

// health is whether changes come in time.
type health struct {
	good     time.Time   // the last look that was; the looker's
	away     atomic.Bool // looks fail, or did and not all is made good; the looker's to write
	late     atomic.Bool // what is committed stays unpublished, see lateLoop
	degraded atomic.Bool // one of the two, or the end of them is not made good; the looker's to write
	trouble  trouble
}

// Doubtful reports whether what Redis and this node's memory hold may be old without anybody hearing of it: while
// changes come late, and as long as this node goes by no generation.
func (r *Redis) Doubtful() bool { return r.health.degraded.Load() || r.generation() == nil }

// see notes what a look found: good, that changes come in time; whole, that nothing is missing either; late, that what
// is committed stays unpublished.
func (r *Redis) see(good, whole, late bool) {
	h, now := &r.health, time.Now()
	if good {
		h.good = now
	}
	switch away := h.away.Load(); {
	case !away && now.Sub(h.good) >= goodFor:
		h.away.Store(true)
	case away && whole:
		h.away.Store(false)
	}
	away := h.away.Load()
	switch degraded := h.degraded.Load(); {
	case !degraded && (away || late):
		h.degraded.Store(true)
		r.log.Warn().Bool("away", away).Bool("unpublished", late).Msg("changes of orders may come late until the bus is in order again")
		r.to.Degrade("live updates may be late")
	case degraded && whole && !away && !late:
		h.degraded.Store(false)
		r.log.Info().Msg("the bus is in order again")
		r.to.Recover()
	default:
		return
	}
	// What was cached before may be old unheard, and so may what was cached in the moment of the change.
	r.to.Restaurants()
	r.to.RereadRevocations()
}
