package bus

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"doorbell/orders"
)

// settle sees to it that Redis is in the generation that the database names, and that no other Redis is in it. It
// returns nil once this node goes by that generation, and errAgain where another look has to tell.
//
// Markers are read before the database is asked, and a marker is replaced only if it still is what was read. So a node
// that was slow cannot put an older generation in the place of a newer one, whatever its clock says.
func (r *Redis) settle(ctx context.Context, v view) error {
	k := &r.looking
	if k.settled && !k.lost {
		for i, n := range v.counters {
			k.lost = k.lost || n < v.seen[i]
		}
	}
	other := slices.ContainsFunc(v.markers[:], func(m string) bool { return m != k.cur.ID })
	told := r.told.Load()
	if k.cur.ID != "" && !other && !k.lost && v.run == k.cur.Run && *told == k.cur {
		if k.settled {
			return nil
		}
		k.waited = true
		return r.adopt(ctx, v)
	}
	k.settled = false
	r.using.Store(nil)
	if err := r.learn(ctx, v); err != nil {
		return err
	}
	return r.mark(ctx, v)
}

// askLoop asks the database for the generation, again and again until ctx ends: it may be another without anything having
// happened to Redis, when the database was restored. Apart from the looker, who must not wait for the database.
func (r *Redis) askLoop(ctx context.Context) {
	select {
	case <-r.begun:
	case <-ctx.Done():
		return
	}
	for pause(ctx, askEvery) {
		was := r.told.Load()
		ask, cancel := context.WithTimeout(ctx, storeTimeout)
		g, err := r.store.Generation(ask)
		cancel()
		if err == nil && g != *was && r.told.CompareAndSwap(was, &g) { // else the looker has asked meanwhile
			r.poke()
		}
	}
}

// learn asks the database for the generation, and begins another where that one cannot be used.
func (r *Redis) learn(ctx context.Context, v view) error {
	k := &r.looking
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	g, err := r.store.Generation(ctx)
	if err != nil {
		return fmt.Errorf("read the bus generation: %w", err)
	}
	r.told.Store(&g)
	if g.ID != k.cur.ID {
		k.fresh, k.lost, k.renewed = k.cur.ID != "", false, false
	}
	k.cur = g
	r.accuse(v)
	if !k.spent(v) {
		return nil
	}
	if !k.waited { // whoever began this generation may be about to mark it: many nodes start at once
		k.waited = true
		return errSoon
	}
	if !k.renewals.Allow() {
		return errors.New("the bus generation changes too often: do all nodes reach the same Redis?")
	}
	begun, err := r.store.RenewGeneration(ctx, k.cur.ID, v.run)
	if err != nil {
		return fmt.Errorf("renew the bus generation: %w", err)
	}
	r.log.Info().Str("old", k.cur.ID).Str("new", begun.ID).Msg("a new bus generation begins")
	k.cur, k.fresh, k.lost, k.renewed = begun, true, false, true
	r.told.Store(&begun)
	if begun.Run != v.run {
		return errors.New("another node has begun a bus generation on another Redis: do all nodes reach the same one?")
	}
	return nil
}

// spent reports that the generation of the database cannot be used on what was seen: it was begun on another Redis, or
// Redis has lost of it what somebody may remember.
func (k *looking) spent(v view) bool {
	if k.lost || k.cur.Run != v.run {
		return true
	}
	return slices.ContainsFunc(v.markers[:], func(m string) bool {
		// An older one is there until somebody replaces it. A newer one means that the database went back.
		return m == "" && !k.fresh || m > k.cur.ID
	})
}

// accuse finds out whether another installation goes by the same keys: one marker that the database does not know is
// that of a database which went back, and it is replaced for good. Another one behind it was written by somebody else.
// Which of the two should not be here, nobody here can know: so both go on, and say so.
func (r *Redis) accuse(v view) {
	k, now := &r.looking, time.Now()
	for _, m := range v.markers {
		if m <= k.cur.ID { // or none
			continue
		}
		if k.foreign != "" && k.foreign != m && now.Sub(k.accused) >= sayAgain {
			k.accused = now
			r.log.Error().Str("prefix", r.cfg.Prefix).Str("theirs", m).Str("ours", k.cur.ID).
				Msg("another installation uses this Redis with the same prefix: give each its own --redis-prefix")
		}
		k.foreign = m
		return
	}
}

// mark writes the generation into every partition that named another when it was looked at.
func (r *Redis) mark(ctx context.Context, v view) error {
	k := &r.looking
	ctx, cancel := context.WithTimeout(ctx, 2*ioTimeout)
	defer cancel()
	if err := setMarker.Load(ctx, k.probe).Err(); err != nil {
		return err
	}
	if _, err := k.probe.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, n := range r.name {
			if m := v.markers[i]; m != k.cur.ID {
				p.EvalSha(ctx, setMarker.Hash(), []string{n.marker(), n.counter(m), n.stream(m)}, m, k.cur.ID)
			}
		}
		return nil
	}); err != nil {
		return fmt.Errorf("write the bus generation: %w", err)
	}
	return errAgain // who was faster, if anybody, will be seen
}

// adopt goes over to the generation that Redis was seen to be in: what was known of counters is forgotten, and what may
// have been missed is asked for.
func (r *Redis) adopt(ctx context.Context, v view) error {
	k := &r.looking
	was := r.data.Load()
	now := was
	if was == nil || was.runs != k.cur.Run {
		now = r.dial(k.cur.Run)
	}
	ctx, cancel := context.WithTimeout(ctx, 2*ioTimeout)
	defer cancel()
	if err := loadScripts(ctx, now); err != nil {
		if now != was {
			_ = now.Close()
		}
		return fmt.Errorf("load the bus scripts: %w", err)
	}
	r.data.Store(now)
	for i := range r.in {
		r.in[i].begin(k.cur.ID, v.counters[i])
	}
	r.trail.forget()
	k.counters = v.counters
	k.settled, k.fresh = true, false
	cur := k.cur
	r.using.Store(&cur)
	if was == nil {
		close(r.begun)
	} else if now != was {
		_ = was.Close() // and with it what it subscribed to
		for _, l := range r.links {
			l.drop()
		}
	}
	if was != nil || k.renewed {
		r.again.Store(true)
	}
	r.m.generations.Inc()
	r.m.heals.WithLabelValues(healGeneration).Inc()
	r.log.Info().Str("generation", cur.ID).Msg("the bus goes by a generation")
	r.to.Restaurants()
	r.to.RereadRevocations()
	r.doubt()
	return nil
}

// errOther says that another Redis answers than the one that the generation was begun on.
var errOther = errors.New("another Redis answers")

// dial makes a client that talks to one Redis only: so nothing is read from, or published to, one that was restarted
// from an old file before the looker has noticed.
func (r *Redis) dial(runs string) *client {
	known := strings.Split(runs, ",")
	return &client{runs: runs, UniversalClient: r.at.open(func(ctx context.Context, cn *redis.Conn) error {
		s, err := serverOf(ctx, cn)
		switch {
		case err != nil:
			return err
		case s.sentinel, !s.primary && r.at.kind == cluster: // asked for an address only
			return nil
		case !s.primary:
			err = errReplica
		case !slices.Contains(known, s.run):
			err = errOther
		}
		if err != nil {
			r.poke()
		}
		return err
	})}
}

// generation is what to publish and read with, nil while there is none.
func (r *Redis) generation() *orders.Generation { return r.using.Load() }
