package hub

import (
	"slices"
	"time"
)

// sub is one session watching one topic.
type sub struct {
	session *Session
	topic   *topic // set by Hub.join before anybody finds the sub

	// The following is guarded by session.mu.

	live   bool  // events are queued as they come; false: a load will tell everything up to then
	queued bool  // it stands in session.todo
	gone   bool  // unwatched, or taken away
	resume bool  // the next load replays what follows taken, instead of a snapshot
	last   int64 // of an order: seq of the last message queued; of no use before the first load
	taken  int64 // of an order: where the client is once all that the pump took is written; at first, what it says it has seen
	sent   int64 // of an order: the highest seq the pump took: what may be acknowledged
	missed int64 // of an order: the highest seq heard while not live

	sentAt time.Time // of an order: when sent was committed; zero where it was read, or acknowledged already

	courier  string   // of an order: who carries it, as the client was told last; "" = nobody
	open     bool     // and whether the courier's point may be seen
	location *Message // the latest that waits; nil = none
	eta      *Message // likewise

	board *board // of a board; nil for an order
}

// board is what a session was shown of a board.
type board struct {
	shown   map[string]*shown // by order id
	cursor  string            // of the next page
	paging  bool              // pages are still to be sent
	begun   bool              // the first page was queued, so single orders may be shown beside it
	reading bool              // a page is being read: it may be older than what comes meanwhile
	round   int               // rises with each restart: a page read before it is not sent
	held    []*update         // what came while the first page was read; at most maxHeld
	ended   []string          // orders whose end the client was told, the oldest first; at most maxEnded
	again   []string          // orders that are still to be told as a whole: they came without it, or no page since a restart has them
}

// maxHeld is how many updates a board holds while its first page is read; one more and the page is read again.
const maxHeld = 64

// shown is one order on a board.
type shown struct {
	queued int64     // seq of the last message queued; 0: what the client has of it is old, it will be told
	sent   int64     // the highest seq the pump took
	sentAt time.Time // when that was committed; zero where it was read, or acknowledged already
	ask    *update   // of an order that stands in board.again because of this update; nil: not so
	off    bool      // taken off the board at queued; what is older than that stays off
	final  bool      // it has ended: once the client was told, the board may forget it
}

// restart has the board sent again from its first page. An order taken off stays off.
func (b *board) restart() {
	for id, on := range b.shown {
		on.ask = nil
		switch {
		case on.final && on.queued > 0 && on.sent >= on.queued:
			delete(b.shown, id)
		case !on.off:
			on.queued = 0
		}
	}
	b.round++
	b.cursor, b.paging, b.begun, b.held, b.again, b.ended = "", true, false, nil, nil, nil
}

// ask has an order told as a whole, as it is after u or later.
func (b *board) ask(id string, on *shown, u *update) {
	if on.ask == nil {
		b.again = append(b.again, id)
	}
	on.ask = u
}

// askLeft asks for the orders that the client was shown before the last restart and that no page has shown since: they
// have ended or gone, or something of them is queued no more.
func (b *board) askLeft() {
	for id, on := range b.shown {
		if on.queued == 0 && !on.off && on.ask == nil {
			b.again = append(b.again, id)
		}
	}
}

// took notes that the pump took a message to write it. An acknowledgement may come as soon as the client has the bytes,
// which can be before Conn.Write returns; so this is noted ahead of it.
func (s *sub) took(m *Message) {
	if s.board == nil {
		s.taken = m.Seq // a snapshot may step back, after a restored backup
		if m.Seq > s.sent {
			s.sent, s.sentAt = m.Seq, m.At
		}
		return
	}
	if m.Order != "" {
		s.board.took(orderAt{m.Order, m.Seq}, m.At)
	}
	for _, on := range m.Page {
		s.board.took(on, time.Time{})
	}
}

func (b *board) took(o orderAt, at time.Time) {
	on := b.shown[o.id]
	if on == nil || o.seq <= on.sent {
		return
	}
	on.sent, on.sentAt = o.seq, at
	if on.final && on.queued > 0 && on.sent >= on.queued && !b.paging && !b.reading {
		b.forgetEnded(o.id)
	}
}

// maxEnded is how many orders that have ended a board remembers: their end may still be acknowledged.
const maxEnded = 64

// forgetEnded notes that the client was told an order's end, and forgets the one whose end was told longest ago.
func (b *board) forgetEnded(id string) {
	if b.ended = append(b.ended, id); len(b.ended) <= maxEnded {
		return
	}
	if on := b.shown[b.ended[0]]; on != nil && on.final && on.sent >= on.queued {
		delete(b.shown, b.ended[0])
	}
	b.ended = slices.Delete(b.ended, 0, 1)
}

// acked is when the last thing sent of an order was committed, told once: zero for a second acknowledgement.
func (s *sub) acked(orderID string) (at time.Time) {
	if s.board == nil {
		at, s.sentAt = s.sentAt, at
	} else if on := s.board.shown[orderID]; on != nil {
		at, on.sentAt = on.sentAt, at
	}
	return at
}

// sentOf is the highest seq of an order that was taken for writing by way of this watch.
func (s *sub) sentOf(orderID string) int64 {
	if s.board == nil {
		return s.sent
	}
	if on := s.board.shown[orderID]; on != nil {
		return on.sent
	}
	return 0
}
