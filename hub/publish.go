package hub

import (
	"context"
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
	Change
	hub *Hub

	reading sync.Mutex // one read of the order at a time

	mu        sync.Mutex                // guards the following; taken after a session's
	messages  map[wire.Topic][]*Message // events, by the topic they are shown on
	snapshots map[boardRole]*Message
}

type boardRole struct {
	board wire.Topic
	role  orders.Role
}

// Publish is Deliver of a change that was committed just now, in this process.
func (h *Hub) Publish(o *orders.Order, events []orders.Event) { h.PublishAt(o, events, time.Now()) }

// PublishAt is Publish of a change that was committed at a moment, from which its delivery is measured.
func (h *Hub) PublishAt(o *orders.Order, events []orders.Event, at time.Time) {
	if len(events) > 0 {
		h.Deliver(ChangeOf(o, events, at))
	}
}

// Deliver brings a committed change to everybody who watches the order or a board it is on. Changes of one order come in
// the order of their seq, one at a time; where one is missing or comes late, the watches of that order are loaded anew.
// It does not wait for any client.
func (h *Hub) Deliver(c Change) {
	own := &c.Own
	h.waiters.Wake(own.ID)
	u := &update{Change: c, hub: h}
	last := c.Events[len(c.Events)-1].Seq
	handover := slices.ContainsFunc(c.Events, func(e orders.Event) bool {
		return e.Type == orders.CourierAssigned || e.Type == orders.CourierUnassigned
	})

	if t := h.topic(wire.OrderTopic(own.ID)); t != nil {
		msgs := u.shownOn(wire.Topic{})
		h.follow(t, own)
		for _, s := range t.heard(last) {
			if handover && s.session.lost(s, own) {
				continue
			}
			s.session.offer(s, msgs, own)
			if !own.EndedAt.IsZero() {
				s.session.endWith(*own)
			}
		}
	}
	if own.ShownToMerchant {
		u.toBoard(wire.Topic{Kind: wire.TopicRestaurant, ID: own.Restaurant})
	}
	if own.Courier != "" {
		u.toBoard(wire.Topic{Kind: wire.TopicCourier, ID: own.Courier})
	}
	// Not at the handover alone: the bus may have lost that one, and then the next change says it.
	if c.Previous != "" && c.Previous != own.Courier {
		u.takeFrom(wire.Topic{Kind: wire.TopicCourier, ID: c.Previous})
	}
}

// Wants reports whether anybody here would be told of a change of this order: so a bus need not take apart what nobody
// watches.
func (h *Hub) Wants(order, restaurant, courier, previous string) bool {
	return h.topic(wire.OrderTopic(order)) != nil || h.waiters.waits(order) ||
		h.topic(wire.Topic{Kind: wire.TopicRestaurant, ID: restaurant}) != nil ||
		courier != "" && h.topic(wire.Topic{Kind: wire.TopicCourier, ID: courier}) != nil ||
		previous != "" && h.topic(wire.Topic{Kind: wire.TopicCourier, ID: previous}) != nil
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
	out := make([]*Message, len(u.Events))
	for i := range u.Events {
		e := &u.Events[i]
		out[i] = &Message{
			Frame: wire.AppendEvent(make([]byte, 0, len(e.Envelope)+160), wire.OrderTopic(u.Own.ID), on, e.Seq, e.Envelope),
			Event: e, At: u.At, Order: u.Own.ID, Seq: e.Seq,
		}
	}
	if u.messages == nil {
		u.messages = map[wire.Topic][]*Message{}
	}
	u.messages[board] = out
	return out
}

// snapshot is the order after the update, as a board shows it at first sight. The order must be there, see read.
func (u *update) snapshot(board wire.Topic, role orders.Role) *Message {
	u.mu.Lock()
	defer u.mu.Unlock()
	key := boardRole{board, role}
	m := u.snapshots[key]
	if m == nil {
		view := u.hub.cfg.View(u.Order, role, time.Now())
		m = &Message{
			Frame: wire.AppendSnapshot(nil, wire.OrderTopic(u.Own.ID), &board, u.Order.Seq, view, nil),
			At:    u.At, Order: u.Own.ID, Seq: u.Order.Seq,
		}
		if u.snapshots == nil {
			u.snapshots = map[boardRole]*Message{}
		}
		u.snapshots[key] = m
	}
	return m
}

// complete reports whether the update has its order.
func (u *update) complete() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.Order != nil
}

// read gets the order for all boards that must show it, once. It may be newer than the update.
func (u *update) read(ctx context.Context) error {
	u.reading.Lock()
	defer u.reading.Unlock()
	if u.complete() {
		return nil
	}
	o, err := u.hub.read(ctx, u.Own.ID, u.Own.Seq)
	if err != nil {
		return err
	}
	u.mu.Lock()
	u.Order = &o
	u.mu.Unlock()
	return nil
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
	m := &Message{Frame: wire.AppendGone(nil, wire.OrderTopic(u.Own.ID), &name), At: u.At}
	for _, s := range t.watchers() {
		s.session.takeOff(s, u.Own.Seq, u.Own.ID, m)
	}
}

// offer queues an order's events for a watcher, as far as it has not got them. A gap is filled by a load.
func (s *Session) offer(sub *sub, events []*Message, own *orders.Ownership) {
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
	if sub.live && sub.last == own.Seq {
		sub.carriedBy(own)
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
	b, own, name := sub.board, &u.Own, sub.topic.name
	on := b.shown[own.ID]
	first := u.Events[0].Seq
	over := own.Status.Final() && !own.Returning
	switch {
	case on != nil && on.queued >= own.Seq: // a repeat, or from before it was taken off
	case on != nil && !on.off && on.queued > 0 && on.queued >= first-1:
		for _, m := range u.shownOn(name) {
			if b.begun && m.Seq > on.queued {
				on.queued = m.Seq
				s.push(entry{m, sub})
			}
		}
	case (on == nil || on.off) && over && !b.reading:
		// It has ended, perhaps long ago, and was never on this board. A page that is being read may hold it, though.
	case !u.complete():
		on = b.show(own.ID)
		on.queued = 0 // what comes before the whole is in it
		b.ask(own.ID, on, u)
		s.want(sub)
	default:
		b.show(own.ID).queued = u.Order.Seq
		s.push(entry{u.snapshot(name, s.id.Role), sub})
	}
	if on := b.shown[own.ID]; on != nil {
		on.final = over
	}
}

// takeOff removes an order from a board, and notes when: a page that is being read may still hold it as it was before.
func (s *Session) takeOff(sub *sub, seq int64, orderID string, m *Message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if sub.gone || s.ended {
		return
	}
	b := sub.board
	on := b.shown[orderID]
	switch {
	case on == nil:
		b.shown[orderID] = &shown{queued: seq, off: true}
	case on.off, on.queued > seq:
		on.queued = max(on.queued, seq)
	default:
		on.queued, on.off = seq, true
		s.push(entry{m: m}) // like a reply, never thrown away: no page would say it again
	}
}

// lost tells a session whose caller may no longer see the order that it is gone, and reports whether it was so. A watch
// that waits for its load is judged by that, and one that has got further already has been.
func (s *Session) lost(sub *sub, own *orders.Ownership) bool {
	s.mu.Lock()
	lost := sub.live && own.Seq > sub.last && !own.VisibleTo(s.id.Caller, s.hub.now())
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
