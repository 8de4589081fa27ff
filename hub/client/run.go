package client

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/coder/websocket"

	"doorbell/orders"
)

// run is one call of Run: a loop that owns everything below, and the goroutines it waits for at its end.
type run struct {
	c    *Client
	ctx  context.Context
	stop context.CancelFunc
	dialer

	topics map[string]*topic
	acks   map[string]ack // by order id, to be sent

	cur  *link // the socket; nil = none
	next *link // the socket we move to; nil unless there is a cur

	dialing bool      // a dial is under way
	dialAt  time.Time // when the next one is; zero = none
	attempt int       // how many pauses were taken since all was well
	reauth  bool      // a refused token was answered with a new one at once, since all was well

	tokenMu sync.Mutex    // one call of Config.Token at a time
	in      chan incoming // unbuffered: a socket is read as fast as Handle takes it
	dialed  chan outcome  // capacity 1
	renewed chan renewal  // capacity 2: each socket fetches one token at a time
	wg      sync.WaitGroup
}

// outcome is how a dial ended.
type outcome struct {
	link    *link
	failure failure
}

// renewal is a fresh token for a socket.
type renewal struct {
	link  *link
	token string
	err   error
}

// Moving to another socket.
const (
	moveTimeout = 10 * time.Second // for the new socket to answer for every topic
	movePause   = 2 * time.Second  // the longest pause between attempts: the old socket has 10 s left
)

func newRun(ctx context.Context, c *Client, to string) *run {
	r := &run{
		c: c, topics: map[string]*topic{}, acks: map[string]ack{}, in: make(chan incoming),
		dialed: make(chan outcome, 1), renewed: make(chan renewal, 2), dialAt: time.Now(),
	}
	r.ctx, r.stop = context.WithCancel(ctx)
	r.dialer = dialer{url: to, http: c.cfg.HTTPClient, now: c.cfg.Now, token: r.fetchToken}
	if r.http == nil {
		r.http = ownHTTPClient()
	}
	return r
}

func (r *run) fetchToken(ctx context.Context) (string, error) {
	r.tokenMu.Lock()
	defer r.tokenMu.Unlock()
	return r.c.cfg.Token(ctx)
}

// end closes what is open and waits for every goroutine.
func (r *run) end() {
	r.stop()
	for _, l := range []*link{r.cur, r.next} {
		if l != nil {
			r.bye(l, websocket.StatusNormalClosure, "")
		}
	}
	r.wg.Wait()
	select {
	case d := <-r.dialed:
		if d.link != nil {
			d.link.abort()
			_ = d.link.conn.CloseNow()
		}
	default:
	}
	if r.c.cfg.HTTPClient == nil {
		r.http.CloseIdleConnections()
	}
	for _, t := range r.topics {
		r.c.remember(t)
	}
}

// loop turns until ctx ends or coming back is of no use. Everything happens in it, one thing at a time.
func (r *run) loop() error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for r.ctx.Err() == nil {
		r.sync()
		r.moved()
		now := time.Now()
		if err := r.due(now); err != nil {
			return err
		}
		toCur, fromCur := r.offer(r.cur, now)
		toNext, fromNext := r.offer(r.next, now)
		timer.Reset(time.Until(r.deadline(now)))
		var err error
		select {
		case <-r.ctx.Done():
		case <-timer.C:
		case <-r.c.wake:
		case toCur <- fromCur:
			r.cur.head = nil
		case toNext <- fromNext:
			r.next.head = nil
		case in := <-r.in:
			err = r.receive(in)
		case d := <-r.dialed:
			err = r.connected(d)
		case t := <-r.renewed:
			r.takeToken(t)
		}
		if err != nil && r.ctx.Err() == nil {
			return err
		}
	}
	return nil
}

