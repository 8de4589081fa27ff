package hub

import (
	"crypto/rand"
	"encoding/base64"
	mrand "math/rand/v2"
	"sync"
	"time"

	"doorbell/hub/wire"
	"doorbell/orders"
)

// Conn carries a session's messages to one client. An adapter has it; see hub/wsconn.
type Conn interface {
	// Write sends messages in order, as one unit where the transport has such a thing. The hub calls it from one
	// goroutine at a time. It may block as long as the client takes its bytes, and fails once nothing moved for 10 s.
	Write(batch []*Message) error
	// Ping asks the client for a sign of life. The hub calls it from the goroutine that writes.
	Ping() error
	// Close ends the connection and tells the client why where that is still possible. It does not block, and the hub
	// calls it once.
	Close(e Ending)
}

// Limits of a session.
const (
	queueLimit = 32 << 10 // bytes of events waiting; more are thrown away and one snapshot follows
	batchLimit = 16 << 10 // bytes written at once, one message aside
	replyLimit = 8 << 10  // bytes of replies waiting before the next request is read
	maxReplay  = 64       // events a resume replays; a longer absence gets a snapshot
	inlineMsgs = 4        // messages queued without an allocation
)

// Session is one client's connection: what it watches, and what waits for it. Requests come in through the methods of
// request.go, by one goroutine; everything else is safe for concurrent use.
type Session struct {
	hub    *Hub
	conn   Conn
	name   string // random; told to the client and written to the log
	replay bool   // a stream: always resumed by events, never by a snapshot
	pump   func() // s.write, bound once so that starting it allocates nothing

	mu      sync.Mutex // guards the following
	id      Identity
	subs    map[wire.Topic]*sub
	queue   []entry // status messages and replies waiting, oldest first; bounded by bytes, see queueLimit
	queued  int     // bytes in queue
	fresh   []*sub  // watches of which a position or an arrival waits
	todo    []*sub  // watches that wait for their load, oldest first
	writing bool    // the pump is running; it alone writes to the connection
	ping    bool    // the pump is to ask for a sign of life
	ended   bool
	slack   chan struct{} // not nil: the reader waits for the queue to go down, closed then
	inline  [inlineMsgs]entry

	retireAt time.Time // goaway is sent then
	leaveAt  time.Time // after goaway: ended then; zero before
	heardAt  time.Time // last sign of life
	pingedAt time.Time // last ping
	since    time.Time
	written  int64 // messages
	thrown   int64 // messages thrown away

	// Of the timing wheel, and guarded by its mutex: the neighbours in the slot, and which turn looks at it; 0 = none.
	before, behindMe *Session
	turn             int64
}

// entry is a message in a queue.
type entry struct {
	m   *Message
	sub *sub // whose message it is; nil for replies
}

// Connect makes a session of an admitted place. The first line is hello, unless the connection is a stream, which only
// understands events and is resumed by replaying them. The caller then reads requests, and calls End when the
// connection breaks.
func (p *Place) Connect(conn Conn, stream bool) *Session {
	now := time.Now()
	h := p.hub
	s := &Session{
		hub: h, conn: conn, name: newSessionName(), replay: stream, id: p.id, subs: map[wire.Topic]*sub{},
		heardAt: now, since: now, retireAt: now.Add(spread(h.cfg.MaxAge, 0.2)),
	}
	s.pump = s.write
	s.queue = s.inline[:0]
	p.used = true
	h.m.sessions.Inc()
	h.enter(s)
	p.leave()
	if !stream {
		s.reply(&Message{Frame: wire.AppendHello(nil, s.name, h.cfg.Heartbeat)})
		s.tellDegraded()
	}
	if h.Draining() {
		s.mu.Lock()
		s.goaway(0, now)
		s.mu.Unlock()
	}
	h.wheel.add(s, s.look(now), now)
	if h.closed.Load() { // Run has ended what it found, perhaps without this one
		s.End(GoingAway)
	}
	return s
}

// spread is d, more or less by a random share of it.
func spread(d time.Duration, share float64) time.Duration {
	return time.Duration(float64(d) * (1 + share*(2*mrand.Float64()-1)))
}

