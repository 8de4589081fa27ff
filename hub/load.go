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
	pageFrame   = 256      // room in a page for what stands around its orders
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

// loadOrder begins where the client is: the pump loads only when its queue is empty, and a watch that is not live queues
// nothing, so all that was ever queued for it and not thrown away is written.
func (s *Session) loadOrder(ctx context.Context, sub *sub) error {
	s.mu.Lock()
	resume, after, heard := sub.resume, sub.taken, sub.missed
	s.mu.Unlock()
	if resume {
		done, err := s.replayEvents(ctx, sub, after, heard)
		if done || err != nil {
			return err
		}
	} else {
		after = 0 // heard says all: where the client is may be what a restored database never knew
	}
	snap, err := s.hub.load(ctx, sub.topic, max(after, heard))
	if err != nil {
		return err
	}
	by := s.Caller()
	if !snap.own.VisibleTo(by, s.hub.now()) {
		return noLonger()
	}
	m := snap.message(s.hub, by.Role)
	s.hub.m.snapshots.Inc()
	s.mu.Lock()
	defer s.mu.Unlock()
	if sub.gone || s.ended {
		return nil
	}
	sub.last = m.Seq
	if s.push(entry{m, sub}) {
		sub.carriedBy(&snap.own)
		s.caughtUp(sub, heard)
	}
	return nil
}

func noLonger() error { return orders.Errorf(orders.NotFound, "no longer this caller's") }

// replayEvents queues what a resumed client missed, a part at a time. It is not done where the events no longer follow
// what the client has, or are too many for anything but a stream. heard is the highest seq heard of before the call.
func (s *Session) replayEvents(ctx context.Context, sub *sub, after, heard int64) (done bool, err error) {
	id := sub.topic.name.ID
	own, events, err := s.hub.events(ctx, id, s.Caller(), after, heard)
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
	s.hub.follow(sub.topic, &own)
	s.hub.m.replayed.Add(float64(n))
	s.mu.Lock()
	defer s.mu.Unlock()
	if sub.gone || s.ended {
		return true, nil
	}
	sub.last = after
	for _, m := range list {
		sub.last = m.Seq
		if !s.push(entry{m, sub}) {
			return true, nil // thrown away: it is to be loaded again
		}
	}
	if n < len(events) || n > maxReplay {
		s.want(sub) // the rest when this is written
		return true, nil
	}
	sub.carriedBy(&own)
	s.caughtUp(sub, heard)
	return true, nil
}

// caughtUp makes a watch live, unless something came in while the load read: then what follows is replayed. What was
// heard of before the read and is not in it is not in the database, which a restore may have set back: the database is
// right. Called with s.mu held.
func (s *Session) caughtUp(sub *sub, heard int64) {
	if sub.missed > max(sub.last, heard) {
		sub.resume = true
		s.want(sub)
		return
	}
	sub.live = true
}

// boardQuery is what a board shows: what has not ended, or is on its way back.
func boardQuery(t wire.Topic, cursor string) orders.Query {
	q := orders.Query{Cursor: cursor, Running: true}
	if t.Kind == wire.TopicRestaurant {
		q.Restaurants = []string{t.ID}
	} else {
		q.Courier = t.ID
	}
	return q
}

// loadBoard queues the next page of a board, and behind the last one what the pages could not tell.
func (s *Session) loadBoard(ctx context.Context, sub *sub) error {
	b, name, by := sub.board, sub.topic.name, s.Caller()
	s.mu.Lock()
	cursor, round, paging := b.cursor, b.round, b.paging
	again := len(b.again) > 0
	b.reading = paging && !again
	s.mu.Unlock()
	if again {
		if err := s.loadAgain(ctx, sub, round); err != nil || !paging {
			return err
		}
		s.wantLoad(sub)
		return nil
	}
	if !paging {
		return nil
	}
	page, views, next, err := s.readPage(ctx, name, cursor, by.Role)
	if err != nil {
		return err
	}
	s.hub.m.snapshots.Inc()

	s.mu.Lock()
	defer s.mu.Unlock()
	b.reading = false
	if sub.gone || s.ended {
		return nil
	}
	if b.round != round { // sent anew from the start meanwhile; a page read from now on holds what was held
		b.held = nil
		s.want(sub)
		return nil
	}
	held := b.held
	b.held, b.begun, b.cursor, b.paging = nil, true, next, next != ""
	sub.live = true
	if !s.queuePage(sub, page, views) {
		return nil
	}
	for _, u := range held {
		if b.begun { // else thrown away: it is read anew
			s.showOn(sub, u)
		}
	}
	if !b.begun {
		return nil
	}
	if !b.paging {
		b.askLeft()
	}
	if b.paging || len(b.again) > 0 {
		s.want(sub)
	}
	return nil
}

