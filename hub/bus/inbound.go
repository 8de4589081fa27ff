package bus

import (
	"context"
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	healPage = 256 // entries of a stream that are read at a time
	maxHeld  = 512 // messages of a partition that wait for an older one; what comes then is read from the stream
)

// inbound is how far one partition has been received. It is held while a message is delivered, so those of a partition
// come one at a time and in order.
type inbound struct {
	mu      sync.Mutex // guards the following
	gen     string     // "" = none yet
	seen    int64      // everything up to here was delivered, or will be found by comparing
	behind  int64      // what the counter was when it was found ahead of seen; 0 = it was not
	healing bool       // somebody reads the stream; what comes waits in held
	held    []message  // in order, all above seen
}

type message struct {
	n    int64
	head head
	rest string // behind the head
}

func parseMessage(n int64, s string) message {
	r := reader{s: s}
	m := message{n: n, head: r.head()}
	m.rest = r.s
	return m
}

// begin forgets what was received and goes on behind n of another generation.
func (p *inbound) begin(gen string, n int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.gen, p.seen, p.behind, p.healing, p.held = gen, n, 0, false, nil
}

// received is how far a generation was received, 0 where another is.
func (p *inbound) received(gen string) int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.gen != gen {
		return 0
	}
	return p.seen
}

// take is handed every message that comes by a channel.
func (r *Redis) take(ctx context.Context, i int, payload string) {
	n, rest := splitNumber(payload)
	m := parseMessage(n, rest)
	p := &r.in[i]
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case m.head.gen != p.gen: // from before this node's generation, or behind it
		r.poke()
	case n <= p.seen:
		r.m.repeated.Inc()
	case p.healing:
		if len(p.held) < maxHeld {
			p.held = append(p.held, m)
		}
	case n == p.seen+1:
		p.seen = n
		r.deliver(m)
	default:
		p.held = append(p.held, m)
		r.heal(ctx, i, healGap)
	}
}

// heal has a partition read again. Called with p.mu held.
func (r *Redis) heal(ctx context.Context, i int, reason string) {
	p := &r.in[i]
	gen := p.gen
	if p.healing = r.workers.run(func() { r.readAgain(ctx, i, gen) }); p.healing {
		r.m.heals.WithLabelValues(reason).Inc()
	}
}

// readAgain reads a partition's stream from what was seen up to what waits or, where nothing waits, its end. What cannot
// be read now stays missing, and the next look finds it behind.
func (r *Redis) readAgain(ctx context.Context, i int, gen string) {
	p := &r.in[i]
	for idle := 0; ; {
		after := p.received(gen)
		entries, top, err := r.readStream(ctx, i, gen, after)
		p.mu.Lock()
		if p.gen != gen {
			p.mu.Unlock()
			return
		}
		if err != nil {
			p.healing, p.held = false, nil
			p.mu.Unlock()
			return
		}
		more := len(entries) == healPage
		for _, m := range entries {
			r.next(i, m)
		}
		if !more {
			r.skip(i, top)
		}
		for len(p.held) > 0 && p.held[0].n <= p.seen+1 {
			r.next(i, p.held[0])
			p.held = p.held[1:]
		}
		if !more && len(p.held) == 0 {
			p.healing, p.held, p.behind = false, nil, 0
			p.mu.Unlock()
			return
		}
		// Once, what waits may have been published behind the reading. Then the stream has lost what is missing, and the
		// counter with it: the next look knows what to do.
		if idle++; p.seen > after {
			idle = 0
		}
		if idle == 2 {
			p.healing, p.held = false, nil
			p.mu.Unlock()
			r.poke()
			return
		}
		p.mu.Unlock()
	}
}

// next delivers a message that was read from a stream or waited for it. Called with the partition held.
func (r *Redis) next(i int, m message) {
	p := &r.in[i]
	if m.n <= p.seen {
		return
	}
	r.skip(i, m.n-1)
	p.seen = m.n
	r.deliver(m)
}

// skip gives up what is missing up to n, and has it found by comparing. Called with the partition held.
func (r *Redis) skip(i int, n int64) {
	p := &r.in[i]
	if n <= p.seen {
		return
	}
	p.seen = n
	r.m.heals.WithLabelValues(healShort).Inc()
	if i == notices {
		r.to.Restaurants()
		r.to.RereadRevocations()
		return
	}
	r.doubt()
}

