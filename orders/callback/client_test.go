package callback

import (
	"bufio"
	"context"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// loopback lets tests reach their own servers.
var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}

// secure is a TLS server with HTTP/2, and a client that trusts it and is less patient than usual.
func secure(t *testing.T, h http.HandlerFunc) (*httptest.Server, *Client) {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.EnableHTTP2 = true
	s.StartTLS()
	t.Cleanup(s.Close)
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	return s, impatient(t, ClientConfig{Guard: NewGuard(loopback, nil), Roots: roots})
}

func impatient(t *testing.T, cfg ClientConfig) *Client {
	t.Helper()
	c := NewClient(cfg)
	c.dialer.Timeout = 400 * time.Millisecond
	c.transport.TLSHandshakeTimeout = 400 * time.Millisecond
	c.transport.ResponseHeaderTimeout = 500 * time.Millisecond
	c.total = time.Second
	t.Cleanup(c.Close)
	return c
}

func open(t *testing.T) *Client { return impatient(t, ClientConfig{Guard: NewGuard(loopback, nil)}) }

// listen is a raw TCP server: f serves each connection, the n-th from 0.
func listen(t *testing.T, f func(n int, c net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	var mu sync.Mutex
	var conns []net.Conn
	all.Go(func() {
		for n := 0; ; n++ {
			c, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			conns = append(conns, c)
			mu.Unlock()
			all.Go(func() { defer c.Close(); f(n, c) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		mu.Lock()
		for _, c := range conns {
			_ = c.Close()
		}
		mu.Unlock()
		all.Wait()
	})
	return l.Addr().String()
}

func send(t *testing.T, c *Client, to string) Answer {
	t.Helper()
	u, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	return c.Send(t.Context(), Request{URL: u, ID: "ord_1:5", Body: []byte(`{"seq":5}`), Secrets: []Secret{NewSecret()}, At: time.Now()})
}

func TestClientRequest(t *testing.T) {
	got := make(chan *http.Request, 1)
	s, c := secure(t, func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		r.Header.Set("Test-Body", string(b))
		got <- r
		w.WriteHeader(http.StatusAccepted)
	})
	a := send(t, c, s.URL+"/cb/order-status")
	r := <-got
	if !a.ok() || a.Error != "" || a.Stage != "" || a.Reused || a.Repeated {
		t.Errorf("%+v", a)
	}
	if r.ProtoMajor != 2 || r.Method != "POST" || r.URL.Path != "/cb/order-status" || r.Header.Get("Test-Body") != `{"seq":5}` {
		t.Errorf("%s %s %s %q", r.Proto, r.Method, r.URL, r.Header.Get("Test-Body"))
	}
	for _, h := range []string{"webhook-id", "webhook-timestamp", "webhook-signature", "content-type", "user-agent", "content-length"} {
		if r.Header.Get(h) == "" {
			t.Errorf("no %s", h)
		}
	}
	if v := a.Timings; v.Connect == 0 || v.TLS == 0 || v.FirstByte == 0 || v.Total < v.Connect+v.TLS || a.Wrote.IsZero() {
		t.Errorf("timings %+v", v)
	}
	a = send(t, c, s.URL)
	<-got
	if v := a.Timings; !a.Reused || v.Connect != 0 || v.TLS != 0 || v.FirstByte == 0 {
		t.Errorf("the second went %+v", a)
	}
}

// TestClientConnections: connections are kept, on HTTP/1.1 too, so that few requests open one.
func TestClientConnections(t *testing.T) {
	for _, h2 := range []bool{true, false} {
		t.Run(fmt.Sprintf("HTTP/2 %v", h2), func(t *testing.T) {
			s, c := secure(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusAccepted) })
			c.total, c.transport.ResponseHeaderTimeout, c.transport.TLSHandshakeTimeout, c.dialer.Timeout = time.Minute, time.Minute, time.Minute, time.Minute
			c.transport.ForceAttemptHTTP2 = h2
			const at, each = 16, 60
			var all sync.WaitGroup
			var bad atomic.Int64
			for range at {
				all.Go(func() {
					for range each {
						if a := send(t, c, s.URL); !a.ok() {
							bad.Add(1)
						}
					}
				})
			}
			all.Wait()
			if n := c.opened.Load(); bad.Load() > 0 || n > at*each*15/100 {
				t.Errorf("%d connections for %d requests, %d failed", n, at*each, bad.Load())
			}
		})
	}
}

func TestClientFailures(t *testing.T) {
	want := func(t *testing.T, a Answer, stage Stage, text string, within time.Duration) {
		t.Helper()
		if a.ok() || a.Stage != stage || a.Error != text || a.Timings.Total > within {
			t.Errorf("status %d, failed at %q with %q (%v) after %v, want %q, %q within %v", a.Status, a.Stage, a.Error, a.Cause, a.Timings.Total, stage, text, within)
		}
	}
	const soon = 900 * time.Millisecond
	t.Run("a name server that hangs", func(t *testing.T) {
		c := impatient(t, ClientConfig{Guard: NewGuard(loopback, nil), Resolver: names(t, nil)})
		want(t, send(t, c, "https://a.test/"), StageDNS, textLookup, soon)
	})
	t.Run("a host that does not answer", func(t *testing.T) {
		want(t, send(t, open(t), "https://"+silent(t)), StageConnect, textConnect, soon)
	})
	t.Run("a closed port, and an address that is not allowed, look alike", func(t *testing.T) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		to := l.Addr().String()
		_ = l.Close()
		refused, blocked := send(t, open(t), "https://"+to), send(t, impatient(t, ClientConfig{}), "https://"+to)
		want(t, refused, StageConnect, textConnect, soon)
		want(t, blocked, StageConnect, textConnect, soon)
	})
	t.Run("TLS that hangs", func(t *testing.T) {
		to := listen(t, func(_ int, c net.Conn) { _, _ = io.Copy(io.Discard, c) })
		want(t, send(t, open(t), "https://"+to), StageTLS, textTime, soon)
	})
	t.Run("no TLS at all", func(t *testing.T) {
		to := listen(t, func(_ int, c net.Conn) { _, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\n") })
		want(t, send(t, open(t), "https://"+to), StageTLS, textTLS, soon)
	})
	t.Run("a certificate nobody vouches for", func(t *testing.T) {
		s, _ := secure(t, nil)
		s.Config.ErrorLog = nil
		want(t, send(t, open(t), s.URL), StageTLS, textCertificate, soon)
	})
	t.Run("a certificate of another host", func(t *testing.T) {
		s, c := secure(t, nil)
		c.dialer.Resolver = names(t, func(int) net.IP { return net.IPv4(127, 0, 0, 1) })
		_, port, _ := net.SplitHostPort(s.Listener.Addr().String())
		want(t, send(t, c, "https://other.test:"+port), StageTLS, textCertificate, soon)
	})
	t.Run("no answer", func(t *testing.T) {
		s, c := secure(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		want(t, send(t, c, s.URL), StageFirstByte, textTime, soon)
	})
	t.Run("a header that comes a byte at a time", func(t *testing.T) {
		to := listen(t, func(_ int, c net.Conn) {
			_, _ = bufio.NewReader(c).ReadString('}')
			for _, b := range []byte("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n") {
				if _, err := c.Write([]byte{b}); err != nil {
					return
				}
				time.Sleep(50 * time.Millisecond) // the peer's pace, nothing waits for it
			}
		})
		want(t, send(t, open(t), "http://"+to), StageFirstByte, textTime, soon)
	})
	t.Run("a header of gigabytes", func(t *testing.T) {
		to := listen(t, func(_ int, c net.Conn) {
			_, _ = bufio.NewReader(c).ReadString('}')
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\n")
			for {
				if _, err := io.WriteString(c, "X: "+strings.Repeat("y", 4000)+"\r\n"); err != nil {
					return
				}
			}
		})
		want(t, send(t, open(t), "http://"+to), StageFirstByte, textHeader, soon)
	})
	t.Run("not HTTP", func(t *testing.T) {
		to := listen(t, func(_ int, c net.Conn) {
			_, _ = bufio.NewReader(c).ReadString('}')
			_, _ = io.WriteString(c, "220 mail.test ESMTP\r\n")
		})
		want(t, send(t, open(t), "http://"+to), StageFirstByte, textHeader, soon)
	})
	t.Run("an end without an answer", func(t *testing.T) {
		to := listen(t, func(_ int, c net.Conn) { _, _ = bufio.NewReader(c).ReadString('}') })
		want(t, send(t, open(t), "http://"+to), StageFirstByte, textBroke, soon)
	})
	t.Run("a redirect to a private address is not followed", func(t *testing.T) {
		var hit atomic.Bool
		private := listen(t, func(int, net.Conn) { hit.Store(true) })
		s, c := secure(t, func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://"+private, http.StatusTemporaryRedirect)
		})
		want(t, send(t, c, s.URL), StageAnswer, textRedirect, soon)
		if hit.Load() {
			t.Error("followed")
		}
	})
	t.Run("a status that is not 2xx", func(t *testing.T) {
		s, c := secure(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "7")
			w.Header().Set("webhook-delivery", "abort-message")
			w.WriteHeader(503)
			_, _ = io.WriteString(w, strings.Repeat("z", 5000))
		})
		a := send(t, c, s.URL)
		want(t, a, StageAnswer, textStatus, soon)
		if a.Status != 503 || len(a.Excerpt) != maxExcerpt || a.RetryAfter != 7*time.Second || !a.HasRetryAfter || a.Delivery != deliveryAbort {
			t.Errorf("%+v", a)
		}
	})
	t.Run("an opened prefix does not open plain http to others", func(t *testing.T) {
		c := impatient(t, ClientConfig{Guard: NewGuard([]netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}, nil)})
		to := listen(t, func(int, net.Conn) { t.Error("connected") })
		want(t, send(t, c, "http://"+to), StageConnect, textConnect, soon)
	})
	t.Run("cancelled", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		s, c := secure(t, func(_ http.ResponseWriter, r *http.Request) { cancel(); <-r.Context().Done() })
		u, _ := url.Parse(s.URL)
		if a := c.Send(ctx, Request{URL: u}); a.ok() || a.Timings.Total > soon {
			t.Errorf("%+v", a)
		}
	})
}

