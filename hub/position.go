package hub

import (
	"context"
	"time"

	"doorbell/hub/wire"
	"doorbell/orders"
)

// Position is where an order's courier is, and what that means for its arrival, as a bus brings it: in the words of
// those who may see it, made once for all. Of what waits only the latest is told.
type Position struct {
	Order   string
	Courier string    // whose it is: told as long as the order is this courier's, by its last event or snapshot
	At      time.Time // when it was taken in, by the clock all nodes share

	// The point, as JSON of a frame's location. It is told between pick-up and the order's end.
	Exact  []byte // to those from whom nothing is hidden; nil = nobody sees the point
	Coarse []byte // to customers and tracking links, where that differs; nil = Exact

	// The arrival, as JSON of a frame's eta. nil = it has not moved enough to be told.
	ETA         []byte
	MerchantETA []byte // to merchants, where that differs; nil = ETA
}

// latest is what a topic tells of its order's positions. It is made with the first one that comes.
type latest struct {
	toldAt  time.Time
	waiting *Position   // came too soon behind the one told; the next takes its place
	timer   *time.Timer // runs while something waits
}

// Locate tells those who watch an order where its courier is: at most once every Config.LocationEvery, and always the
// latest. It does not wait for any client.
func (h *Hub) Locate(p Position) {
	if t := h.topic(wire.OrderTopic(p.Order)); t != nil {
		if subs, now := t.locate(h, &p); now {
			h.tell(&p, subs)
		}
	}
}

// locate reports whether a position is to be told now, and to whom. Else it waits, in the place of one that did.
func (t *topic) locate(h *Hub, p *Position) (subs []*sub, now bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.dead {
		return nil, false
	}
	if t.position == nil {
		t.position = &latest{}
	}
	l := t.position
	if was := l.waiting; was != nil {
		if p.Courier == was.Courier { // what was to be told of the arrival holds on, until there is something new
			if p.ETA == nil {
				p.ETA = was.ETA
			}
			if p.MerchantETA == nil {
				p.MerchantETA = was.MerchantETA
			}
		}
		l.waiting = p
		h.m.thrown.WithLabelValues("overwritten").Inc()
		return nil, false
	}
	at := time.Now()
	if wait := l.toldAt.Add(h.cfg.LocationEvery).Sub(at); wait > 0 {
		l.waiting = p
		l.timer = time.AfterFunc(wait, func() { h.locateWaiting(t) })
		return nil, false
	}
	l.toldAt = at
	return t.subs, true
}

// locateWaiting tells what waited.
func (h *Hub) locateWaiting(t *topic) {
	t.mu.Lock()
	l := t.position
	p, subs := l.waiting, t.subs
	l.waiting, l.timer, l.toldAt = nil, nil, time.Now()
	t.mu.Unlock()
	if p != nil {
		h.tell(p, subs)
	}
}

// stop ends what waits, with the topic. Called with the topic's mu held.
func (l *latest) stop() {
	if l != nil && l.timer != nil {
		l.timer.Stop()
		l.waiting = nil
	}
}

// tell hands a position to watchers.
func (h *Hub) tell(p *Position, subs []*sub) {
	w := words{position: p}
	for _, s := range subs {
		s.session.offerPosition(s, p, &w)
	}
}

// words are a position's messages, made when the first watcher needs them. They are used by one goroutine.
type words struct {
	position *Position
	made     [4]*Message // exact, coarse, eta, merchants' eta
}

// location is the point as this role may see it, nil for not at all.
func (w *words) location(role orders.Role) *Message {
	i := 0
	if w.position.Coarse != nil && isCustomer(role) {
		i = 1
	}
	return w.message(i, wire.OpLocation, w.position.seenBy(role))
}

// eta is the arrival as this role is told of it, nil for nothing new.
func (w *words) eta(role orders.Role) *Message {
	p := w.position
	if p.MerchantETA != nil && role == orders.RoleMerchant {
		return w.message(3, wire.OpETA, p.MerchantETA)
	}
	return w.message(2, wire.OpETA, p.ETA)
}

