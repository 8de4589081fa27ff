package client

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/coder/websocket"

	"doorbell/hub/wire"
)

// ack is one acknowledgement on its way.
type ack struct {
	order string
	seq   int64
	at    time.Time // when it was asked for
	after time.Time // not to be sent before
	tries int
}

// Acknowledgements: how long one waits for a socket that has shown the order, and how many are on their way at once.
const (
	ackLives   = time.Minute
	ackFlight  = 64
	ackTries   = 3
	ackPatient = 50 * time.Millisecond // the hub may hear an ack before it has noted that the event went out
)

// Room, in bytes, that a message keeps for its last line: one topic, or one ack.
const lineRoom = 256

// statement is a message as it grows, one request per line.
type statement struct{ b []byte }

func (s *statement) add(r wire.Request) {
	if len(s.b) > 0 {
		s.b = append(s.b, '\n')
	}
	s.b = r.Append(s.b)
}

func (s *statement) room() bool { return len(s.b) < wire.MaxMessage-lineRoom }

// compose makes the next message for a socket, nil when there is nothing to say.
func (r *run) compose(l *link, now time.Time) []byte {
	var s statement
	if l.token != "" {
		l.tokenID = l.nextID()
		s.add(wire.Request{Op: wire.OpToken, ID: &l.tokenID, Token: l.token})
		l.token = ""
	}
	if l.ping {
		l.ping = false
		s.add(wire.Request{Op: wire.OpPing})
	}
	r.composeAcks(l, &s, now)
	if l.dirty {
		l.dirty = false
		r.composeUnwatch(l, &s)
		if l == r.newest() {
			r.composeWatch(l, &s, now)
		}
	}
	return s.b
}

// composeAcks says what was shown to the person, on a socket that the hub has shown it on.
func (r *run) composeAcks(l *link, s *statement, now time.Time) {
	for id, a := range r.acks {
		if len(l.acked) >= ackFlight || !s.room() {
			return
		}
		if now.Sub(a.at) > ackLives {
			delete(r.acks, id)
			continue
		}
		if now.Before(a.after) || l.lastOf(a.order, r.topics) < a.seq {
			continue
		}
		delete(r.acks, id)
		n := l.nextID()
		l.acked[n] = a
		s.add(wire.Request{Op: wire.OpAck, ID: &n, Topic: wire.OrderTopic(a.order).String(), Seq: a.seq})
	}
}

// composeUnwatch ends watches that are to be left, or begun anew.
func (r *run) composeUnwatch(l *link, s *statement) {
	var names []string
	size := 0
	for name, w := range l.on {
		if !w.leave {
			continue
		}
		if size += len(name) + len(`"",`); len(s.b)+size > wire.MaxMessage-lineRoom || len(names) == wire.MaxTopics {
			l.dirty = true // the rest in the next message
			break
		}
		names = append(names, name)
	}
	if len(names) == 0 {
		return
	}
	slices.Sort(names)
	id := l.nextID()
	for _, name := range names {
		l.on[name].leave, l.on[name].barrier = false, id
	}
	s.add(wire.Request{Op: wire.OpUnwatch, ID: &id, Topics: names})
}

// composeWatch asks for every topic that this socket was not asked for, in the order of the wishes.
func (r *run) composeWatch(l *link, s *statement, now time.Time) {
	var todo []*topic
	for _, t := range r.topics {
		if w := l.on[t.name]; w == nil || !w.asked && !w.leave && !now.Before(w.again) {
			todo = append(todo, t)
		}
	}
	slices.SortFunc(todo, func(a, b *topic) int { return cmp.Compare(a.gen, b.gen) })
	var list []wire.Watch
	size, id := 0, int64(0)
	for _, t := range todo {
		if l.on[t.name] == nil && len(l.on) >= 2*wire.MaxTopics {
			continue // the answers to unwatches make room
		}
		size += len(t.name) + len(`{"topic":"","after":9223372036854775807},`)
		if len(s.b)+size > wire.MaxMessage-lineRoom {
			l.dirty = true // the rest in the next message
			break
		}
		if id == 0 {
			id = l.nextID()
		}
		list = append(list, wire.Watch{Topic: t.name, After: r.ask(l, t, id)})
	}
	if len(list) > 0 {
		s.add(wire.Request{Op: wire.OpWatch, ID: &id, Watch: list})
	}
}

// ask notes that a topic is being asked for, and returns from where. A board moves to the socket at this moment: what
// the old one says of it from here on is in the pages to come, or follows them.
func (r *run) ask(l *link, t *topic, id int64) (after int64) {
	w := l.on[t.name]
	if w == nil {
		w = &watch{}
		l.on[t.name] = w
	}
	w.asked, w.answered, w.id, w.deaf, w.more = true, false, id, false, false
	if t.board {
		if old := r.cur.on[t.name]; r.next == l && old != nil {
			old.deaf = true
		}
		return 0
	}
	w.last = t.last
	return t.last
}

// newest is the socket that new watches go to: the one we move to, while we do.
func (r *run) newest() *link {
	if r.next != nil {
		return r.next
	}
	return r.cur
}

// offer is the channel and the message to send on it now, nil and nil when there is nothing to say.
func (r *run) offer(l *link, now time.Time) (chan<- []byte, []byte) {
	if l == nil {
		return nil, nil
	}
	if l.head == nil {
		l.head = r.compose(l, now)
	}
	if l.head == nil {
		return nil, nil
	}
	return l.out, l.head
}

// bye ends a socket in the background; Run waits for it at its end.
func (r *run) bye(l *link, code websocket.StatusCode, reason string) {
	close(l.quit)
	r.wg.Go(func() { l.leave(code, reason) })
}

// drop ends a socket that is broken or of no use: what it knew is forgotten.
func (r *run) drop(l *link) {
	close(l.quit)
	r.wg.Go(func() {
		l.abort()
		_ = l.conn.CloseNow()
	})
}

// takeBack puts acks that were not answered among those to be sent.
func (r *run) takeBack(l *link) {
	for _, a := range l.acked {
		r.queueAck(a)
	}
	l.acked = nil
}

func (r *run) queueAck(a ack) {
	if was, ok := r.acks[a.order]; ok && was.seq >= a.seq || !ok && len(r.acks) >= maxAcks {
		return
	}
	r.acks[a.order] = a
}

// sync takes over what was wished since.
func (r *run) sync() {
	c := r.c
	c.mu.Lock()
	if !c.changed {
		c.mu.Unlock()
		return
	}
	c.changed = false
	wishes := maps.Clone(c.wishes)
	acks := c.acks
	if len(acks) > 0 {
		c.acks = map[string]int64{}
	}
	refused := c.refused
	c.refused = nil
	c.mu.Unlock()

	now := time.Now()
	for id, seq := range acks {
		r.queueAck(ack{order: id, seq: seq, at: now})
	}
	for name, t := range r.topics {
		if w, ok := wishes[name]; !ok || w.gen != t.gen {
			r.forget(t)
		}
	}
	for name, w := range wishes {
		if r.topics[name] == nil {
			r.topics[name] = newTopic(name, w)
			if l := r.newest(); l != nil {
				l.dirty = true
			}
		}
	}
	for _, p := range refused {
		r.tell(nil, p)
	}
}

// forget drops a topic; the sockets leave it.
func (r *run) forget(t *topic) {
	delete(r.topics, t.name)
	for _, l := range []*link{r.cur, r.next} {
		if l == nil || l.on[t.name] == nil {
			continue
		}
		w := l.on[t.name]
		w.renew()
		if l.dirty = true; !w.leave && w.barrier == 0 {
			delete(l.on, t.name)
		}
	}
}