// readPage reads a page of a board that fits pageLimit. Of large orders it reads fewer: to queue more than one page at a
// time could be more than the queue takes, however often it is tried.
func (s *Session) readPage(ctx context.Context, t wire.Topic, cursor string, role orders.Role) (page []orders.Order, views [][]byte, next string, err error) {
	for limit := pageOrders; ; {
		now := time.Now()
		q := boardQuery(t, cursor)
		q.Limit = limit
		if page, next, err = s.hub.cfg.Source.List(ctx, q); err != nil {
			return nil, nil, "", err
		}
		views = views[:0]
		size := pageFrame
		for i := range page {
			view := s.hub.cfg.View(&page[i], role, now)
			if size += len(view) + 1; size > pageLimit && i > 0 {
				break
			}
			views = append(views, view)
		}
		if len(views) == len(page) {
			return page, views, next, nil
		}
		limit = len(views)
	}
}

// queuePage queues a page of a board, and reports whether the queue took it. Called with s.mu held.
func (s *Session) queuePage(sub *sub, page []orders.Order, views [][]byte) bool {
	b := sub.board
	var on []orderAt
	part := make([][]byte, 0, len(page))
	for i := range page {
		o := &page[i]
		if was := b.shown[o.ID]; was != nil && was.queued >= o.Seq {
			continue // a live event was faster
		}
		b.show(o.ID).queued = o.Seq
		part, on = append(part, views[i]), append(on, orderAt{o.ID, o.Seq})
	}
	return s.push(entry{&Message{Frame: wire.AppendBoard(nil, sub.topic.name, part, b.paging), Page: on}, sub})
}

// show puts an order on the board, and keeps what was written of it before.
func (b *board) show(id string) *shown {
	on := b.shown[id]
	if on == nil {
		on = &shown{}
		b.shown[id] = on
	}
	on.off = false
	return on
}

// loadAgain tells of orders as a whole: of those that came without it, and of those that were on the board before it was
// sent again and are on none of its new pages: how each ended, or that it is gone. Without that a client would never
// learn what was thrown away of them. It queues about as much as a page, the rest when that is written.
func (s *Session) loadAgain(ctx context.Context, sub *sub, round int) error {
	for size := 0; size < pageLimit; {
		id, u := s.nextAgain(sub, round)
		if id == "" {
			return nil
		}
		m, err := s.readAgain(ctx, sub.topic.name, id, u)
		if err != nil {
			return err
		}
		size += len(m.Frame)
		if !s.queueAgain(sub, round, id, m) {
			return nil
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if b := sub.board; b.round == round && len(b.again) > 0 {
		s.want(sub)
	}
	return nil
}

// nextAgain takes the next order out of the list, "" for none. u is the update it came with, nil for none.
func (s *Session) nextAgain(sub *sub, round int) (id string, u *update) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := sub.board
	if sub.gone || s.ended || b.round != round || len(b.again) == 0 {
		return "", nil
	}
	id, b.again = b.again[0], b.again[1:]
	if on := b.shown[id]; on != nil {
		u, on.ask = on.ask, nil // what comes while this is read is asked for anew
	}
	return id, u
}

// readAgain is what a board says of an order as a whole.
func (s *Session) readAgain(ctx context.Context, board wire.Topic, id string, u *update) (*Message, error) {
	var o *orders.Order
	var err error
	if u != nil {
		if err = u.read(ctx); err == nil {
			o = u.Order // set once, before read returned
		}
	} else {
		var read orders.Order
		read, err = s.hub.cfg.Source.Order(ctx, id)
		o = &read
	}
	topic := wire.OrderTopic(id)
	switch kind := orders.KindOf(err); {
	case kind == orders.NotFound:
		return &Message{Frame: wire.AppendGone(nil, topic, &board), Gone: true}, nil
	case kind != "":
		return nil, err
	case board.Kind == wire.TopicCourier && !isCourier(o, board.ID):
		return &Message{Frame: wire.AppendGone(nil, topic, &board), Seq: o.Seq, Gone: true}, nil
	case u != nil:
		return u.snapshot(board, s.Caller().Role), nil
	}
	view := s.hub.cfg.View(o, s.Caller().Role, time.Now())
	return &Message{Frame: wire.AppendSnapshot(nil, topic, &board, o.Seq, view, nil), Order: id, Seq: o.Seq}, nil
}

// queueAgain queues what readAgain found, unless a live event was faster. It reports whether to go on.
func (s *Session) queueAgain(sub *sub, round int, id string, m *Message) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := sub.board
	if sub.gone || s.ended || b.round != round {
		return false
	}
	on := b.shown[id]
	if on == nil || on.off || on.queued > 0 && on.queued >= m.Seq {
		return true
	}
	if on.queued, on.off = m.Seq, m.Gone; on.off {
		return s.push(entry{m: m}) // like takeOff
	}
	return s.push(entry{m, sub})
}
