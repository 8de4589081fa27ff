package hub

import (
	"slices"
	"sync"
	"time"

	"doorbell/hub/wire"
	"doorbell/orders"
)

var _ orders.Publisher = (*Hub)(nil)

// update is one committed change on its way to those who watch. Its messages are made when the first watcher needs
// them, and shared.
type update struct {
	hub    *Hub
	order  *orders.Order
	events []orders.Event
	at     time.Time

	mu        sync.Mutex                // guards the following; taken after a session's
	messages  map[wire.Topic][]*Message // events, by the topic they are shown on
	snapshots map[boardRole]*Message
}

type boardRole struct {
	board wire.Topic
	role  orders.Role
}

// Publish brings a committed change to everybody who watches the order or a board it is on. Changes of one order must
// come in the order of their seq, one at a time. It does not wait for any client.
func (h *Hub) Publish(o *orders.Order, events []orders.Event) { h.PublishAt(o, events, time.Now()) }

// PublishAt is Publish of a change that was committed at a moment, from which its delivery is measured.
func (h *Hub) PublishAt(o *orders.Order, events []orders.Event, at time.Time) {
	if len(events) == 0 {
		return
	}
	h.waiters.Publish(o, events)
	u := &update{order: o, events: events, at: at, hub: h}
	last := events[len(events)-1].Seq
	handover := slices.ContainsFunc(events, func(e orders.Event) bool {
		return e.Type == orders.CourierAssigned || e.Type == orders.CourierUnassigned
	})

	if t := h.topic(wire.OrderTopic(o.ID)); t != nil {
		msgs := u.shownOn(wire.Topic{})
		for _, s := range t.heard(last) {
			if handover && s.session.lost(s, o) {
				continue
			}
			s.session.offer(s, msgs)
			if !o.EndedAt.IsZero() {
				s.session.endWith(o.Ownership())
			}
		}
	}
	if o.ShownToMerchant() {
		u.toBoard(wire.Topic{Kind: wire.TopicRestaurant, ID: o.Restaurant})
	}
	if c := o.Delivery.Courier; c != nil {
		u.toBoard(wire.Topic{Kind: wire.TopicCourier, ID: c.ID})
	}
	// Not at the handover alone: the bus may have lost that one, and then the next change says it.
	if previous := o.Delivery.Previous; previous != "" && !isCourier(o, previous) {
		u.takeFrom(wire.Topic{Kind: wire.TopicCourier, ID: previous})
	}
}

func isCourier(o *orders.Order, id string) bool {
	return o.Delivery.Courier != nil && o.Delivery.Courier.ID == id
}

// shownOn is the update's events as they are written on a board, or (the zero Topic) in the order's own topic.
func (u *update) shownOn(board wire.Topic) []*Message {
	u.mu.Lock()
	defer u.mu.Unlock()
	if m, ok := u.messages[board]; ok {
		return m
	}
	var on *wire.Topic
	if board != (wire.Topic{}) {
		on = &board
	}
	out := make([]*Message, len(u.events))
	for i := range u.events {
		e := &u.events[i]
		out[i] = &Message{
			Frame: wire.AppendEvent(make([]byte, 0, len(e.Envelope)+160), wire.OrderTopic(u.order.ID), on, e.Seq, e.Envelope),
			Event: e, At: u.at, Order: u.order.ID, Seq: e.Seq,
		}
	}
	if u.messages == nil {
		u.messages = map[wire.Topic][]*Message{}
	}
	u.messages[board] = out
	return out
}

// snapshot is the order after the update, as a board shows it at first sight.
func (u *update) snapshot(board wire.Topic, role orders.Role) *Message {
	u.mu.Lock()
	defer u.mu.Unlock()
	key := boardRole{board, role}
	m := u.snapshots[key]
	if m == nil {
		view := u.hub.cfg.View(u.order, role, u.at)
		m = &Message{
			Frame: wire.AppendSnapshot(nil, wire.OrderTopic(u.order.ID), &board, u.order.Seq, view),
			At:    u.at, Order: u.order.ID, Seq: u.order.Seq,
		}
		if u.snapshots == nil {
			u.snapshots = map[boardRole]*Message{}
		}
		u.snapshots[key] = m
	}
	return m
}

