package hub

import (
	"context"
	"time"

	"doorbell/hub/wire"
	"doorbell/orders"
)

// Handle carries out one line of the client and queues the answer. It is called by one goroutine, and waits for a
// client that asks faster than it reads. What is wrong with a line is answered with an error frame; it ends nothing.
func (s *Session) Handle(ctx context.Context, line []byte) {
	s.Room()
	r, err := wire.ParseRequest(line)
	if err != nil {
		bad, _ := err.(*wire.Error)
		s.refuse(bad.ID, "", orders.Errorf(orders.Invalid, "%s", bad.Error()))
		return
	}
	switch r.Op {
	case wire.OpWatch:
		ok := true
		for _, w := range r.Watch {
			s.Room()
			if err := s.watchText(ctx, w); err != nil {
				ok = false
				s.refuse(r.ID, w.Topic, err)
			}
		}
		s.accept(r.ID, ok)
	case wire.OpUnwatch:
		for _, name := range r.Topics {
			if t, ok := wire.ParseTopic(name); ok {
				s.Unwatch(t)
			}
		}
		s.accept(r.ID, true)
	case wire.OpAck:
		if err := s.ack(r.Topic, r.Seq); err != nil {
			s.refuse(r.ID, r.Topic, err)
			return
		}
		s.accept(r.ID, true)
	case wire.OpToken:
		s.renew(ctx, r)
	case wire.OpPing:
		s.reply(&Message{Frame: wire.AppendPong(nil)})
	case wire.OpLocate:
		s.locate(ctx, r)
	}
}

// accept answers ok to a request that asked for an answer.
func (s *Session) accept(id *int64, ok bool) {
	if id != nil && ok {
		s.reply(&Message{Frame: wire.AppendOK(nil, *id)})
	}
}

// refuse answers with an error frame: the kind and text of err, never its cause.
func (s *Session) refuse(id *int64, topic string, err error) {
	kind, text := orders.KindOf(err), "something went wrong on our side"
	if e, ok := err.(*orders.Error); ok && kind != orders.Internal {
		text = e.Text
	}
	if len(topic) > maxEcho {
		topic = ""
	}
	s.reply(&Message{Frame: wire.AppendError(nil, id, topic, kind, text)})
}

// maxEcho is the longest topic, in bytes, that an error frame repeats.
const maxEcho = 128

func (s *Session) watchText(ctx context.Context, w wire.Watch) error {
	t, ok := wire.ParseTopic(w.Topic)
	if !ok {
		return orders.Errorf(orders.Invalid, "no such topic: order/{id}, restaurant/{id} or courier/{id}")
	}
	return s.Watch(ctx, t, w.After)
}

// Watch begins to watch a topic, or resumes it after the last seq the client has seen (0 = none). Watching what is
// watched already begins anew from after. Errors: NotFound for what the caller may not see, Exhausted beyond
// wire.MaxTopics, Unavailable.
func (s *Session) Watch(ctx context.Context, t wire.Topic, after int64) error {
	by := s.Caller()
	if t.Board() {
		if !seesBoard(by, t) {
			return orders.Errorf(orders.NotFound, "no such board")
		}
		sub, err := s.join(t, 0)
		if err == nil {
			s.wantLoad(sub)
		}
		return err
	}
	sub, err := s.join(t, after)
	if err != nil {
		return err
	}
	// Read behind the join: what is committed from here on is heard of.
	own, err := s.hub.ownership(ctx, t.ID, by, after)
	if err != nil {
		s.Unwatch(t)
		return err
	}
	s.endWith(own)
	s.hub.follow(sub.topic, &own)
	s.begin(sub, &own)
	return nil
}

// seesBoard reports whether a board is this caller's.
func seesBoard(by orders.Caller, t wire.Topic) bool {
	switch by.Role {
	case orders.RoleOps:
		return true
	case orders.RoleMerchant:
		if t.Kind == wire.TopicRestaurant {
			for _, r := range by.Restaurants {
				if r == t.ID {
					return true
				}
			}
		}
	case orders.RoleCourier:
		return t.Kind == wire.TopicCourier && t.ID == by.ID
	}
	return false
}

// join registers a watch, which hears of everything from now on and is told nothing until it is loaded. Where the topic
// is watched already, more may be on its way to the client than it had seen when it asked: then it gets a snapshot, since
// a replay would repeat that.
func (s *Session) join(t wire.Topic, after int64) (*sub, error) {
	var sent int64
	if old := s.unwatch(t); old != nil {
		if sent = old.sent; after < sent {
			after = 0
		}
	}
	s.mu.Lock()
	if s.ended {
		s.mu.Unlock()
		return nil, orders.Errorf(orders.Unavailable, "the session has ended")
	}
	if len(s.subs) >= wire.MaxTopics {
		s.mu.Unlock()
		return nil, orders.Errorf(orders.Exhausted, "at most %d topics", wire.MaxTopics)
	}
	sub := &sub{session: s, taken: after, sent: sent, resume: after > 0 || s.replay}
	if t.Board() {
		sub.board = &board{shown: map[string]*shown{}, paging: true}
	}
	s.mu.Unlock()

	s.hub.join(t, sub)
	s.mu.Lock()
	if s.ended {
		s.mu.Unlock()
		s.hub.part(sub)
		return nil, orders.Errorf(orders.Unavailable, "the session has ended")
	}
	s.subs[t] = sub
	s.mu.Unlock()
	return sub, nil
}

