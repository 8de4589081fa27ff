package wsconn

import (
	"crypto/tls"
	"errors"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"doorbell/hub"
)

// How a write waits for a client.
const (
	writeStep   = 2 * time.Second // after so long we look whether anything moved
	writeStalls = 5               // looks without any byte taken before the client counts as dead: 10 s
	sendBuffer  = 16 << 10        // bytes the kernel keeps for a client; without a limit it takes megabytes
	tlsPart     = 4 << 10         // bytes written at once over TLS, where a record cannot be cut in two
)

// patientConn carries the frames of a WebSocket to a client. It waits for a slow one as long as it takes anything at
// all, and goes on with the rest. Writes of different goroutines do not mix, each is one whole frame, and none follows
// a close frame or a frame that was cut short.
type patientConn struct {
	net.Conn
	tls     bool
	closing atomic.Bool // writes give up at the next look
	early   []byte      // read already: comes before what Conn has. Owned by the goroutine that reads

	mu   sync.Mutex // one frame at a time; guards the following
	over bool       // nothing more may be written
}

func (c *patientConn) init(conn net.Conn) {
	c.Conn = conn
	_, c.tls = conn.(*tls.Conn)
	limitSendBuffer(conn)
}

// tcp is the connection below c that the kernel knows.
func tcp(c net.Conn) net.Conn {
	if t, ok := c.(interface{ NetConn() net.Conn }); ok {
		return t.NetConn()
	}
	return c
}

func limitSendBuffer(c net.Conn) {
	if t, ok := tcp(c).(interface{ SetWriteBuffer(int) error }); ok {
		_ = t.SetWriteBuffer(sendBuffer) // a pipe in tests has none
	}
}

// forget has Close throw away what the kernel keeps for the client, which otherwise tries for minutes to send it.
func (c *patientConn) forget() {
	if t, ok := tcp(c.Conn).(interface{ SetLinger(int) error }); ok {
		_ = t.SetLinger(0)
	}
}

// endWrites tells the client that nothing more will come.
func (c *patientConn) endWrites() {
	if t, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		_ = t.CloseWrite() // a pipe in tests cannot
	}
}

// Read reads what the client sent.
func (c *patientConn) Read(p []byte) (int, error) {
	if len(c.early) > 0 {
		n := copy(p, c.early)
		if c.early = c.early[n:]; len(c.early) == 0 {
			c.early = nil // keeps nothing alive
		}
		return n, nil
	}
	return c.Conn.Read(p)
}

// Write writes all of a frame, or fails with hub.ErrNoProgress when the client took nothing for 10 s.
func (c *patientConn) Write(frame []byte) (n int, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over {
		return 0, errOver
	}
	c.over = frame[0] == final|opClose
	part, step := len(frame), writeStep
	if c.tls {
		part, step = tlsPart, writeStep*writeStalls
	}
	for n < len(frame) && err == nil {
		var m int
		m, err = c.writePart(frame[n:min(len(frame), n+part)], step)
		n += m
	}
	c.over = c.over || err != nil
	return n, err
}

// writePart writes p and looks every step whether anything moved.
func (c *patientConn) writePart(p []byte, step time.Duration) (n int, err error) {
	for stalls := 0; ; {
		if err := c.Conn.SetWriteDeadline(time.Now().Add(step)); err != nil {
			return n, err
		}
		m, err := c.Conn.Write(p[n:])
		n += m
		switch {
		case err == nil:
			return n, nil
		case !errors.Is(err, os.ErrDeadlineExceeded):
			return n, err
		case m > 0:
			stalls = 0
		default:
			stalls++
		}
		if c.closing.Load() || c.tls || stalls >= writeStalls {
			return n, hub.ErrNoProgress
		}
	}
}

var errOver = errors.New("wsconn: closing")