// TestClientLongAnswers: what comes behind a 2xx header decides nothing, and costs little.
func TestClientLongAnswers(t *testing.T) {
	t.Run("a byte a second", func(t *testing.T) {
		s, c := secure(t, func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusOK)
			for r.Context().Err() == nil {
				_, _ = io.WriteString(w, ".")
				_ = http.NewResponseController(w).Flush()
				pause(r.Context(), 100*time.Millisecond)
			}
		})
		if a := send(t, c, s.URL); !a.ok() || a.Timings.Total > drainTime+500*time.Millisecond {
			t.Errorf("%+v", a)
		}
	})
	t.Run("gigabytes", func(t *testing.T) {
		for _, h2 := range []bool{true, false} {
			var sent atomic.Int64
			ended := make(chan struct{})
			s, c := secure(t, func(w http.ResponseWriter, _ *http.Request) {
				defer close(ended)
				b := make([]byte, 1<<15)
				for {
					n, err := w.Write(b)
					sent.Add(int64(n))
					if err != nil {
						return
					}
				}
			})
			c.transport.ForceAttemptHTTP2 = h2
			if a := send(t, c, s.URL); !a.ok() || a.Timings.Total > 500*time.Millisecond {
				t.Errorf("%+v", a)
			}
			<-ended
			if n := sent.Load(); n > 16<<20 {
				t.Errorf("the peer got rid of %d bytes", n)
			}
		}
	})
}