// begin tells a watch that nothing was missed, or has it loaded. A client that has seen more than is stored cannot
// have: it gets a snapshot.
func (s *Session) begin(sub *sub, own *orders.Ownership) {
	seq := own.Seq
	s.mu.Lock()
	defer s.mu.Unlock()
	if sub.gone || s.ended {
		return
	}
	switch after := sub.taken; {
	case after > seq:
		if sub.resume, sub.taken = s.replay, 0; s.replay {
			sub.taken = seq // events cannot be taken back
		}
	case after == seq && after > 0 && sub.missed <= seq:
		sub.live, sub.last = true, seq
		sub.carriedBy(own)
		sub.sent = max(sub.sent, seq) // the client has it: it may acknowledge it
		if !s.replay {
			s.push(entry{m: &Message{Frame: wire.AppendCurrent(nil, sub.topic.name, seq)}})
		}
		return
	}
	s.want(sub)
}

func (s *Session) wantLoad(sub *sub) {
	s.mu.Lock()
	s.want(sub)
	s.mu.Unlock()
}

// endWith lets a tracking link's session end when the link does.
func (s *Session) endWith(own orders.Ownership) {
	if own.EndedAt.IsZero() {
		return
	}
	s.mu.Lock()
	tracker := s.id.Role == orders.RoleTracker
	if tracker {
		s.id.ExpiresAt = earlier(s.id.ExpiresAt, own.EndedAt.Add(orders.TrackingLives))
	}
	s.mu.Unlock()
	if tracker {
		s.lookAgain()
	}
}

// Unwatch ends a watch. What waits for it is not sent any more.
func (s *Session) Unwatch(t wire.Topic) { s.unwatch(t) }

// unwatch returns the watch that ended, nil when there was none. Nobody but the caller changes it any more.
func (s *Session) unwatch(t wire.Topic) *sub {
	s.mu.Lock()
	sub := s.subs[t]
	if sub != nil {
		sub.gone = true
		delete(s.subs, t)
		s.forget(sub)
	}
	s.mu.Unlock()
	if sub != nil {
		s.hub.part(sub)
	}
	return sub
}

// ack notes that a person was shown everything up to seq of an order. Errors: Invalid for another topic, Unprocessable
// for what was never written to this socket.
func (s *Session) ack(topic string, seq int64) error {
	t, ok := wire.ParseTopic(topic)
	if !ok || t.Board() {
		return orders.Errorf(orders.Invalid, "an ack names order/{id}")
	}
	var sent int64
	var at time.Time
	s.mu.Lock()
	for name, sub := range s.subs {
		if name != t && !name.Board() {
			continue
		}
		if n := sub.sentOf(t.ID); n >= sent {
			sent = n
			if n == seq {
				at = later(at, sub.acked(t.ID))
			}
		}
	}
	by := s.id.Caller
	s.mu.Unlock()
	if seq > sent {
		return orders.Errorf(orders.Unprocessable, "seq %d was not sent on this socket", seq)
	}
	if !at.IsZero() {
		s.hub.m.acked.Observe(time.Since(at).Seconds())
	}
	if s.hub.cfg.OnAck != nil {
		s.hub.cfg.OnAck(by, t.ID, seq)
	}
	return nil
}

// renew takes a fresh token of the same person; another's ends the session.
func (s *Session) renew(ctx context.Context, r wire.Request) {
	id, err := s.hub.cfg.Verify(ctx, r.Token)
	if err != nil {
		s.refuse(r.ID, "", err)
		return
	}
	s.mu.Lock()
	same := sameIdentity(s.id, id)
	if same {
		s.id.ExpiresAt, s.id.IssuedAt = id.ExpiresAt, id.IssuedAt
	}
	s.mu.Unlock()
	if !same {
		s.End(OtherToken)
		return
	}
	s.lookAgain()
	s.accept(r.ID, true)
}

// locate hands a courier's positions to whoever takes them. Without an id nobody asks what became of them.
func (s *Session) locate(ctx context.Context, r wire.Request) {
	take, by := s.hub.cfg.Locate, s.Caller()
	if by.Role != orders.RoleCourier {
		s.refuse(r.ID, "", orders.Errorf(orders.Forbidden, "not for role %s", by.Role))
		return
	}
	if take == nil {
		s.refuse(r.ID, "", orders.Errorf(orders.Unavailable, "positions are not taken here: post them to /v1/couriers/{id}/locations"))
		return
	}
	answer, err := take(ctx, by, r.CoordSys, r.Points)
	switch {
	case err != nil:
		s.refuse(r.ID, "", err)
	case r.ID != nil:
		s.reply(&Message{Frame: wire.AppendAnswer(nil, *r.ID, answer)})
	}
}

func sameIdentity(a, b Identity) bool {
	if a.ID != b.ID || a.Role != b.Role || a.OrderID != b.OrderID || len(a.Restaurants) != len(b.Restaurants) {
		return false
	}
	for _, r := range a.Restaurants {
		found := false
		for _, x := range b.Restaurants {
			found = found || x == r
		}
		if !found {
			return false
		}
	}
	return true
}
