package client

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"time"

	"doorbell/hub/wire"
	"doorbell/orders"
)

// receive handles a message of a socket, or its end. The error ends Run.
func (r *run) receive(in incoming) error {
	l := in.link
	if l != r.cur && l != r.next {
		return nil // said goodbye to
	}
	if in.err != nil {
		return r.lost(l, ofClose(in.err))
	}
	for line := range bytes.Lines(in.text) {
		if line = bytes.TrimSpace(line); len(line) == 0 {
			continue
		}
		f, err := wire.ParseFrame(line)
		if err != nil {
			return r.lost(l, failure{err: &orders.Error{Kind: orders.Unavailable, Text: "the hub said what is no frame", Err: err}})
		}
		if bad := r.frame(l, &f); bad.err != nil {
			return r.lost(l, bad)
		}
		if r.ctx.Err() != nil {
			return nil
		}
	}
	return nil
}

// frame handles one line of the hub. A failure with an err ends the socket.
func (r *run) frame(l *link, f *wire.Frame) failure {
	if l.session == "" && f.Op != wire.OpHello {
		return failure{err: orders.Errorf(orders.Unavailable, "the hub did not say hello first")}
	}
	switch f.Op {
	case wire.OpHello:
		r.hello(l, f)
	case wire.OpOK:
		r.answer(l, f)
	case wire.OpError:
		return r.refused(l, f)
	case wire.OpGoaway:
		r.goaway(l, time.Duration(min(f.ReconnectInMs, maxMoveWait.Milliseconds()))*time.Millisecond)
	case wire.OpDegraded:
		if l == r.cur {
			r.tell(nil, Degraded{f.Detail})
		}
	case wire.OpSnapshot, wire.OpCurrent, wire.OpEvent, wire.OpGone, wire.OpLocation, wire.OpETA:
		name := f.Topic
		if f.Board != "" {
			name = f.Board
		}
		t, w := r.topics[name], l.on[name]
		if t == nil || !w.hears() {
			return failure{} // of a watch that has ended
		}
		if t.board {
			return r.boardFrame(l, t, w, f)
		}
		return r.orderFrame(l, t, w, f)
	}
	return failure{} // pong, and what a newer hub may say
}

// What a hub may ask of our patience.
const (
	maxMoveWait  = time.Hour
	maxHeartbeat = 3600 // seconds
)

func (r *run) hello(l *link, f *wire.Frame) {
	if l.session != "" {
		return
	}
	if l.session = f.Session; l.session == "" {
		l.session = "?"
	}
	if f.HeartbeatSeconds > 0 {
		l.heartbeat = time.Duration(min(f.HeartbeatSeconds, maxHeartbeat)) * time.Second
	}
	if l == r.cur {
		r.c.cfg.Log.Info().Str("session", l.session).Msg("connected")
		r.tell(nil, Connected{l.session})
	}
}

// answer handles the ok to a request.
func (r *run) answer(l *link, f *wire.Frame) {
	if f.ID == nil {
		return
	}
	id := *f.ID
	delete(l.acked, id)
	if id == l.tokenID && id != 0 {
		r.tokenTaken(l, true)
		return
	}
	for name, w := range l.on {
		if w.barrier != id {
			continue
		}
		w.barrier = 0
		if r.topics[name] == nil && !w.asked && !w.leave {
			delete(l.on, name)
			l.dirty = true // there is room for another
		}
	}
}

// refused handles the hub's error frame.
func (r *run) refused(l *link, f *wire.Frame) failure {
	p := Problem{f.Topic, f.Kind, f.Detail}
	if f.ID == nil {
		r.tell(nil, p)
		return failure{}
	}
	if a, ok := l.acked[*f.ID]; ok {
		delete(l.acked, *f.ID)
		if a.tries++; f.Kind == orders.Unprocessable && a.tries < ackTries {
			a.after = time.Now().Add(ackPatient)
			r.queueAck(a)
			return failure{}
		}
		r.tell(nil, p)
		return failure{}
	}
	if *f.ID == l.tokenID {
		r.c.cfg.Log.Warn().Str("kind", string(f.Kind)).Msg("fresh token refused")
		r.tokenTaken(l, false)
		return failure{}
	}
	t, w := r.topics[f.Topic], l.on[f.Topic]
	if t == nil || !w.hears() || w.id != *f.ID {
		return failure{} // of a watch that has ended
	}
	switch f.Kind {
	case orders.Unavailable, orders.Internal:
		if l == r.next {
			return failure{err: &orders.Error{Kind: f.Kind, Text: f.Detail}, slow: true} // the old one has the topic
		}
		w.asked = false
		w.again = time.Now().Add(askAgain + rand.N(askAgain))
		r.tell(t, p)
	default:
		var m Message = p
		if t.known && f.Kind == orders.NotFound {
			m = goneOf(t, f)
		}
		r.away(l, t, m)
	}
	return failure{}
}

