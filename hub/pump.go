package hub

import (
	"time"
)

// write is the pump: it writes what waits, oldest first, loads what must be loaded when nothing waits, and ends when
// there is nothing left. It is the only goroutine that writes to the connection.
func (s *Session) write() {
	defer s.hub.running.Done()
	var (
		batch   [inlineMsgs * 4]*Message
		entries [inlineMsgs * 4]entry
	)
	for {
		n, ping, load := s.take(entries[:])
		switch {
		case n > 0:
			for i := range n {
				batch[i] = entries[i].m
			}
			if err := s.conn.Write(batch[:n]); err != nil {
				s.stop()
				s.End(endingOfWrite(err))
				return
			}
			s.wrote(entries[:n])
		case ping:
			if err := s.conn.Ping(); err != nil {
				s.stop()
				s.End(endingOfWrite(err))
				return
			}
		case load != nil:
			if e := s.load(load); e != nil {
				s.stop()
				s.End(*e)
				return
			}
		default:
			return // take has noted that nobody writes any more
		}
	}
}

// take moves the oldest messages into entries, at most batchLimit bytes of them. With none, it tells of a ping or a
// load that is due; with nothing at all, the pump has ended.
func (s *Session) take(entries []entry) (n int, ping bool, load *sub) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		s.writing = false
		return 0, false, nil
	}
	bytes := 0
	for n < len(entries) && n < len(s.queue) {
		size := len(s.queue[n].m.Frame)
		if n > 0 && bytes+size > batchLimit {
			break
		}
		bytes += size
		entries[n] = s.queue[n]
		if sub := entries[n].sub; sub != nil {
			sub.taken = max(sub.taken, entries[n].m.Seq)
		}
		n++
	}
	if n > 0 {
		s.queued -= bytes
		if s.queue = s.queue[n:]; len(s.queue) == 0 {
			s.inline = [inlineMsgs]entry{} // keeps no message alive
			s.queue = s.inline[:0]
		}
		if s.queued < replyLimit {
			s.giveSlack()
		}
		return n, false, nil
	}
	if s.ping {
		s.ping = false
		return 0, true, nil
	}
	for len(s.todo) > 0 {
		load, s.todo = s.todo[0], s.todo[1:]
		load.queued = false
		if !load.gone {
			return 0, false, load
		}
	}
	s.todo = nil
	s.writing = false
	return 0, false, nil
}

// stop notes that the pump has ended.
func (s *Session) stop() {
	s.mu.Lock()
	s.writing = false
	s.mu.Unlock()
}

// wrote notes what the socket took: what may be acknowledged, and how long it took to get there.
func (s *Session) wrote(list []entry) {
	now := time.Now()
	s.mu.Lock()
	for i := range list {
		s.written++
		if e := &list[i]; e.sub != nil {
			e.sub.wrote(e.m)
		}
	}
	s.mu.Unlock()
	for i := range list {
		if at := list[i].m.At; !at.IsZero() {
			s.hub.m.delivery.Observe(now.Sub(at).Seconds())
		}
		list[i] = entry{}
	}
}
