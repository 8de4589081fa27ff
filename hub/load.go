package hub

import (
	"context"
	"time"

	"doorbell/hub/wire"
	"doorbell/orders"
)

const (
	loadTimeout = 5 * time.Second
	pageLimit   = 16 << 10 // bytes of one page of a board, a single larger order aside
	pageOrders  = 8        // orders read for a page: of the usual size they fit pageLimit
)

// load tells a watch everything up to now, and makes it live. The pump calls it when nothing else waits, so what a load
// queues is bounded whatever was asked for. A session that cannot be told ends.
func (s *Session) load(sub *sub) *Ending {
	ctx, cancel := context.WithTimeout(context.Background(), loadTimeout)
	defer cancel()
	var err error
	if sub.board != nil {
		err = s.loadBoard(ctx, sub)
	} else {
		err = s.loadOrder(ctx, sub)
	}
	switch orders.KindOf(err) {
	case "":
		return nil
	case orders.NotFound:
		s.takeAway(sub)
		return nil
	}
	s.hub.log.Warn().Err(err).Str("session", s.name).Str("topic", sub.topic.name.String()).Msg("load failed")
	e := EndingOf(err)
	return &e
}

func (s *Session) loadOrder(ctx context.Context, sub *sub) error {
	s.mu.Lock()
	resume, after := sub.resume, sub.last
	s.mu.Unlock()
	if resume {
		done, err := s.replayEvents(ctx, sub, after)
		if done || err != nil {
			return err
		}
	}
	snap, err := s.hub.load(ctx, sub.topic)
	if err != nil {
		return err
	}
	if !snap.own.VisibleTo(s.Caller(), time.Now()) {
		return orders.Errorf(orders.NotFound, "no longer this caller's")
	}
	m := snap.message(s.hub, s.Caller().Role)
	s.hub.m.snapshots.Inc()
	s.mu.Lock()
	defer s.mu.Unlock()
	if sub.gone || s.ended {
		return nil
	}
	sub.last = m.Seq
	s.push(entry{m, sub})
	s.caughtUp(sub)
	return nil
}

// replayEvents queues what a resumed client missed, a part at a time. It is not done where the events no longer follow
// what the client has, or are too many for anything but a stream.
func (s *Session) replayEvents(ctx context.Context, sub *sub, after int64) (done bool, err error) {
	id := sub.topic.name.ID
	events, err := s.hub.cfg.Source.Events(ctx, id, after, maxReplay+1)
	if err != nil {
		return false, err
	}
	if len(events) > 0 && events[0].Seq != after+1 || len(events) > maxReplay && !s.replay {
		return false, nil
	}
	size, n := 0, 0
	list := make([]*Message, 0, len(events))
	for i := range events {
		e := &events[i]
		frame := wire.AppendEvent(nil, sub.topic.name, nil, e.Seq, e.Envelope)
		if size += len(frame); n > 0 && size > batchLimit {
			break
		}
		list = append(list, &Message{Frame: frame, Event: e, Order: id, Seq: e.Seq})
		n++
	}
	s.hub.m.replayed.Add(float64(n))
	s.mu.Lock()
	defer s.mu.Unlock()
	if sub.gone || s.ended {
		return true, nil
	}
	for _, m := range list {
		sub.last = m.Seq
		s.push(entry{m, sub})
	}
	if n < len(events) {
		s.want(sub) // the rest when this is written
		return true, nil
	}
	s.caughtUp(sub)
	return true, nil
}

// caughtUp makes a watch live, unless something came in between: then what follows is replayed. Called with s.mu held.
func (s *Session) caughtUp(sub *sub) {
	if sub.missed > sub.last {
		sub.resume = true
		s.want(sub)
		return
	}
	sub.live = true
}

// boardQuery is what a board shows: running orders, and what is on its way back.
func boardQuery(t wire.Topic, cursor string) orders.Query {
	q := orders.Query{Running: true, Cursor: cursor, Limit: pageOrders}
	if t.Kind == wire.TopicRestaurant {
		q.Restaurants = []string{t.ID}
	} else {
		q.Courier = t.ID
	}
	return q
}

// loadBoard queues the next page of a board.
func (s *Session) loadBoard(ctx context.Context, sub *sub) error {
	name, role := sub.topic.name, s.Caller().Role
	s.mu.Lock()
	cursor, paging := sub.board.cursor, sub.board.paging
	s.mu.Unlock()
	if !paging {
		return nil
	}
	page, next, err := s.hub.cfg.Source.List(ctx, boardQuery(name, cursor))
	if err != nil {
		return err
	}
	now := time.Now()
	views := make([][]byte, len(page))
	for i := range page {
		views[i] = s.hub.cfg.View(&page[i], role, now)
	}
	s.hub.m.snapshots.Inc()

	s.mu.Lock()
	defer s.mu.Unlock()
	b := sub.board
	if sub.gone || s.ended {
		return nil
	}
	if !b.paging || b.cursor != cursor { // sent anew from the start meanwhile
		s.want(sub)
		return nil
	}
	var (
		on   []orderAt
		part [][]byte
		size int
	)
	flush := func(more bool) {
		s.push(entry{&Message{Frame: wire.AppendBoard(nil, name, part, more), Page: on}, sub})
		part, on, size = nil, nil, 0
	}
	begun := b.begun
	b.begun, b.cursor, b.paging = true, next, next != ""
	sub.live = true
	for i := range page {
		o := &page[i]
		if was := b.shown[o.ID]; was != nil && was.queued >= o.Seq {
			continue // a live event was faster
		}
		if size > 0 && size+len(views[i]) > pageLimit {
			if flush(true); !b.begun {
				return nil // thrown away: the board starts again
			}
		}
		b.shown[o.ID] = keep(b.shown[o.ID], o.Seq)
		part, on, size = append(part, views[i]), append(on, orderAt{o.ID, o.Seq}), size+len(views[i])
	}
	if flush(next != ""); !b.begun {
		return nil
	}
	if b.paging {
		s.want(sub)
	}
	if !begun {
		held := b.held
		b.held = nil
		for _, u := range held {
			if b.begun {
				s.showOn(sub, u)
			}
		}
	}
	return nil
}

// keep notes that an order is queued at a seq, and keeps what was written before.
func keep(on *shown, seq int64) *shown {
	if on == nil {
		on = &shown{}
	}
	on.queued = seq
	return on
}
