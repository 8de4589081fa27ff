package callback

import (
	"context"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"doorbell/orders"
)

// field is a real network of receivers: one server, which answers at as many loopback addresses as there are endpoints.
type field struct {
	endpoints []Endpoint
	engine    *Engine
	client    *Client

	mu   sync.Mutex // guards the following
	made map[string]time.Time
	took []time.Duration // from the commit until the receiver had the request, of those that answer
	want int
	all  chan struct{} // closed when want have come
}

// hanging ends the path of endpoints that never answer.
const hanging = "/hangs"

// start sets up n endpoints, every fifth of which hangs if hang, and runs an engine for them.
func start(b *testing.B, n int, secure, hang bool) *field {
	b.Helper()
	f := &field{made: map[string]time.Time{}}
	s := httptest.NewUnstartedServer(f)
	_ = s.Listener.Close()
	l, err := net.Listen("tcp4", ":0") // all of 127/8
	if err != nil {
		b.Fatal(err)
	}
	s.Listener = l
	s.EnableHTTP2 = true
	roots := x509.NewCertPool()
	scheme := "http"
	if secure {
		scheme = "https"
		s.StartTLS()
		roots.AddCert(s.Certificate())
	} else {
		s.Start()
	}
	u, _ := url.Parse(s.URL)
	d := newDisk()
	for i := range n {
		e := at(fmt.Sprintf("%d.test", i))
		e.URL = fmt.Sprintf("%s://127.0.%d.%d:%s/cb", scheme, i/250, i%250+1, u.Port())
		if secure { // the certificate is for one address
			e.URL = fmt.Sprintf("%s://127.0.0.1:%s/cb/%d", scheme, u.Port(), i)
		}
		if hang && i%5 == 0 {
			e.URL += hanging
		}
		f.endpoints = append(f.endpoints, e)
		d.endpoints[e.ID] = e
		t, _ := e.target(KindEvent)
		d.proven[originOf(t)] = true
	}
	f.client = NewClient(ClientConfig{Guard: NewGuard(loopback, nil), Roots: roots})
	engine, err := New(d.door("one", true), Config{Client: f.client, Log: zerolog.Nop()})
	if err != nil {
		b.Fatal(err)
	}
	engine.cfg.Drain = time.Millisecond
	f.engine = engine
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { _ = engine.Run(ctx); close(ended) }()
	b.Cleanup(func() {
		cancel()
		<-ended
		f.client.Close()
		s.CloseClientConnections()
		s.Close()
	})
	for engine.held() == 0 {
		time.Sleep(time.Millisecond)
	}
	return f
}

func (f *field) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	now := time.Now()
	_, _ = io.Copy(io.Discard, r.Body)
	if strings.HasSuffix(r.URL.Path, hanging) {
		<-r.Context().Done()
		return
	}
	w.WriteHeader(http.StatusAccepted)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.took = append(f.took, now.Sub(f.made[r.Header.Get(headerID)]))
	if len(f.took) == f.want {
		close(f.all)
	}
}

// feed commits n callbacks, spread over the endpoints, so many a second (0: as fast as it goes), and waits for those
// that are answered.
func (f *field) feed(b *testing.B, round, n, rate int) {
	b.Helper()
	body := []byte(`{"eventId":"` + strings.Repeat("x", 800) + `"}`)
	answered := 0
	for i := range n {
		if !strings.HasSuffix(f.endpoints[i%len(f.endpoints)].URL, hanging) {
			answered++
		}
	}
	f.mu.Lock()
	f.took, f.want, f.all = nil, answered, make(chan struct{})
	all := f.all
	f.mu.Unlock()
	begun := time.Now()
	for i := range n {
		if rate > 0 {
			if d := time.Until(begun.Add(time.Duration(i) * time.Second / time.Duration(rate))); d > 0 {
				time.Sleep(d)
			}
		}
		r := row(f.endpoints[i%len(f.endpoints)], fmt.Sprintf("ord_%d_%d", round, i), 1, orders.OrderAmended)
		r.Body = body
		f.mu.Lock()
		f.made[r.MessageID()] = time.Now()
		f.mu.Unlock()
		f.engine.store.(*door).disk.commit(r)
		f.engine.Fresh([]Row{r})
	}
	if answered == 0 {
		return
	}
	select {
	case <-all:
	case <-time.After(time.Minute):
		f.mu.Lock()
		defer f.mu.Unlock()
		b.Fatalf("%d of %d arrived", len(f.took), f.want)
	}
}

func (f *field) report(b *testing.B, n int, d time.Duration) {
	b.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.took) == 0 {
		return
	}
	slices.Sort(f.took)
	p50, p99 := f.took[len(f.took)/2], f.took[len(f.took)*99/100]
	b.ReportMetric(float64(p50.Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(p99.Microseconds())/1000, "p99-ms")
	b.ReportMetric(float64(n)/d.Seconds(), "callbacks/s")
	b.ReportMetric(100*float64(f.client.opened.Load())/float64(n), "conns-%")
}

// BenchmarkFirstByte: 1,000 callbacks a second to 100 endpoints. One iteration is a callback; use -benchtime 10000x.
func BenchmarkFirstByte(b *testing.B) {
	for name, secure := range map[string]bool{"plain": false, "tls": true} {
		b.Run(name, func(b *testing.B) {
			f := start(b, 100, secure, false)
			b.ResetTimer()
			f.feed(b, 0, b.N, 1000)
			f.report(b, b.N, b.Elapsed())
		})
	}
}

// BenchmarkThroughput: callbacks to 1,000 endpoints, as fast as it goes.
func BenchmarkThroughput(b *testing.B) {
	for name, secure := range map[string]bool{"plain": false, "tls": true} {
		b.Run(name, func(b *testing.B) {
			f := start(b, 1000, secure, false)
			b.ResetTimer()
			f.feed(b, 0, b.N, 0)
			f.report(b, b.N, b.Elapsed())
		})
	}
}

// BenchmarkHanging: 500 callbacks a second to 100 endpoints, without and with a fifth of them to endpoints that hang.
func BenchmarkHanging(b *testing.B) {
	for _, hang := range []bool{false, true} {
		b.Run(fmt.Sprintf("hang=%v", hang), func(b *testing.B) {
			f := start(b, 100, false, hang)
			b.ResetTimer()
			f.feed(b, 0, b.N, 500)
			f.report(b, b.N, b.Elapsed())
		})
	}
}
