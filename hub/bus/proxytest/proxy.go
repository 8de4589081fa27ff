package proxytest

import (
	"maps"
	"net"
	"slices"
	"sync"
	"testing"
	"time"
)

// Proxy forwards TCP connections to a target. Its methods may be called at any time, by any goroutine.
type Proxy struct {
	listener net.Listener
	running  sync.WaitGroup // the accept loop and all that the links run

	mu      sync.Mutex // guards the following
	target  string
	state   state
	delay   time.Duration
	onReply OnReply       // nil: connections made now are not cut into replies
	changed chan struct{} // closed and replaced whenever state or delay changes
	links   map[*link]struct{}
	made    int // connections so far; the number of the newest
	closed  bool

	hook sync.Mutex // held while an OnReply runs, so that it needs no lock of its own
}

type state int

const (
	forwarding state = iota
	cut              // connections are closed as they come
	hole             // connections are taken and no byte passes
)

// acceptPause keeps a process that is out of file descriptors from trying as fast as it can.
const acceptPause = 10 * time.Millisecond

// New starts a proxy to target ("host:port") that ends with the test.
func New(t testing.TB, target string) *Proxy {
	t.Helper()
	p, err := Open(target)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

// Open starts a proxy to target ("host:port") on a free port of the loopback. The caller ends it with Close.
func Open(target string) (*Proxy, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &Proxy{listener: listener, target: target, changed: make(chan struct{}), links: map[*link]struct{}{}}
	p.running.Go(p.accept)
	return p, nil
}

// Close ends the proxy and its connections, and returns when nothing of it runs any more.
func (p *Proxy) Close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	_ = p.listener.Close()
	p.end((*link).close)
	p.running.Wait()
}

// Addr is where the proxy listens, as "127.0.0.1:port".
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// Conns is how many connections are open.
func (p *Proxy) Conns() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.links)
}

// Made is how many connections were made so far, and so the number of the newest.
func (p *Proxy) Made() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.made
}

func (p *Proxy) accept() {
	for {
		conn, err := p.listener.Accept()
		p.mu.Lock()
		closed := p.closed
		if err != nil || closed || p.state == cut {
			p.mu.Unlock()
			if err == nil {
				reset(conn)
			}
			if closed {
				return
			}
			if err != nil {
				time.Sleep(acceptPause)
			}
			continue
		}
		p.made++
		l := &link{p: p, number: p.made, client: conn, done: make(chan struct{}), replies: p.onReply != nil}
		p.links[l] = struct{}{}
		p.running.Go(l.run)
		p.mu.Unlock()
	}
}

// end does something to every connection there is.
func (p *Proxy) end(how func(*link)) {
	p.mu.Lock()
	all := slices.Collect(maps.Keys(p.links))
	p.mu.Unlock()
	for _, l := range all {
		how(l)
	}
}
