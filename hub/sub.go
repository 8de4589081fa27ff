package hub

// sub is one session watching one topic.
type sub struct {
	session *Session
	topic   *topic

	// The following is guarded by session.mu.

	live   bool  // events are queued as they come; false: a load will tell everything up to then
	queued bool  // it stands in session.todo
	gone   bool  // unwatched, or taken away
	resume bool  // the client has everything up to last: replay what follows instead of a snapshot
	last   int64 // of an order: seq of the last message queued; before the first load, what the client has seen
	taken  int64 // of an order: the highest seq the pump took
	sent   int64 // of an order: the highest seq written to the socket
	missed int64 // of an order: the highest seq heard while not live

	board *board // of a board; nil for an order
}

// board is what a session was shown of a board.
type board struct {
	shown  map[string]*shown // by order id
	cursor string            // of the next page
	paging bool              // pages are still to be sent
	begun  bool              // the first page was queued, so single orders may be shown beside it
	held   []*update         // what came before that; at most maxHeld
}

// maxHeld is how many updates a board holds while its first page is read; one more and the page is read again.
const maxHeld = 64

// shown is one order on a board.
type shown struct {
	queued int64 // seq of the last message queued
	sent   int64 // the highest seq written to the socket
}

// restart has the board sent again from its first page.
func (b *board) restart() {
	for _, on := range b.shown {
		on.queued = 0
	}
	b.cursor, b.paging, b.begun, b.held = "", true, false, nil
}

// wrote notes that the socket took a message.
func (s *sub) wrote(m *Message) {
	if s.board == nil {
		s.sent = max(s.sent, m.Seq)
		return
	}
	if m.Order != "" {
		s.board.wrote(orderAt{m.Order, m.Seq})
	}
	for _, at := range m.Page {
		s.board.wrote(at)
	}
}

func (b *board) wrote(at orderAt) {
	if on := b.shown[at.id]; on != nil {
		on.sent = max(on.sent, at.seq)
	}
}

// sentOf is the highest seq of an order that was written by way of this watch.
func (s *sub) sentOf(orderID string) int64 {
	if s.board == nil {
		return s.sent
	}
	if on := s.board.shown[orderID]; on != nil {
		return on.sent
	}
	return 0
}