// readStream reads what stands behind a message, at most healPage of it, and what the counter was before.
func (r *Redis) readStream(ctx context.Context, i int, gen string, after int64) (out []message, top int64, err error) {
	c := r.data.Load()
	if c == nil {
		return nil, 0, errOther
	}
	ctx, cancel := context.WithTimeout(ctx, 2*ioTimeout)
	defer cancel()
	var counter *redis.StringCmd
	var entries *redis.XMessageSliceCmd
	_, err = c.Pipelined(ctx, func(p redis.Pipeliner) error {
		counter = p.Get(ctx, r.name[i].counter(gen))
		entries = p.XRangeN(ctx, r.name[i].stream(gen), "("+itoa(after)+"-0", "+", healPage)
		return nil
	})
	if err != nil && err != redis.Nil { // Nil: it has never counted
		return nil, 0, err
	}
	top, _ = splitNumber(counter.Val())
	for _, e := range entries.Val() {
		id, _, _ := strings.Cut(e.ID, "-")
		n, _ := splitNumber(id)
		text, _ := e.Values["d"].(string)
		if m := parseMessage(n, text); m.head.gen == gen {
			out = append(out, m)
		}
	}
	return out, top, nil
}

// look compares with the counter of a look, and has the partition read where something is missing: at the second look,
// since at the first it may be on its way, or with reason healReconnect at once. It reports whether anything is missing.
func (p *inbound) look(ctx context.Context, r *Redis, i int, gen string, counter int64, reason string) (behind bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.gen != gen:
		return true
	case p.seen >= counter:
		p.behind = 0
		return p.healing
	case p.healing:
	case reason == healReconnect, p.behind > 0 && p.seen < p.behind:
		p.behind = 0
		r.heal(ctx, i, reason)
	case p.behind == 0 || p.seen >= p.behind:
		p.behind = counter
	}
	return true
}

// deliver hands a message to the node. Called with its partition held.
func (r *Redis) deliver(m message) {
	r.m.received.Inc()
	at := r.sentAt(m.head)
	b := reader{s: m.rest}
	switch m.head.kind {
	case kindOrder:
		c, wanted, err := b.change(r.wants)
		switch {
		case err != nil:
			r.unreadable(err)
		case wanted:
			c.At = at
			r.to.Deliver(c)
		}
		return
	case kindRestaurant:
		if id, version := b.text(), b.varint(); !b.bad {
			if version != math.MaxInt64 {
				r.floors.raise(id, version)
			}
			r.to.Restaurant(id, version)
			return
		}
	case kindRevocation:
		if sub, until := b.text(), b.moment(); !b.bad {
			r.to.Revoked(sub, until)
			return
		}
	default:
		r.unknown(m.head.kind)
		return
	}
	r.unreadable(errMessage)
}

// unreadable asks the database for what a message would have told.
func (r *Redis) unreadable(err error) {
	r.m.unreadable.Inc()
	r.log.Warn().Err(err).Msg("asking the database instead")
	r.to.Restaurants()
	r.to.RereadRevocations()
	r.doubt()
}

// unknownEvery is how often the database is asked for what messages of unknown kinds would have told: a later version of
// the program may send as many of them as it likes.
const unknownEvery = time.Minute

// unknown is for a message of a kind that only another version of the program knows.
func (r *Redis) unknown(kind byte) {
	r.m.unreadable.Inc()
	if r.unread.note(kind) {
		r.log.Warn().Uint8("message_kind", kind).Msg("a message of an unknown kind came, as from another version of the program: asking the database instead, once a minute")
		r.poke()
	}
}

// unread is messages of unknown kinds.
type unread struct {
	some atomic.Bool // since the database was last asked
	mu   sync.Mutex  // guards the following
	said [256]bool   // kinds that were logged

	asked time.Time // when the database was last asked; the looker's
}

// note notes that one came, and reports whether it is the first of its kind.
func (u *unread) note(kind byte) (first bool) {
	u.some.Store(true)
	u.mu.Lock()
	defer u.mu.Unlock()
	first, u.said[kind] = !u.said[kind], true
	return first
}

// due reports whether the database is to be asked now.
func (u *unread) due(now time.Time) bool {
	if !u.some.Load() || !u.asked.IsZero() && now.Sub(u.asked) < unknownEvery {
		return false
	}
	u.asked = now
	return u.some.Swap(false)
}

// clocksApart is more than a message takes: a stamp that old says that the clocks differ.
const clocksApart = time.Minute

// sentAt is when a message was committed, by this machine's clock as far as the two clocks agree: never later than now.
func (r *Redis) sentAt(h head) time.Time {
	now := time.Now()
	lag := now.UnixMicro() - h.at
	if lag < 0 || lag > clocksApart.Microseconds() {
		lag = 0
	}
	late := time.Duration(lag) * time.Microsecond
	r.m.lag.Observe(late.Seconds())
	return now.Add(-late)
}
