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
func (h *Hub) Publish(o *orders.Order, events []orders.Event) {
	if len(events) == 0 {
		return
	}
	h.waiters.Publish(o, events)
	u := &update{order: o, events: events, at: time.Now(), hub: h}
	last := events[len(events)-1].Seq
	handover := slices.ContainsFunc(events, func(e orders.Event) bool {
		return e.Type == orders.CourierAssigned || e.Type == orders.CourierUnassigned
	})

	if t := h.topic(wire.OrderTopic(o.ID)); t != nil {
		msgs := u.shownOn(wire.Topic{})
		for _, s := range t.heard(last, u.at) {
			if handover && s.session.lost(s, o) {
				continue
			}
			s.session.offer(s, msgs)
		}
	}
	if o.ShownToMerchant() {
		u.toBoard(wire.Topic{Kind: wire.TopicRestaurant, ID: o.Restaurant})
	}
	if c := o.Delivery.Courier; c != nil {
		u.toBoard(wire.Topic{Kind: wire.TopicCourier, ID: c.ID})
	}
	if before := o.Delivery.Before; handover && before != "" && !isCourier(o, before) {
		u.takeFrom(wire.Topic{Kind: wire.TopicCourier, ID: before})
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
		s.session.takeOff(s, u.order.ID, m)
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
		if b.held = append(b.held, u); len(b.held) > maxHeld {
			b.restart()
		}
		return
	}
	s.showOn(sub, u)
}

// showOn is offerBoard behind its checks. Called with s.mu held.
func (s *Session) showOn(sub *sub, u *update) {
	b, name := sub.board, sub.topic.name
	on := b.shown[u.order.ID]
	if on == nil {
		on = &shown{}
		b.shown[u.order.ID] = on
	}
	first := u.events[0].Seq
	switch {
	case on.queued >= u.order.Seq: // a repeat
	case on.queued > 0 && on.queued >= first-1:
		for _, m := range u.shownOn(name) {
			if b.begun && m.Seq > on.queued {
				on.queued = m.Seq
				s.push(entry{m, sub})
			}
		}
	default:
		on.queued = u.order.Seq
		s.push(entry{u.snapshot(name, s.id.Role), sub})
	}
}

// takeOff removes an order from a board.
func (s *Session) takeOff(sub *sub, orderID string, m *Message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if sub.gone || s.ended {
		return
	}
	held := sub.board.held[:0:0]
	for _, u := range sub.board.held {
		if u.order.ID != orderID {
			held = append(held, u)
		}
	}
	sub.board.held = held
	if on := sub.board.shown[orderID]; on == nil {
		if !sub.board.begun {
			sub.board.restart() // the page being read may still hold it
		}
		return
	}
	delete(sub.board.shown, orderID)
	s.push(entry{m, sub})
}

// lost tells a session whose caller may no longer see the order that it is gone, and reports whether it was so.
func (s *Session) lost(sub *sub, o *orders.Order) bool {
	if o.Ownership().VisibleTo(s.Caller(), time.Now()) {
		return false
	}
	s.takeAway(sub)
	return true
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
