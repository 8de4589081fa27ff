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

// How long a write waits for a client.
const (
	writeStep   = 2 * time.Second // after so long we look whether anything moved
	writeStalls = 5               // looks without any byte taken before the client counts as dead: 10 s
	sendBuffer  = 16 << 10        // bytes the kernel keeps for a client; without a limit it takes megabytes
)

// patientConn is a connection that waits for a slow client as long as it takes anything at all, and goes on with the
// rest. Writes of different goroutines do not mix. Of TLS, whose records cannot be cut in two, a write has the whole
// time at once.
type patientConn struct {
	net.Conn
	tls     bool
	closing atomic.Bool // writes give up at the next look
	heard   func()      // called when the client sent something; set before the first read

	mu sync.Mutex // one write at a time
}

func newPatientConn(c net.Conn) *patientConn {
	p := &patientConn{Conn: c, heard: func() {}}
	inner := c
	if t, ok := c.(*tls.Conn); ok {
		p.tls, inner = true, t.NetConn()
	}
	if t, ok := inner.(interface{ SetWriteBuffer(int) error }); ok {
		_ = t.SetWriteBuffer(sendBuffer) // a pipe in tests has none
	}
	return p
}

// Read notes every sign of life.
func (c *patientConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 {
		c.heard()
	}
	return n, err
}

// Write writes all of p, or fails with hub.ErrNoProgress when the client took nothing for 10 s.
func (c *patientConn) Write(p []byte) (n int, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	step := writeStep
	if c.tls {
		step = writeStep * writeStalls
	}
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