// TestClientRepeats: a used connection that dies unanswered is the usual end of an idle one.
func TestClientRepeats(t *testing.T) {
	type seen struct {
		conn int
		id   string
	}
	for _, c := range []struct {
		name   string
		answer func(conn, request int) bool // else the connection ends
		ok     bool
		want   []seen
	}{
		{"on another connection, once, under the same id", func(conn, request int) bool { return conn > 0 || request == 0 }, true, []seen{{0, "ord_1:5"}, {0, "ord_1:5"}, {1, "ord_1:5"}}},
		{"not twice", func(conn, request int) bool { return conn == 0 && request == 0 }, false, []seen{{0, "ord_1:5"}, {0, "ord_1:5"}, {1, "ord_1:5"}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var mu sync.Mutex
			var got []seen
			to := listen(t, func(n int, conn net.Conn) {
				in := bufio.NewReader(conn)
				for i := 0; ; i++ {
					r, err := http.ReadRequest(in)
					if err != nil {
						return
					}
					_, _ = io.Copy(io.Discard, r.Body)
					mu.Lock()
					got = append(got, seen{n, r.Header.Get(headerID)})
					mu.Unlock()
					if !c.answer(n, i) {
						return
					}
					_, _ = io.WriteString(conn, "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n")
				}
			})
			client := open(t)
			if a := send(t, client, "http://"+to); !a.ok() || a.Repeated {
				t.Fatalf("%+v", a)
			}
			if a := send(t, client, "http://"+to); a.ok() != c.ok || !a.Repeated {
				t.Errorf("%+v", a)
			}
			mu.Lock()
			defer mu.Unlock()
			if fmt.Sprint(got) != fmt.Sprint(c.want) {
				t.Errorf("the peer saw %v, want %v", got, c.want)
			}
		})
	}
}

