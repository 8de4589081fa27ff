package faults

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net"
	"sync"
	"time"

	"doorbell/hub/wire"
)

// tap listens on every socket of a client, whatever the client makes of it, and holds each frame against P2.
type tap struct {
	oracle *oracle
	name   string // of the client

	mu    sync.Mutex // guards the following
	count int        // of sockets
}

// wrap makes a dial function whose connections are listened to.
func (t *tap) wrap(dial func(ctx context.Context, network, addr string) (net.Conn, error)) func(ctx context.Context, network, addr string) (net.Conn, error) {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		t.mu.Lock()
		t.count++
		s := newSocket(t, fmt.Sprintf("%s on its socket %d to %s", t.name, t.count, conn.RemoteAddr()))
		t.mu.Unlock()
		return &tapped{Conn: conn, in: messages{each: s.hear}, out: messages{each: s.say}}, nil
	}
}

// tapped is a connection that is listened to.
type tapped struct {
	net.Conn
	in, out messages
}

func (c *tapped) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.in.feed(b[:n])
	return n, err
}

func (c *tapped) Write(b []byte) (int, error) {
	c.out.feed(b) // before it is sent, so that no answer is heard before its question
	return c.Conn.Write(b)
}

// messages cuts one direction of a WebSocket connection, its handshake included, into text messages (RFC 6455
// section 5.2). One goroutine at a time reads a connection, and writes it under the library's lock.
type messages struct {
	buf   []byte
	begun bool   // the handshake is over
	text  []byte // of a message in several frames
	each  func(message []byte)
}

func (m *messages) feed(b []byte) {
	m.buf = append(m.buf, b...)
	if !m.begun {
		_, rest, ok := bytes.Cut(m.buf, []byte("\r\n\r\n"))
		if !ok {
			return
		}
		m.begun, m.buf = true, bytes.Clone(rest)
	}
	for m.frame() {
	}
}

// frame takes one frame, and is false when there is no whole one.
func (m *messages) frame() bool {
	b := m.buf
	if len(b) < 2 {
		return false
	}
	fin, op, masked, size, head := b[0]&0x80 != 0, b[0]&0x0f, b[1]&0x80 != 0, int(b[1]&0x7f), 2
	switch size {
	case 126:
		if head = 4; len(b) < head {
			return false
		}
		size = int(binary.BigEndian.Uint16(b[2:]))
	case 127:
		if head = 10; len(b) < head {
			return false
		}
		size = int(binary.BigEndian.Uint64(b[2:]))
	}
	var mask []byte
	if masked {
		if len(b) < head+4 {
			return false
		}
		mask = b[head : head+4]
		head += 4
	}
	if len(b) < head+size {
		return false
	}
	if op < 8 { // not a control frame
		at := len(m.text)
		m.text = append(m.text, b[head:head+size]...)
		for i := range mask {
			for j := i; j < size; j += 4 {
				m.text[at+j] ^= mask[i]
			}
		}
		if fin {
			m.each(m.text)
			m.text = m.text[:0]
		}
	}
	m.buf = append(b[:0], b[head+size:]...)
	return true
}

// socket is what one socket was told.
type socket struct {
	tap  *tap
	name string

	mu     sync.Mutex                  // guards the following; the two directions come by different goroutines
	orders map[string]*told            // by id, of order topics that were asked for
	boards map[string]map[string]int64 // by topic, then by order: the last seq; nil before the first page
	buffer [16]string                  // the last lines, for the report
	lines  int
}

func newSocket(t *tap, name string) *socket {
	return &socket{tap: t, name: name, orders: map[string]*told{}, boards: map[string]map[string]int64{}}
}

// told is how far a socket is in an order's topic.
type told struct {
	last     int64
	answered bool
}

// say takes what the client says.
func (s *socket) say(message []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for line := range bytes.Lines(message) {
		s.keep("> ", line)
		var r struct {
			Op     wire.Op
			Topics []json.RawMessage
		}
		if json.Unmarshal(line, &r) != nil {
			continue
		}
		for _, raw := range r.Topics {
			var w wire.Watch
			if r.Op == wire.OpUnwatch {
				_ = json.Unmarshal(raw, &w.Topic)
				delete(s.orders, orderOf(w.Topic))
				delete(s.boards, w.Topic)
				continue
			}
			var asked struct {
				Topic string
				After int64
			}
			if json.Unmarshal(raw, &asked) != nil {
				continue
			}
			if id := orderOf(asked.Topic); id != "" {
				s.orders[id] = &told{last: asked.After}
			} else {
				s.boards[asked.Topic] = nil
			}
		}
	}
}

