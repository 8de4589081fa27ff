package bus

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	pingEvery   = 500 * time.Millisecond
	silentFor   = 1500 * time.Millisecond // without an answer to pings: the connection is dead
	firstPause  = 20 * time.Millisecond   // before a lost connection is made anew, then doubled
	longPause   = 500 * time.Millisecond
	judgeEvery  = 400 * time.Millisecond
	deafAfter   = 3   // times in a row that counters had moved and nothing had come
	subscribeBy = 512 // channels of one command
)

// canary is published where a node that was deaf wants to know whether it hears. It has no number, so nobody takes it for
// a message.
const canary = "?"

// link is one connection for pub/sub and the partitions that come by it. It reads by itself what comes, since what waits
// for a slow reader in Redis is lost in the end, and so what it calls must not wait.
type link struct {
	r     *Redis
	parts []int
	of    map[string]int // partition by channel

	up     atomic.Bool  // all partitions are subscribed
	joined atomic.Bool  // up since the last look
	heard  atomic.Int64 // messages and canaries so far
	deaf   atomic.Bool  // messages are published, and none comes

	// The looker's:
	lastHeard int64 // heard when it last judged
	moved     bool  // counters have moved since
	silent    int   // times in a row that something should have been heard

	mu       sync.Mutex     // guards the following
	sub      *redis.PubSub  // nil while there is none
	follow   map[string]int // orders whose positions are wanted, by whom how often
	turned   []string       // orders that were added to it or taken off since the last time they were told to Redis
	turnedCh chan struct{}  // capacity 1: turned has something
}

var (
	errSilent       = errors.New("no answer on the connection for pub/sub")
	errResubscribed = errors.New("the connection for pub/sub was lost")
	errMoved        = errors.New("a partition has moved to another node of the Cluster")
)

// makeLinks makes what is needed: in a Cluster SSUBSCRIBE takes channels of one hash tag only.
func (r *Redis) makeLinks() {
	add := func(parts ...int) {
		l := &link{r: r, parts: parts, of: map[string]int{}, follow: map[string]int{}, turnedCh: make(chan struct{}, 1)}
		for _, i := range parts {
			l.of[r.name[i].channel()] = i
		}
		r.links = append(r.links, l)
	}
	var all []int
	for i := range partitions {
		if all = append(all, i); r.at.kind == cluster {
			add(i)
		}
	}
	if r.at.kind != cluster {
		add(all...)
	}
}

// linkOf is the link that a partition comes by.
func (r *Redis) linkOf(partition int) *link {
	if len(r.links) == 1 {
		return r.links[0]
	}
	return r.links[partition]
}

// linked reports whether everything that should be subscribed is.
func (r *Redis) linked() bool {
	for _, l := range r.links {
		if r.cfg.Receives && !l.up.Load() {
			return false
		}
	}
	return true
}

// run listens until ctx ends, on one connection after another.
func (l *link) run(ctx context.Context) {
	select {
	case <-l.r.begun:
	case <-ctx.Done():
		return
	}
	wait := firstPause
	for ctx.Err() == nil {
		err := l.listen(ctx, l.r.data.Load())
		if l.up.Swap(false) {
			wait = firstPause
			if ctx.Err() == nil {
				l.r.log.Debug().Err(err).Int("partitions", len(l.parts)).Msg("the connection for pub/sub ended")
			}
		}
		pause(ctx, wait)
		wait = min(2*wait, longPause)
	}
}

// listen makes a connection and reads it to its end. The library would make another by itself, but what was missed
// between the two is ours to find out, and only another look-up of the address leads away from a server that was left
// behind.
func (l *link) listen(ctx context.Context, c *client) error {
	if all, ok := c.UniversalClient.(*redis.ClusterClient); ok {
		all.ReloadState(ctx)
	}
	sub := c.Subscribe(ctx) // to nothing: not connected yet
	l.mu.Lock()
	l.sub = sub
	l.turned = nil
	channels := make([]string, 0, len(l.parts)+len(l.follow))
	for _, i := range l.parts {
		channels = append(channels, l.r.name[i].channel())
	}
	for id := range l.follow {
		channels = append(channels, l.positions(id))
	}
	l.mu.Unlock()
	var keeper sync.WaitGroup
	defer keeper.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { _ = sub.Close() })
	defer stop()
	defer func() { _ = sub.Close() }()

	if err := l.subscribe(ctx, sub, channels); err != nil {
		return err
	}
	keeper.Go(func() { l.keep(ctx, sub) })
	confirmed := make([]bool, partitions)
	missing := len(l.parts)
	for {
		got, err := sub.ReceiveTimeout(ctx, silentFor)
		if err != nil {
			if isTimeout(err) {
				err = errSilent
			}
			return err
		}
		switch got := got.(type) {
		case *redis.Message:
			l.message(ctx, got)
		case *redis.Subscription:
			i, ours := l.of[got.Channel]
			switch {
			case !ours:
			case strings.HasSuffix(got.Kind, "unsubscribe"):
				return errMoved
			case confirmed[i]:
				return errResubscribed
			default:
				confirmed[i] = true
				if missing--; missing == 0 {
					l.up.Store(true)
					l.joined.Store(true)
					l.r.poke()
				}
			}
		}
	}
}

