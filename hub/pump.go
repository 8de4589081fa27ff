package hub

import (
	"sync"
	"sync/atomic"
	"time"
)

// batch is what is written at once.
type batch [inlineMsgs * 4]*Message

// batches are handed to Conn.Write and so cannot stand on the pump's stack; a pump of its own for each would be an
// allocation per watcher and event.
var batches = sync.Pool{New: func() any { return new(batch) }}

// write is the pump: it writes what waits, oldest first, loads what must be loaded when nothing waits, and ends when
// there is nothing left. It is the only goroutine that writes to the connection.
func (s *Session) write() {
	defer s.hub.pumps.leave()
	b := batches.Get().(*batch)
	defer batches.Put(b)
	for {
		n, ping, load := s.take(b)
		switch {
		case n > 0:
			err := s.conn.Write(b[:n])
			if err == nil {
				s.wrote(b[:n])
			}
			clear(b[:n]) // a pooled batch keeps no message alive
			if err != nil {
				s.End(endingOfWrite(err))
				return
			}
		case ping:
			if err := s.conn.Ping(); err != nil {
				s.End(endingOfWrite(err))
				return
			}
		case load != nil:
			if e := s.load(load); e != nil {
				s.End(*e)
				return
			}
		default:
			return // take has noted that nobody writes any more
		}
	}
}

// take moves the oldest messages into b, at most batchLimit bytes of them. With none, it tells of a ping or a load that
// is due; with nothing at all, the pump has ended.
func (s *Session) take(b *batch) (n int, ping bool, load *sub) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		s.writing = false
		return 0, false, nil
	}
	bytes := 0
	for n < len(b) && n < len(s.queue) {
		e := &s.queue[n]
		size := len(e.m.Frame)
		if n > 0 && bytes+size > batchLimit {
			break
		}
		bytes += size
		if b[n] = e.m; e.sub != nil {
			e.sub.took(e.m)
		}
		n++
	}
	if n == len(s.queue) {
		n = s.takeLatest(b, n)
	}
	if n > 0 {
		s.queued -= bytes
		if s.queue = s.queue[min(n, len(s.queue)):]; len(s.queue) == 0 {
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

// wrote counts what the socket took, and how long it took to get there.
func (s *Session) wrote(list []*Message) {
	now := time.Now()
	s.mu.Lock()
	s.written += int64(len(list))
	s.mu.Unlock()
	for _, m := range list {
		if !m.At.IsZero() {
			s.hub.m.delivery.Observe(now.Sub(m.At).Seconds())
		}
	}
}

// pumps counts the pumps that run, until it is closed: then none starts any more. A WaitGroup would not do, since a
// session that was being admitted may want its pump after the wait for the others has begun.
type pumps struct {
	n    atomic.Int64  // how many run; pumpsClosed is added once none may start
	last chan struct{} // closed when it is closed and none runs
	once sync.Once     // closes last
}

const pumpsClosed = -1 << 40

// enter reports whether a pump may start; then leave must be called when it has ended.
func (p *pumps) enter() bool {
	if p.n.Add(1) > 0 {
		return true
	}
	p.leave()
	return false
}

func (p *pumps) leave() { p.check(p.n.Add(-1)) }

// close lets no pump start any more and waits for those that run. It is called once.
func (p *pumps) close() {
	p.check(p.n.Add(pumpsClosed))
	<-p.last
}

func (p *pumps) check(n int64) {
	if n == pumpsClosed {
		p.once.Do(func() { close(p.last) })
	}
}