// due does what the clock asks for.
func (r *run) due(now time.Time) error {
	if r.mayDial() && !r.dialAt.IsZero() && !now.Before(r.dialAt) {
		r.dialing, r.dialAt = true, time.Time{}
		r.wg.Go(func() {
			l, f := r.dial(r.ctx)
			r.dialed <- outcome{l, f}
		})
	}
	for _, l := range []*link{r.cur, r.next} {
		if l == nil || l != r.cur && l != r.next {
			continue
		}
		if why := l.silent(now); why != "" {
			if err := r.lost(l, failure{err: orders.Errorf(orders.Unavailable, "%s", why)}); err != nil {
				return err
			}
			continue
		}
		if !l.renewAt.IsZero() && !now.Before(l.renewAt) {
			l.renewAt = time.Time{}
			r.wg.Go(func() {
				t, err := r.fetchToken(r.ctx)
				select {
				case r.renewed <- renewal{l, t, err}:
				case <-l.quit:
				}
			})
		}
		for _, w := range l.on {
			if !w.again.IsZero() && !now.Before(w.again) {
				w.again, l.dirty = time.Time{}, true
			}
		}
	}
	return nil
}

// silent asks a socket for a sign of life that gave none for a while, and says what is wrong with one that does not
// answer, "" = nothing.
func (l *link) silent(now time.Time) (why string) {
	heard := time.Unix(0, l.heard.Load())
	switch {
	case l.session == "" && now.Sub(l.since) >= helloTimeout:
		return "the hub did not say hello"
	case !l.answerBy.IsZero() && !now.Before(l.answerBy):
		return "the hub did not answer for every topic"
	case !l.pinging.IsZero() && !heard.Before(l.pinging):
		l.pinging = time.Time{}
	case !l.pinging.IsZero() && now.Sub(l.pinging) >= pongTimeout:
		return "no sign of life"
	}
	if l.pinging.IsZero() && now.Sub(heard) >= l.heartbeat+pingGrace {
		l.pinging, l.ping = now, true
	}
	return ""
}

// deadline is when the clock asks for something next.
func (r *run) deadline(now time.Time) time.Time {
	at := now.Add(time.Hour)
	until := func(t time.Time) {
		if !t.IsZero() && t.Before(at) {
			at = t
		}
	}
	if r.mayDial() {
		until(r.dialAt)
	}
	for _, a := range r.acks {
		if a.after.After(now) {
			until(a.after)
		}
	}
	for _, l := range []*link{r.cur, r.next} {
		if l == nil {
			continue
		}
		if l.session == "" {
			until(l.since.Add(helloTimeout))
		}
		until(l.answerBy)
		until(l.renewAt)
		if l.pinging.IsZero() {
			until(time.Unix(0, l.heard.Load()).Add(l.heartbeat + pingGrace))
		} else {
			until(l.pinging.Add(pongTimeout))
		}
		for _, w := range l.on {
			until(w.again)
		}
	}
	return at
}

// mayDial reports whether there is room for another socket: there is one, and one more while moving.
func (r *run) mayDial() bool { return !r.dialing && r.next == nil }

// connected takes a new socket, or the news that there is none.
func (r *run) connected(d outcome) error {
	r.dialing = false
	l := d.link
	if l == nil {
		return r.failed(d.failure)
	}
	r.wg.Go(func() { l.read(r.in) })
	r.wg.Go(l.write)
	if r.cur == nil {
		r.cur = l
	} else {
		r.next = l
		l.answerBy = time.Now().Add(moveTimeout)
	}
	return nil
}

// failed plans the next attempt after one that failed or a socket that was lost.
func (r *run) failed(f failure) error {
	log := r.c.cfg.Log
	if r.cur != nil { // we were to move and stay for now
		wait := min(r.pause(f), movePause)
		r.dialAt = time.Now().Add(wait)
		log.Warn().Err(f.err).Int64("retry_ms", wait.Milliseconds()).Msg("move failed")
		return nil
	}
	if f.permanent {
		return f.err
	}
	var wait time.Duration
	if f.reauth && !r.reauth {
		r.reauth = true
	} else {
		wait = r.pause(f)
	}
	r.dialAt = time.Now().Add(wait)
	log.Warn().Err(f.err).Str("kind", string(orders.KindOf(f.err))).Int64("retry_ms", wait.Milliseconds()).Msg("disconnected")
	r.tell(nil, Disconnected{f.err, wait})
	return nil
}

// slowCap is the least cap of a pause where the hub asked for one without saying how long.
const slowCap = time.Second

// pause is how long to wait before the next attempt: at random between 0 and a cap that doubles, so that those who were
// cut off together do not come back together. Retry-After comes before it.
func (r *run) pause(f failure) time.Duration {
	limit := r.c.cfg.MinBackoff << min(r.attempt, 30)
	if limit <= 0 || limit > r.c.cfg.MaxBackoff {
		limit = r.c.cfg.MaxBackoff
	}
	r.attempt++
	if f.slow && f.after == 0 {
		limit = max(limit, min(slowCap, r.c.cfg.MaxBackoff))
	}
	return f.after + rand.N(limit+1)
}