// hear takes what the hub says.
func (s *socket) hear(message []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for line := range bytes.Lines(message) {
		s.keep("< ", line)
		f, err := wire.ParseFrame(bytes.TrimSpace(line))
		if err != nil {
			s.wrong(0, 0, "%v: %s", err, line)
			continue
		}
		if f.Board != "" || f.Op == wire.OpSnapshot && orderOf(f.Topic) == "" {
			s.board(f)
		} else if t := s.orders[orderOf(f.Topic)]; t != nil {
			s.order(t, orderOf(f.Topic), f)
		}
	}
}

func (s *socket) keep(direction string, line []byte) {
	text := string(bytes.TrimSpace(line))
	s.buffer[s.lines%len(s.buffer)] = time.Now().Format(clock+" ") + direction + text[:min(len(text), 160)]
	s.lines++
}

func (s *socket) wrong(lost, repeated int, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	for i := max(0, s.lines-len(s.buffer)); i < s.lines; i++ {
		text += "\n      " + s.buffer[i%len(s.buffer)]
	}
	s.tap.oracle.note(lost, repeated, "%s: %s", s.name, text)
}

// order holds a frame of an order's own topic against P2.
func (s *socket) order(t *told, id string, f wire.Frame) {
	switch f.Op {
	case wire.OpEvent:
		switch {
		case f.Seq > t.last+1 || !t.answered && t.last == 0: // who has nothing is owed a snapshot
			s.wrong(max(1, int(f.Seq-t.last-1)), 0, "gap: event %d of %s after %d", f.Seq, id, t.last)
		case f.Seq <= t.last:
			s.wrong(0, 1, "repeat: event %d of %s after %d", f.Seq, id, t.last)
		}
		t.last = max(t.last, f.Seq)
	case wire.OpSnapshot:
		if f.Seq < t.last && !s.tap.oracle.mayBack(id, f.Seq) {
			s.wrong(0, 1, "step back: snapshot %d of %s after %d", f.Seq, id, t.last)
		}
		t.last = f.Seq
	case wire.OpCurrent:
		if f.Seq != t.last {
			s.wrong(0, 0, "%s is said to be current at %d, for a client at %d", id, f.Seq, t.last)
		}
	case wire.OpGone:
		if !s.tap.oracle.mayGo(id) {
			s.wrong(1, 0, "gone: %s", id)
		}
		delete(s.orders, id)
	}
	t.answered = true
}

// board holds a frame of a board against P2.
func (s *socket) board(f wire.Frame) {
	name := f.Board
	if name == "" {
		name = f.Topic
	}
	last, watched := s.boards[name]
	if !watched {
		return
	}
	if f.Board == "" {
		s.page(name, f)
		return
	}
	id := orderOf(f.Topic)
	was, shown := last[id]
	switch f.Op {
	case wire.OpEvent:
		switch {
		case !shown || f.Seq > was+1:
			s.wrong(max(1, int(f.Seq-was-1)), 0, "gap on %s: event %d of %s after %d", name, f.Seq, id, was)
		case f.Seq <= was:
			s.wrong(0, 1, "repeat on %s: event %d of %s after %d", name, f.Seq, id, was)
		}
		last[id] = max(was, f.Seq)
	case wire.OpSnapshot:
		if shown && f.Seq < was && !s.tap.oracle.mayBack(id, f.Seq) {
			s.wrong(0, 1, "step back on %s: snapshot %d of %s after %d", name, f.Seq, id, was)
		}
		last[id] = f.Seq
	case wire.OpGone:
		delete(last, id)
	}
}

// page takes a part of a board. What it leaves out was told already, or has left the board.
func (s *socket) page(name string, f wire.Frame) {
	if s.boards[name] == nil {
		s.boards[name] = map[string]int64{}
	}
	for _, raw := range f.Orders {
		var o order
		if err := json.Unmarshal(raw, &o); err != nil {
			s.wrong(0, 0, "%v: %s", err, raw)
			continue
		}
		if was := s.boards[name][o.OrderID]; o.Seq < was && !s.tap.oracle.mayBack(o.OrderID, o.Seq) {
			s.wrong(0, 1, "step back on a page of %s: %d of %s after %d", name, o.Seq, o.OrderID, was)
		}
		s.boards[name][o.OrderID] = o.Seq
	}
}