func isTimeout(err error) bool {
	var t interface{ Timeout() bool }
	return errors.As(err, &t) && t.Timeout()
}

// message hands on what came.
func (l *link) message(ctx context.Context, m *redis.Message) {
	i, ok := l.of[m.Channel]
	if !ok {
		l.position(m)
		return
	}
	l.heard.Add(1)
	if m.Payload != canary {
		l.r.take(ctx, i, m.Payload)
	}
}

func (l *link) subscribe(ctx context.Context, sub *redis.PubSub, channels []string) error {
	for len(channels) > 0 {
		n := min(len(channels), subscribeBy)
		err := error(nil)
		if l.r.at.kind == cluster {
			err = sub.SSubscribe(ctx, channels[:n]...)
		} else {
			err = sub.Subscribe(ctx, channels[:n]...)
		}
		if err != nil {
			return err
		}
		channels = channels[n:]
	}
	return nil
}

// keep pings, so that a dead connection shows, and subscribes to positions as they are wanted. What fails here ends the
// reading too.
func (l *link) keep(ctx context.Context, sub *redis.PubSub) {
	t := time.NewTicker(pingEvery)
	defer t.Stop()
	for {
		var err error
		select {
		case <-t.C:
			err = sub.Ping(ctx)
		case <-l.turnedCh:
			err = l.turn(ctx, sub)
		case <-ctx.Done():
			return
		}
		if err != nil {
			_ = sub.Close()
			return
		}
	}
}

// drop ends the connection; another is made.
func (l *link) drop() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.sub != nil {
		_ = l.sub.Close()
	}
}

// follow compares what came with the counters of a look, has read what is missing, and finds out who is deaf. It reports
// whether anything is missing.
func (r *Redis) follow(ctx context.Context, v view) (behind bool) {
	k := &r.looking
	judge := v.at.Sub(k.judged) >= judgeEvery // looks come faster where something is missing
	if judge {
		k.judged = v.at
	}
	for _, l := range r.links {
		reason := healBehind
		if l.joined.Swap(false) || !l.up.Load() {
			reason = healReconnect
		}
		for _, i := range l.parts {
			l.moved = l.moved || v.counters[i] > k.counters[i]
			behind = r.in[i].look(ctx, r, i, k.cur.ID, v.counters[i], reason) || behind
		}
		if judge {
			l.judge()
		}
		if l.deaf.Load() {
			l.sing(ctx)
		}
	}
	k.counters = v.counters
	return behind
}

// judge finds out whether the link hears. Nothing to be heard says nothing.
func (l *link) judge() {
	heard := l.heard.Load()
	switch {
	case heard != l.lastHeard:
		l.silent = 0
		if l.deaf.Swap(false) {
			l.r.log.Info().Msg("this node hears again what Redis publishes")
		}
	case l.moved:
		l.silent++
	}
	l.lastHeard, l.moved = heard, false
	if l.silent < deafAfter {
		return
	}
	l.silent = 0
	if !l.deaf.Swap(true) {
		l.r.log.Error().Msg("this node does not hear what Redis publishes, though Redis answers")
	}
	l.drop()
}

// sing publishes a canary to all, this node too.
func (l *link) sing(ctx context.Context) {
	c, channel := l.r.data.Load(), l.r.name[l.parts[0]].channel()
	if l.r.at.kind == cluster {
		c.SPublish(ctx, channel, canary)
	} else {
		c.Publish(ctx, channel, canary)
	}
}

func itoa(n int64) string { return strconv.FormatInt(n, 10) }