func newSessionName() string {
	var b [9]byte
	_, _ = rand.Read(b[:]) // never fails, see crypto/rand
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// Name is the session's random name, as the client was told it.
func (s *Session) Name() string { return s.name }

func (s *Session) identity() Identity {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.id
}

// End ends the session: nothing more is queued, the client is told why, the topics forget it. Only the first call does.
func (s *Session) End(e Ending) {
	s.mu.Lock()
	if s.ended {
		s.mu.Unlock()
		return
	}
	s.ended = true
	subs := s.subs
	s.subs = nil
	s.queue, s.queued, s.todo, s.fresh = nil, 0, nil, nil
	s.inline = [inlineMsgs]entry{} // keeps no message alive
	s.giveSlack()
	written, thrown := s.written, s.thrown
	s.mu.Unlock()

	s.conn.Close(e)
	for _, sub := range subs {
		s.hub.part(sub)
	}
	s.hub.wheel.remove(s) // or the slot would keep it, and its connection, until its turn
	s.hub.leave(s)
	s.hub.m.sessions.Dec()
	s.hub.m.ended.WithLabelValues(e.Label).Inc()
	s.hub.log.Info().Str("session", s.name).Str("role", string(s.id.Role)).Str("reason", e.Label).
		Int64("took_ms", time.Since(s.since).Milliseconds()).Int64("written", written).Int64("thrown_away", thrown).
		Msg("session ended")
}

// Heard notes a sign of life: any bytes of the client count.
func (s *Session) Heard() {
	s.mu.Lock()
	s.heardAt = time.Now()
	s.mu.Unlock()
}

// push queues a message and starts the pump. It is called with s.mu held, and throws everything of its kind away when
// the client does not take it: then it returns false, the watch is behind, and the caller must not make it live.
func (s *Session) push(e entry) bool {
	if s.ended {
		return false
	}
	if e.sub != nil && s.queued+len(e.m.Frame) > queueLimit && len(s.queue) > 0 {
		s.overflow()
		s.behind(e.sub, e.m.Seq)
		return false
	}
	s.queue = append(s.queue, e)
	s.queued += len(e.m.Frame)
	s.start()
	return true
}

// overflow throws away every status message that waits; each watch it came from is loaded again once the socket drains.
// Replies stay.
func (s *Session) overflow() {
	kept := make([]entry, 0, inlineMsgs)
	s.queued = 0
	for _, e := range s.queue {
		if e.sub == nil {
			kept = append(kept, e)
			s.queued += len(e.m.Frame)
			continue
		}
		s.behind(e.sub, e.m.Seq)
		s.thrown++
		s.hub.m.thrown.WithLabelValues("overflow").Inc()
	}
	s.queue = kept
}

// behind marks a watch whose client missed something: a load will tell it everything. Where the client is, is known
// only once what still waits is written; the load finds it in sub.taken. Called with s.mu held.
func (s *Session) behind(sub *sub, seq int64) {
	if sub.board != nil {
		sub.board.restart()
	} else {
		sub.missed = max(sub.missed, seq)
		sub.resume = s.replay // only a stream is resumed by events again
	}
	sub.live = false
	s.want(sub)
}

// forget takes what waits for a watch out of the queue. Called with s.mu held.
func (s *Session) forget(sub *sub) {
	kept := s.queue[:0]
	for _, e := range s.queue {
		if e.sub == sub {
			s.queued -= len(e.m.Frame)
			continue
		}
		kept = append(kept, e)
	}
	clear(s.queue[len(kept):])
	if s.queue = kept; len(kept) == 0 {
		s.queue = s.inline[:0]
	}
	if s.queued < replyLimit {
		s.giveSlack()
	}
}

// want queues a load.
func (s *Session) want(sub *sub) {
	if !sub.queued && !sub.gone && !s.ended {
		sub.queued = true
		s.todo = append(s.todo, sub)
		s.start()
	}
}

// start runs the pump unless it runs already. Nothing waits, nothing runs: an idle session has no writer.
func (s *Session) start() {
	if !s.writing && !s.ended && s.hub.pumps.enter() {
		s.writing = true
		go s.pump()
	}
}

// reply queues an answer to the client itself; it is never thrown away.
func (s *Session) reply(m *Message) {
	s.mu.Lock()
	s.push(entry{m: m})
	s.mu.Unlock()
}

// giveSlack wakes a reader that waited for room. Called with s.mu held.
func (s *Session) giveSlack() {
	if s.slack != nil {
		close(s.slack)
		s.slack = nil
	}
}

// Room waits until few enough replies wait for the client that its next request can be read. It returns at once for a
// client that reads what it is sent.
func (s *Session) Room() {
	for {
		s.mu.Lock()
		if s.ended || s.queued < replyLimit {
			s.mu.Unlock()
			return
		}
		if s.slack == nil {
			s.slack = make(chan struct{})
		}
		slack := s.slack
		s.mu.Unlock()
		<-slack
	}
}

// Caller is who the session speaks for.
func (s *Session) Caller() orders.Caller { return s.identity().Caller }