func (w *words) message(i int, op wire.Op, value []byte) *Message {
	if value == nil {
		return nil
	}
	if w.made[i] == nil {
		w.made[i] = &Message{
			Frame: wire.AppendLatest(nil, op, wire.OrderTopic(w.position.Order), value), Latest: op, Value: value,
		}
	}
	return w.made[i]
}

// offerPosition lets a watcher have a position, in the place of one that still waits. The window is judged by the last
// event or snapshot that was queued for it: so nothing follows the frame that closed it.
func (s *Session) offerPosition(sub *sub, p *Position, w *words) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !sub.live || sub.gone || s.ended || sub.courier == "" || sub.courier != p.Courier {
		return
	}
	if m := w.location(s.id.Role); m != nil && sub.open {
		s.putLatest(sub, &sub.location, m)
	}
	if m := w.eta(s.id.Role); m != nil {
		s.putLatest(sub, &sub.eta, m)
	}
}

// putLatest has a message written once everything before it is, unless a later one takes its place. Called with s.mu
// held.
func (s *Session) putLatest(sub *sub, place **Message, m *Message) {
	if *place != nil {
		s.hub.m.thrown.WithLabelValues("overwritten").Inc()
	}
	if sub.location == nil && sub.eta == nil {
		s.fresh = append(s.fresh, sub)
	}
	*place = m
	s.start()
}

// takeLatest moves positions and arrivals into b behind the n messages that are there. Called with s.mu held.
func (s *Session) takeLatest(b *batch, n int) int {
	for len(s.fresh) > 0 && n+2 <= len(b) {
		sub := s.fresh[0]
		s.fresh = s.fresh[1:]
		for _, place := range []**Message{&sub.location, &sub.eta} {
			if m := *place; m != nil && !sub.gone {
				b[n] = m
				n++
			}
			*place = nil
		}
	}
	if len(s.fresh) == 0 {
		s.fresh = nil
	}
	return n
}

// carriedBy notes who carries a watch's order, and whether the point may be seen, from what was just queued for it. What
// waits of another courier, or of a window that has closed, is thrown away. Called with the session's mu held.
func (s *sub) carriedBy(own *orders.Ownership) {
	open := own.Status == orders.OnDelivery && own.Courier != ""
	if s.location != nil && (!open || s.courier != own.Courier) {
		s.location = nil
	}
	if s.eta != nil && s.courier != own.Courier {
		s.eta = nil
	}
	s.courier, s.open = own.Courier, open
}

// follow has the bus bring an order's positions while somebody carries it, or no more, by what was heard last.
func (h *Hub) follow(t *topic, own *orders.Ownership) {
	if h.cfg.Follow == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.dead || own.Seq < t.followedAt {
		return
	}
	t.followedAt = own.Seq
	if on := own.Courier != "" && !own.Status.Final(); on != t.followed {
		t.followed = on
		h.cfg.Follow(t.name.ID, on)
	}
}

// unfollow is follow when nobody watches any more. Called with the topic's mu held.
func (h *Hub) unfollow(t *topic) {
	t.position.stop()
	if t.followed {
		t.followed = false
		h.cfg.Follow(t.name.ID, false)
	}
}

// lastPosition is where an order's courier was last, nil where that is not to be seen.
func (h *Hub) lastPosition(ctx context.Context, own *orders.Ownership) *Position {
	if h.cfg.Last == nil || own.Status != orders.OnDelivery || own.Courier == "" {
		return nil
	}
	p, ok := h.cfg.Last(ctx, own.ID)
	if !ok || p.Courier != own.Courier || p.Exact == nil {
		return nil
	}
	return &p
}

// seenBy is the point as this role may see it, nil for not at all.
func (p *Position) seenBy(role orders.Role) []byte {
	switch {
	case p == nil:
		return nil
	case p.Coarse != nil && isCustomer(role):
		return p.Coarse
	default:
		return p.Exact
	}
}

func isCustomer(role orders.Role) bool {
	return role == orders.RoleCustomer || role == orders.RoleTracker
}