// askAgain is how long, once and up to once more at random, a topic is left alone that the hub could not look up.
const askAgain = time.Second

func goneOf(t *topic, f *wire.Frame) Gone {
	g := Gone{Topic: t.name}
	if !t.board {
		g.OrderID = orderOf(t.name)
	}
	return g
}

// away ends a topic on the hub's word: it is not watched there any more.
func (r *run) away(l *link, t *topic, m Message) {
	delete(l.on, t.name)
	r.tell(t, m)
	r.c.forget(t)
	r.forget(t)
}

// reask begins a topic anew on a socket that left something out. It is an error of the hub's, or of whatever is in
// between, so a socket that goes on like that is given up.
func (r *run) reask(l *link, t *topic, w *watch) failure {
	r.c.cfg.Log.Warn().Str("session", l.session).Str("topic", t.name).Msg("gap")
	if w.gaps++; w.gaps > maxGaps {
		return failure{err: orders.Errorf(orders.Unavailable, "the hub leaves out events of %s", t.name)}
	}
	if l != r.newest() {
		w.deaf = true // the other socket has been asked for all of it
		return failure{}
	}
	w.renew()
	l.dirty = true
	return failure{}
}

// maxGaps is how many gaps without anything useful in between a socket may leave in a topic.
const maxGaps = 3

// orderFrame handles what is said in an order's own topic.
func (r *run) orderFrame(l *link, t *topic, w *watch, f *wire.Frame) failure {
	switch f.Op {
	case wire.OpSnapshot:
		back := f.Seq < w.last // on one socket only a restored database steps back
		first := !w.answered
		w.last, w.answered, t.known = f.Seq, true, true
		switch {
		case back:
			r.onlyFrom(l, t)
			fallthrough
		case f.Seq > t.last:
			w.gaps, t.last = 0, f.Seq
			r.tell(t, Snapshot{Topic: t.name, OrderID: orderOf(t.name), Seq: f.Seq, Order: f.Order})
			r.location(t, f, f.Location)
		case first && f.Seq == t.last:
			r.tell(t, Current{t.name, orderOf(t.name), f.Seq})
		}
	case wire.OpCurrent:
		if f.Seq > t.last {
			return r.reask(l, t, w)
		}
		w.last, w.answered, t.known = max(w.last, f.Seq), true, true
		if f.Seq == t.last {
			r.tell(t, Current{t.name, orderOf(t.name), f.Seq})
		}
	case wire.OpEvent:
		switch {
		case f.Seq > t.last+1:
			return r.reask(l, t, w)
		case f.Seq == t.last+1:
			m, err := eventOf(f)
			if err != nil {
				return failure{err: err}
			}
			w.gaps, t.last = 0, f.Seq
			r.tell(t, m)
		}
		w.last, w.answered, t.known = max(w.last, f.Seq), true, true
	case wire.OpGone:
		if l != r.newest() {
			w.deaf = true // the new socket will say what has become of it
			return failure{}
		}
		r.away(l, t, goneOf(t, f))
	case wire.OpLocation:
		if w.last >= t.last { // a socket that lags may show a position from before the pick-up or from after the end
			r.location(t, f, f.Location)
		}
	case wire.OpETA:
		if w.last >= t.last {
			r.eta(t, f)
		}
	}
	return failure{}
}

// onlyFrom stops the other socket from speaking of a topic: it may still tell of the time before the database was
// restored. The one we move to is asked anew.
func (r *run) onlyFrom(l *link, t *topic) {
	for _, o := range []*link{r.cur, r.next} {
		if o == nil || o == l || o.on[t.name] == nil {
			continue
		}
		if w := o.on[t.name]; o == r.newest() {
			w.renew()
			o.dirty = true
		} else {
			w.deaf = true
		}
	}
}

