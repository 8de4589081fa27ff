package hub

import (
	"context"
	"slices"

	"doorbell/hub/wire"
	"doorbell/orders"
)

// Compare makes everything that is watched here what the database says, after changes may have been missed: an order at
// another seq, higher or lower, is told as a snapshot, and the boards are listed again. It asks orders.MaxSeqs orders at
// a time, whatever many watch them. Unavailable: some may be as they were, compare again.
func (h *Hub) Compare(ctx context.Context) error {
	defer h.waiters.WakeAll()
	h.m.compares.Inc()
	watched, boards := h.watched()
	for part := range slices.Chunk(watched, orders.MaxSeqs) {
		if err := h.comparePart(ctx, part); err != nil {
			return err
		}
	}
	for _, b := range boards {
		for _, s := range b.watchers() {
			s.session.listAgain(s)
		}
	}
	return nil
}

// watched is the orders and the boards that are watched now.
func (h *Hub) watched() (watched, boards []*topic) {
	for i := range h.topics {
		shard := &h.topics[i]
		shard.mu.RLock()
		for _, t := range shard.byName {
			if t.name.Board() {
				boards = append(boards, t)
			} else {
				watched = append(watched, t)
			}
		}
		shard.mu.RUnlock()
	}
	return watched, boards
}

// comparePart compares what the watches of some orders were told, before the database is asked: what is told meanwhile
// can only be newer.
func (h *Hub) comparePart(ctx context.Context, part []*topic) error {
	told := make(map[*sub]int64, len(part))
	ids := make([]string, len(part))
	for i, t := range part {
		ids[i] = t.name.ID
		for _, s := range t.watchers() {
			if seq, live := s.session.told(s); live {
				told[s] = seq
			}
		}
	}
	stored, err := h.cfg.Source.Seqs(ctx, ids)
	if err != nil {
		return err
	}
	changed := map[*topic]bool{}
	for s, seq := range told {
		if is := stored[s.topic.name.ID]; is != seq {
			if !changed[s.topic] {
				changed[s.topic] = true
				s.topic.doubt(is)
			}
			s.session.tellAnew(s, is)
		}
	}
	h.m.differences.Add(float64(len(changed)))
	return nil
}

// told is the seq that a watch of an order was told last, and whether it goes on from there: one that waits for its load
// is judged by that.
func (s *Session) told(sub *sub) (seq int64, live bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return sub.last, sub.live && !sub.gone && !s.ended
}

// tellAnew has a watch of an order, which is stored at this seq, told by a snapshot; a stream, by the events that follow
// what it has. Where the database was set back, a stream goes on from there: events cannot be taken back.
func (s *Session) tellAnew(sub *sub, seq int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if sub.gone || s.ended || !sub.live {
		return
	}
	if seq < sub.last {
		s.forget(sub)
		sub.taken = min(sub.taken, seq)
	}
	sub.live, sub.resume, sub.missed = false, s.replay, 0
	s.want(sub)
}

// listAgain has a board sent again from its first page.
func (s *Session) listAgain(sub *sub) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if sub.gone || s.ended {
		return
	}
	sub.board.restart()
	s.want(sub)
}

// doubt has the order read from the database the next time, which says that it is at this seq: what was heard of it may
// never have been, if the database was restored.
func (t *topic) doubt(seq int64) {
	t.mu.Lock()
	t.latest, t.doubted = seq, true
	t.mu.Unlock()
	t.loaded.Store(nil)
}

// Degrade tells every client, and those who come until Recover, that changes may come late; detail says why.
func (h *Hub) Degrade(detail string) {
	frame := wire.AppendDegraded(nil, detail)
	h.degraded.Store(&frame)
	for _, s := range h.all() {
		s.tellDegraded()
	}
}

// Recover ends what Degrade began. Clients are not told: they see changes again.
func (h *Hub) Recover() { h.degraded.Store(nil) }

// tellDegraded tells a client if the node is degraded. A stream has no such word.
func (s *Session) tellDegraded() {
	if frame := s.hub.degraded.Load(); frame != nil && !s.replay {
		s.reply(&Message{Frame: *frame})
	}
}
