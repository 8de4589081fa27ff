package web_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"doorbell/orders"
	"doorbell/web"
)

// benched is a node that logs nothing.
func benched(b *testing.B) (*node, cast) {
	b.Helper()
	n := start(b, func(wc *web.Config, _ *orders.Config) { wc.Log = zerolog.Nop() })
	c := newCast(b)
	n.restaurant(c, "res_1", nil)
	return n, c
}

// BenchmarkGet304 is what a poll that finds nothing new costs the server: token, ownership, version. Target: 50 µs.
func BenchmarkGet304(b *testing.B) {
	n, c := benched(b)
	path := n.order(c, "preparing", nil)
	req := httptest.NewRequest(http.MethodGet, path, nil)
	req.Header.Set("Authorization", "Bearer "+c.customer)
	req.Header.Set("If-None-Match", `"4"`)
	b.ReportAllocs()
	for b.Loop() {
		w := httptest.NewRecorder()
		n.web.ServeHTTP(w, req)
		if w.Code != http.StatusNotModified {
			b.Fatal(w.Code, w.Body)
		}
	}
}

// life is an order's way in ten changes, each of them an event (pay and the courier's two arrivals among them).
var life = []struct {
	method, action, body string
	by                   func(cast) string
}{
	{"POST", "", `{"restaurantId":"res_1","paymentMethod":"WECHAT","items":[{"itemId":"rice","name":"Rice","unitPrice":1500,"quantity":2,"note":"no egg"},` +
		`{"itemId":"soup","name":"Soup","unitPrice":2000,"quantity":1}],"address":{"line":"1 Century Ave","lat":31.23,"lon":121.47,"name":"Li","phone":"+8613800000000"}}`,
		func(c cast) string { return c.customer }},
	{"POST", "/pay", `{"amount":5000,"transactionId":"tx_1"}`, func(c cast) string { return c.payment }},
	{"POST", "/confirm", `{"prepMinutes":20}`, func(c cast) string { return c.merchant }},
	{"POST", "/prepare", ``, func(c cast) string { return c.merchant }},
	{"PUT", "/courier", `{"courierId":"cou_1","name":"Wang","vehicle":"bike","phone":"+8617000000000"}`, func(c cast) string { return c.ops }},
	{"POST", "/arrive", ``, func(c cast) string { return c.courier }},
	{"POST", "/ready", ``, func(c cast) string { return c.merchant }},
	{"POST", "/pickup", ``, func(c cast) string { return c.courier }},
	{"POST", "/arrive", ``, func(c cast) string { return c.courier }},
	{"POST", "/deliver", ``, func(c cast) string { return c.courier }},
}

// lane is one client on one kept connection, with one customer and one order at a time. It writes requests by hand: net/http's client
// costs as much as the server that is measured.
type lane struct {
	addr string
	cast cast
	conn net.Conn
	in   *bufio.Reader
	path string // of the order it works on
	step int
	out  bytes.Buffer
}

func (n *node) lane(c cast, number int) (*lane, error) {
	c.customer = token(n.t, orders.RoleCustomer, fmt.Sprint("cus_", number))
	l := &lane{addr: n.srv.Listener.Addr().String(), cast: c}
	var err error
	l.conn, err = net.Dial("tcp", l.addr)
	l.in = bufio.NewReader(l.conn)
	return l, err
}

// change makes the next change of the order's life, and begins another order behind the last.
func (l *lane) change() error {
	s := life[l.step]
	path, code := l.path+s.action, http.StatusOK
	if l.step == 0 {
		path, code = "/v1/orders", http.StatusCreated
	}
	l.out.Reset()
	fmt.Fprintf(&l.out, "%s %s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
		s.method, path, l.addr, s.by(l.cast), len(s.body), s.body)
	if _, err := l.conn.Write(l.out.Bytes()); err != nil {
		return err
	}
	res, err := http.ReadResponse(l.in, nil)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != code {
		text, _ := io.ReadAll(res.Body)
		return fmt.Errorf("%s %s: %s\n%s", s.method, path, res.Status, text)
	}
	if l.step == 0 {
		l.path = res.Header.Get("Location")
	}
	l.step = (l.step + 1) % len(life)
	_, err = io.Copy(io.Discard, res.Body)
	return err
}

// BenchmarkChangeREST measures durable changes through REST: over real sockets, kept alive, whole lives of orders, with
// the client on the same machine.
func BenchmarkChangeREST(b *testing.B) {
	b.Run("AsManyAsItTakes", changesClosedLoop) // target: 2,500 a second on two cores
	b.Run("At600ASecond", changesOpenLoop)      // target: 10 ms at p99
}

// changesClosedLoop: 64 clients, each of which waits for its answer before it asks again.
func changesClosedLoop(b *testing.B) {
	n, c := benched(b)
	var left atomic.Int64
	left.Store(int64(b.N))
	var wg sync.WaitGroup
	b.ReportAllocs()
	b.ResetTimer()
	for i := range 64 {
		l, err := n.lane(c, i)
		if err != nil {
			b.Fatal(err)
		}
		wg.Go(func() {
			defer l.conn.Close()
			for left.Add(-1) >= 0 {
				if err := l.change(); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "changes/s")
}

// changesOpenLoop: changes come at their times, whether the one before was answered or not, and each is timed from when
// it was due. It runs for five seconds, whatever b.N is.
func changesOpenLoop(b *testing.B) {
	const rate, seconds, warm = 600, 5, 300
	n, c := benched(b)
	lanes := make(chan *lane, 256)
	for i := range cap(lanes) {
		l, err := n.lane(c, i)
		if err != nil {
			b.Fatal(err)
		}
		lanes <- l
	}
	var (
		wg   sync.WaitGroup
		mu   sync.Mutex
		took []time.Duration
	)
	ctx, cancel := context.WithTimeout(context.Background(), 4*seconds*time.Second)
	defer cancel()
	began := time.Now()
	for i := range rate*seconds + warm {
		due := began.Add(time.Duration(i) * time.Second / rate)
		time.Sleep(time.Until(due))
		var l *lane
		select {
		case l = <-lanes:
		case <-ctx.Done():
			b.Fatalf("it fell behind: %d of %d changes", i, rate*seconds+warm)
		}
		wg.Go(func() {
			err := l.change()
			d := time.Since(due)
			lanes <- l
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				b.Error(err)
			} else if i >= warm {
				took = append(took, d)
			}
		})
	}
	wg.Wait()
	for range cap(lanes) {
		_ = (<-lanes).conn.Close()
	}
	slices.Sort(took)
	at := func(q float64) float64 { return float64(took[int(q*float64(len(took)-1))].Microseconds()) / 1000 }
	b.ReportMetric(at(.50), "p50-ms")
	b.ReportMetric(at(.99), "p99-ms")
	b.ReportMetric(at(1), "max-ms")
	b.ReportMetric(0, "ns/op")
}