// TestClientDeadHTTP2Peer: a peer that stops reading without a word is found out by pings, and another connection made.
// By the times in client.go that takes 20 s; here they are shorter.
func TestClientDeadHTTP2Peer(t *testing.T) {
	s, c := secure(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusAccepted) })
	if d := pingAfter + pingTime; d > 25*time.Second {
		t.Errorf("with real times it takes %v", d)
	}
	c.transport.HTTP2.SendPingTimeout, c.transport.HTTP2.PingTimeout = 300*time.Millisecond, 200*time.Millisecond
	var frozen atomic.Bool
	relay := listen(t, func(n int, near net.Conn) {
		far, err := net.Dial("tcp", s.Listener.Addr().String())
		if err != nil {
			return
		}
		defer far.Close()
		done := make(chan struct{})
		go func() { defer close(done); pass(near, far, n == 0, &frozen) }()
		pass(far, near, n == 0, &frozen)
		_ = near.Close()
		_ = far.Close()
		<-done
	})
	if a := send(t, c, "https://"+relay); !a.ok() {
		t.Fatalf("%+v", a)
	}
	frozen.Store(true)
	begun := time.Now()
	for {
		a := send(t, c, "https://"+relay)
		if a.ok() {
			break
		}
		if time.Since(begun) > 5*time.Second {
			t.Fatalf("not back after %v: %+v", time.Since(begun), a)
		}
	}
}

// pass copies until an end; once frozen, it swallows what comes and keeps the connection.
func pass(to, from net.Conn, freezes bool, frozen *atomic.Bool) {
	b := make([]byte, 1<<14)
	for {
		_ = from.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
		n, err := from.Read(b)
		if e, ok := err.(net.Error); err != nil && !(ok && e.Timeout()) {
			return
		}
		if freezes && frozen.Load() {
			continue // swallowed, as if it were lost on the way
		}
		if _, err := to.Write(b[:n]); err != nil {
			return
		}
	}
}

// TestClientRebinding: a name that answers with a public address first and with a private one at the connection reaches
// nobody.
func TestClientRebinding(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.99.1:8443") // a port that is allowed
	if err != nil {
		t.Fatal(err)
	}
	var hit atomic.Bool
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if c, err := l.Accept(); err == nil {
			hit.Store(true)
			_ = c.Close()
		}
	}()
	resolver := names(t, func(n int) net.IP {
		if n == 0 {
			return net.IPv4(93, 184, 216, 34)
		}
		return net.IPv4(127, 0, 99, 1)
	})
	if ip, err := resolver.LookupIP(t.Context(), "ip4", "rebinds.test"); err != nil || !ip[0].Equal(net.IPv4(93, 184, 216, 34)) {
		t.Fatalf("the check sees %v, %v", ip, err)
	}
	a := send(t, impatient(t, ClientConfig{Resolver: resolver}), "https://rebinds.test:8443/")
	if a.Stage != StageConnect || a.Error != textConnect {
		t.Errorf("%+v", a)
	}
	_ = l.Close()
	<-ended
	if hit.Load() {
		t.Error("a private address was connected to")
	}
}

// TestClientNoProxy: whatever the environment says.
func TestClientNoProxy(t *testing.T) {
	proxy := listen(t, func(int, net.Conn) { t.Error("the proxy was asked") })
	for _, name := range []string{"HTTPS_PROXY", "HTTP_PROXY", "https_proxy", "http_proxy", "ALL_PROXY"} {
		t.Setenv(name, "http://"+proxy)
	}
	c := impatient(t, ClientConfig{Resolver: names(t, func(int) net.IP { return net.IPv4(10, 1, 2, 3) })})
	if a := send(t, c, "https://a.test/"); a.Error != textConnect {
		t.Errorf("%+v", a)
	}
}

// silent is the address of a listener whose queue is full: a connection to it is neither made nor refused.
func silent(t *testing.T) string {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Close(fd) })
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Listen(fd, 0); err != nil {
		t.Fatal(err)
	}
	name, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	to := fmt.Sprintf("127.0.0.1:%d", name.(*syscall.SockaddrInet4).Port)
	for range 10 { // until it is full
		c, err := net.DialTimeout("tcp", to, 100*time.Millisecond)
		if err != nil {
			return to
		}
		t.Cleanup(func() { _ = c.Close() })
	}
	t.Fatal("the queue does not fill")
	return ""
}
