package callback

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// pipes is a network within a test's bubble: a listener and the dialer that reaches it, whatever the address.
type pipes struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func newPipes() *pipes { return &pipes{conns: make(chan net.Conn), done: make(chan struct{})} }

func (p *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	near, far := net.Pipe()
	select {
	case p.conns <- far:
		return near, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { p.once.Do(func() { close(p.done) }); return nil }
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{} }

// arrival is a callback as a receiver saw it.
type arrival struct {
	at   time.Time
	host string
	path string
	id   string
	body string
}

// receivers are all the receivers of a test, one HTTP server for all hosts.
type receivers struct {
	net    *pipes
	server *http.Server
	ended  chan struct{}

	mu     sync.Mutex // guards the following
	got    []arrival
	answer func(n int, a arrival) reply // n: which arrival this is, from 1; nil: 202
	under  map[string]int               // host and path: requests under way
	most   map[string]int               // the most at a time
	passed []string                     // ids that came while another of their lane was under way
}

// reply is what a receiver answers.
type reply struct {
	status int // 0 = 202
	header map[string]string
	after  time.Duration
}

func newReceivers(t testing.TB) *receivers {
	r := &receivers{net: newPipes(), ended: make(chan struct{}), under: map[string]int{}, most: map[string]int{}}
	r.server = &http.Server{Handler: r}
	go func() { _ = r.server.Serve(r.net); close(r.ended) }()
	t.Cleanup(func() { _ = r.server.Close(); <-r.ended })
	return r
}

func (r *receivers) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	body, _ := io.ReadAll(q.Body)
	a := arrival{at: time.Now(), host: q.Host, path: q.URL.Path, id: q.Header.Get(headerID), body: string(body)}
	where := a.host + a.path
	order, _, _ := strings.Cut(a.id, ":")
	lane := a.host + " " + order
	r.mu.Lock()
	r.got = append(r.got, a)
	if r.under[lane] > 0 {
		r.passed = append(r.passed, a.id)
	}
	r.under[lane]++
	r.under[where]++
	r.most[where] = max(r.most[where], r.under[where])
	var out reply
	if r.answer != nil {
		out = r.answer(len(r.got), a)
	}
	r.mu.Unlock()
	defer func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.under[where]--
		r.under[lane]--
	}()
	if out.after > 0 {
		select {
		case <-time.After(out.after):
		case <-q.Context().Done():
		}
	}
	for k, v := range out.header {
		w.Header().Set(k, v)
	}
	if out.status == 0 {
		out.status = http.StatusAccepted
	}
	w.WriteHeader(out.status)
}

func (r *receivers) answers(f func(n int, a arrival) reply) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answer = f
}

func (r *receivers) always(out reply) { r.answers(func(int, arrival) reply { return out }) }

// arrivals are what came so far, oldest first.
func (r *receivers) arrivals() []arrival {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]arrival(nil), r.got...)
}

func (r *receivers) ids() (ids []string) {
	for _, a := range r.arrivals() {
		ids = append(ids, a.id)
	}
	return ids
}

// client is one whose connections all lead to the receivers.
func (r *receivers) client() *Client {
	c := NewClient(ClientConfig{})
	c.transport.DialContext = r.net.dial
	return c
}