// healthy notes that a socket lived long enough to forget what was before it.
func (r *run) healthy(l *link) {
	if time.Since(l.since) >= r.c.cfg.MaxBackoff {
		r.attempt, r.reauth = 0, false
	}
}

// lost handles the end of a socket.
func (r *run) lost(l *link, f failure) error {
	r.drop(l)
	r.takeBack(l)
	r.healthy(l)
	if l == r.next {
		r.next = nil
		r.stay()
		return r.failed(f)
	}
	r.cur = nil
	if f.permanent {
		return f.err
	}
	if n := r.next; n != nil { // the move comes early
		r.cur, r.next, n.answerBy = n, nil, time.Time{}
		if n.dirty = true; n.session != "" {
			r.tell(nil, Connected{n.session})
		} else {
			r.tell(nil, Disconnected{f.err, 0})
		}
		return nil
	}
	if r.dialing { // as does this one
		r.tell(nil, Disconnected{f.err, 0})
		return nil
	}
	return r.failed(f)
}

// stay takes back what was handed over to a socket that failed.
func (r *run) stay() {
	l := r.cur
	for _, w := range l.on {
		if w.deaf {
			w.renew()
		}
	}
	l.dirty = true
}

// moved leaves the old socket once the new one has answered for every topic.
func (r *run) moved() {
	n := r.next
	if n == nil || n.session == "" {
		return
	}
	for name := range r.topics {
		if w := n.on[name]; w == nil || !w.answered {
			return
		}
	}
	old := r.cur
	r.takeBack(old)
	r.healthy(old)
	r.bye(old, websocket.StatusNormalClosure, "")
	r.cur, r.next, n.answerBy = n, nil, time.Time{}
	r.c.cfg.Log.Info().Str("from", old.session).Str("session", n.session).Msg("moved")
	r.tell(nil, Connected{n.session})
}

// goaway plans the move that the hub asks for. A socket that was sent away as soon as it had come is not followed by
// the next one at once: it would come to the same node.
func (r *run) goaway(l *link, wait time.Duration) {
	r.healthy(l)
	if wait <= 0 && time.Since(l.since) < r.c.cfg.MaxBackoff {
		wait = min(r.pause(failure{}), movePause)
	}
	at := time.Now().Add(wait)
	if r.mayDial() && (r.dialAt.IsZero() || at.Before(r.dialAt)) || r.next == l {
		r.dialAt = at // of the socket we move to: once we have moved
	}
}

// takeToken sends a fresh token on the socket it is for.
func (r *run) takeToken(t renewal) {
	l := t.link
	if l != r.cur && l != r.next {
		return
	}
	if t.err != nil {
		r.c.cfg.Log.Warn().Err(t.err).Msg("no fresh token")
		r.renewLater(l)
		return
	}
	if l.offered = expiry(t.token); !l.offered.IsZero() && !l.offered.After(l.expires) {
		r.renewLater(l) // the same again: there may be a newer one later
		return
	}
	l.token = t.token
}

// renewLater tries again when half of what is left has passed.
func (r *run) renewLater(l *link) {
	left := l.expires.Sub(r.now())
	if left <= 0 {
		return // the hub will end the socket, and the next one begins with a new token
	}
	l.renewAt = time.Now().Add(max(left/2, renewAgain))
}

// tokenTaken notes the hub's answer to a fresh token.
func (r *run) tokenTaken(l *link, ok bool) {
	if l.tokenID = 0; !ok {
		r.renewLater(l)
		return
	}
	if l.expires = l.offered; l.expires.IsZero() {
		return
	}
	if left := l.expires.Sub(r.now()); left > 0 {
		l.renewAt = time.Now().Add(max(untilRenewal(left), renewAgain))
	}
}

// tell hands a message to the user. t is the topic it is about, nil = none; it is not told of a topic that is not
// wished any more.
func (r *run) tell(t *topic, m Message) {
	if r.ctx.Err() != nil || t != nil && !r.c.wished(t) {
		return
	}
	r.c.cfg.Handle(m)
}