func (u *update) toBoard(name wire.Topic) {
	if t := u.hub.topic(name); t != nil {
		for _, s := range t.watchers() {
			s.session.offerBoard(s, u)
		}
	}
}

// takeFrom tells a board that an order is no longer on it.
func (u *update) takeFrom(name wire.Topic) {
	t := u.hub.topic(name)
	if t == nil {
		return
	}
	m := &Message{Frame: wire.AppendGone(nil, wire.OrderTopic(u.order.ID), &name), At: u.at}
	for _, s := range t.watchers() {
		s.session.takeOff(s, u.order, m)
	}
}

// offer queues an order's events for a watcher, as far as it has not got them. A gap is filled by a load.
func (s *Session) offer(sub *sub, events []*Message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range events {
		switch {
		case sub.gone || s.ended:
			return
		case !sub.live:
			sub.missed = max(sub.missed, m.Seq)
		case m.Seq <= sub.last: // a repeat
		case m.Seq > sub.last+1:
			s.behind(sub, m.Seq)
		default:
			sub.last = m.Seq
			s.push(entry{m, sub})
		}
	}
}

// offerBoard queues an update for a board: its events where the order is shown, else the order as a whole.
func (s *Session) offerBoard(sub *sub, u *update) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := sub.board
	if sub.gone || s.ended {
		return
	}
	if !b.begun {
		// A page that is not being read yet will hold it; so a client that takes nothing keeps nothing alive here.
		if !b.reading {
			return
		}
		if b.held = append(b.held, u); len(b.held) > maxHeld {
			b.restart()
		}
		return
	}
	s.showOn(sub, u)
}

// showOn is offerBoard behind its checks. Called with s.mu held.
func (s *Session) showOn(sub *sub, u *update) {
	b, o, name := sub.board, u.order, sub.topic.name
	on := b.shown[o.ID]
	first := u.events[0].Seq
	switch {
	case on != nil && on.queued >= o.Seq: // a repeat, or from before it was taken off
	case on != nil && !on.off && on.queued > 0 && on.queued >= first-1:
		for _, m := range u.shownOn(name) {
			if b.begun && m.Seq > on.queued {
				on.queued = m.Seq
				s.push(entry{m, sub})
			}
		}
	case (on == nil || on.off) && o.Status.Final() && o.Delivery.Status != orders.Returning && !b.reading:
		// It has ended, perhaps long ago, and was never on this board. A page that is being read may hold it, though.
	default:
		b.show(o.ID).queued = o.Seq
		s.push(entry{u.snapshot(name, s.id.Role), sub})
	}
	if on := b.shown[o.ID]; on != nil {
		on.final = o.Status.Final() && o.Delivery.Status != orders.Returning
	}
}

// takeOff removes an order from a board, and notes when: a page that is being read may still hold it as it was before.
func (s *Session) takeOff(sub *sub, o *orders.Order, m *Message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if sub.gone || s.ended {
		return
	}
	b := sub.board
	on := b.shown[o.ID]
	switch {
	case on == nil:
		b.shown[o.ID] = &shown{queued: o.Seq, off: true}
	case on.off, on.queued > o.Seq:
		on.queued = max(on.queued, o.Seq)
	default:
		on.queued, on.off = o.Seq, true
		s.push(entry{m: m}) // like a reply, never thrown away: no page would say it again
	}
}

// lost tells a session whose caller may no longer see the order that it is gone, and reports whether it was so. A watch
// that waits for its load is judged by that, and one that has got further already has been.
func (s *Session) lost(sub *sub, o *orders.Order) bool {
	s.mu.Lock()
	lost := sub.live && o.Seq > sub.last && !o.Ownership().VisibleTo(s.id.Caller, time.Now())
	s.mu.Unlock()
	if lost {
		s.takeAway(sub)
	}
	return lost
}

// takeAway ends a watch that is no longer the caller's: gone is the last word of its topic.
func (s *Session) takeAway(sub *sub) {
	s.mu.Lock()
	if sub.gone || s.ended {
		s.mu.Unlock()
		return
	}
	sub.gone = true
	delete(s.subs, sub.topic.name)
	s.push(entry{m: &Message{Frame: wire.AppendGone(nil, sub.topic.name, nil), Gone: true}})
	s.mu.Unlock()
	s.hub.part(sub)
}