// boardFrame handles what is said of a board and the orders on it.
func (r *run) boardFrame(l *link, t *topic, w *watch, f *wire.Frame) failure {
	id := orderOf(f.Topic)
	last, shown := t.orders[id]
	switch {
	case f.Op == wire.OpSnapshot && f.Board == "":
		return r.page(t, w, f)
	case f.Op == wire.OpGone && f.Board == "":
		r.away(l, t, goneOf(t, f))
		return failure{}
	case t.orders == nil || !w.more && !w.answered:
		return failure{} // nothing was shown yet: it will be on a page
	}
	switch f.Op {
	case wire.OpSnapshot:
		if f.Seq <= last {
			return failure{}
		}
		t.orders[id] = f.Seq
		r.tell(t, Snapshot{Topic: f.Topic, Board: t.name, OrderID: id, Seq: f.Seq, Order: f.Order})
		r.location(t, f, f.Location)
		if len(t.orders) > maxBoard && w.answered {
			w.renew()
			l.dirty = true
		}
	case wire.OpEvent:
		switch {
		case !shown || f.Seq > last+1:
			return r.reask(l, t, w)
		case f.Seq == last+1:
			m, err := eventOf(f)
			if err != nil {
				return failure{err: err}
			}
			w.gaps, t.orders[id] = 0, f.Seq
			r.tell(t, m)
		}
	case wire.OpGone:
		if shown {
			delete(t.orders, id)
			r.tell(t, Gone{f.Topic, t.name, id})
		}
	case wire.OpLocation:
		r.location(t, f, f.Location)
	case wire.OpETA:
		r.eta(t, f)
	}
	return failure{}
}

// page handles a part of a board. What a live message has told already is left out of it.
func (r *run) page(t *topic, w *watch, f *wire.Frame) failure {
	first := !w.more
	if first {
		t.orders = map[string]int64{}
	}
	t.known = true
	m := BoardPage{Topic: t.name, First: first, More: f.More}
	for _, o := range f.Orders {
		var at struct {
			OrderID string `json:"orderId"`
			Seq     int64  `json:"seq"`
		}
		if err := json.Unmarshal(o, &at); err != nil {
			return failure{err: &orders.Error{Kind: orders.Unavailable, Text: "the hub showed what is no order", Err: err}}
		}
		if at.Seq > t.orders[at.OrderID] {
			t.orders[at.OrderID] = at.Seq
			m.Orders = append(m.Orders, o)
		}
	}
	if w.more = f.More; !w.more {
		w.answered = true
	}
	r.tell(t, m)
	return failure{}
}

// eventOf reads an event's envelope.
func eventOf(f *wire.Frame) (Event, error) {
	var e struct {
		EventType  orders.EventType `json:"eventType"`
		OccurredAt time.Time        `json:"occurredAt"`
		Actor      struct {
			Role orders.Role `json:"role"`
		} `json:"actor"`
		Payload struct {
			Status orders.Status `json:"status"`
			Reason orders.Reason `json:"reason"`
		} `json:"payload"`
	}
	if err := json.Unmarshal(f.Event, &e); err != nil {
		return Event{}, &orders.Error{Kind: orders.Unavailable, Text: "the hub sent what is no event", Err: err}
	}
	return Event{
		Topic: f.Topic, Board: f.Board, OrderID: orderOf(f.Topic), Seq: f.Seq, Type: e.EventType, Status: e.Payload.Status,
		OccurredAt: e.OccurredAt, Role: e.Actor.Role, Reason: e.Payload.Reason, Envelope: f.Event,
	}, nil
}

// location tells a position; one that cannot be read is passed over, as the next comes soon.
func (r *run) location(t *topic, f *wire.Frame, raw json.RawMessage) {
	var p struct {
		At       time.Time `json:"at"`
		Lat, Lon float64
	}
	if len(raw) == 0 || json.Unmarshal(raw, &p) != nil {
		return
	}
	r.tell(t, Location{f.Topic, f.Board, orderOf(f.Topic), p.At, p.Lat, p.Lon, raw})
}

func (r *run) eta(t *topic, f *wire.Frame) {
	var e struct{ EtaAt, EtaEarliest, EtaLatest time.Time }
	if len(f.ETA) == 0 || json.Unmarshal(f.ETA, &e) != nil {
		return
	}
	r.tell(t, ETA{f.Topic, f.Board, orderOf(f.Topic), e.EtaAt, e.EtaEarliest, e.EtaLatest, f.ETA})
}
