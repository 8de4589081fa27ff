package proxytest

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"syscall"
	"time"
)

// link is one connection of a client and the one to the target that belongs to it.
type link struct {
	p       *Proxy
	number  int // from 1
	client  net.Conn
	replies bool          // what the server says is cut into replies
	done    chan struct{} // closed when the link is over

	mu     sync.Mutex // guards the following
	server net.Conn   // nil until it is dialled
	over   bool
}

// chunk is bytes on their way.
type chunk struct {
	bytes []byte
	due   time.Time // not before; zero = at once
	end   error     // not nil: no bytes, but why there will be no more
}

const (
	chunkSize = 16 << 10
	inFlight  = 256 // chunks of one direction that a delay can hold back; then the sender feels it
)

// run dials the target and forwards in both directions until both have ended.
func (l *link) run() {
	defer l.close()
	if !l.p.pass(l, time.Time{}) {
		return
	}
	server, err := l.dial()
	if err != nil {
		l.reset() // the nearest thing to a refused connection
		return
	}
	var pumps sync.WaitGroup
	pumps.Go(func() { l.pump(server, raw(l.client)) })
	if l.replies {
		pumps.Go(func() { l.pump(l.client, l.hooked(server)) })
	} else {
		pumps.Go(func() { l.pump(l.client, raw(server)) })
	}
	pumps.Wait()
}

func (l *link) dial() (net.Conn, error) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		select {
		case <-l.done:
			cancel()
		case <-ctx.Done():
		}
	}()
	l.p.mu.Lock()
	target := l.p.target
	l.p.mu.Unlock()
	server, err := (&net.Dialer{}).DialContext(ctx, "tcp", target)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over {
		_ = server.Close()
		return nil, net.ErrClosed
	}
	l.server = server
	return server, nil
}

// pump carries what next gives to dst, the end of it included.
func (l *link) pump(dst net.Conn, next func() ([][]byte, error)) {
	queue := make(chan chunk, inFlight)
	var writer sync.WaitGroup
	defer writer.Wait()
	defer close(queue)
	writer.Go(func() {
		for c := range queue {
			if !l.p.pass(l, c.due) || !l.write(dst, c) {
				return
			}
		}
	})
	for {
		all, err := next()
		due := l.p.due()
		for _, b := range all {
			if !l.send(queue, chunk{bytes: b, due: due}) {
				return
			}
		}
		if err != nil {
			l.send(queue, chunk{due: due, end: err})
			return
		}
	}
}

func (l *link) send(queue chan<- chunk, c chunk) bool {
	select {
	case queue <- c:
		return true
	case <-l.done:
		return false
	}
}

// write is false when nothing more will go to dst.
func (l *link) write(dst net.Conn, c chunk) bool {
	switch {
	case c.end == nil:
		if _, err := dst.Write(c.bytes); err == nil {
			return true
		}
	case errors.Is(c.end, io.EOF): // the other half may go on, as it would without a proxy
		if dst.(*net.TCPConn).CloseWrite() == nil {
			return false
		}
	case errors.Is(c.end, syscall.ECONNRESET):
		l.reset()
	}
	l.close()
	return false
}

// raw reads src as it comes.
func raw(src net.Conn) func() ([][]byte, error) {
	return func() ([][]byte, error) {
		b := make([]byte, chunkSize)
		n, err := src.Read(b)
		if n == 0 {
			return nil, err
		}
		return [][]byte{b[:n]}, err
	}
}

// close ends both connections. What the kernel still holds may reach its end.
func (l *link) close() { l.finish(func(c net.Conn) { _ = c.Close() }) }

// reset ends both connections with an RST.
func (l *link) reset() { l.finish(reset) }

func reset(c net.Conn) {
	_ = c.(*net.TCPConn).SetLinger(0)
	_ = c.Close()
}

func (l *link) finish(end func(net.Conn)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over {
		return
	}
	l.over = true
	close(l.done)
	end(l.client)
	if l.server != nil {
		end(l.server)
	}
	l.p.mu.Lock()
	delete(l.p.links, l)
	l.p.mu.Unlock()
}
