package deploy

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"doorbell/hub/wire"
	"doorbell/orders"
)

// TestEntrance is what passes the gateway, what does not, and what it writes down of it.
func TestEntrance(t *testing.T) {
	t.Parallel()
	in := install(t, 1, 1, "--log-level", "debug")
	who := in.open()
	id := in.place(who)
	path := "/v1/orders/" + id

	t.Run("ClientsNegotiateHTTP2", func(t *testing.T) {
		if a := in.do(200, "GET", path, who.customer, ""); a.proto != "HTTP/2.0" {
			t.Errorf("over %s", a.proto)
		}
		for _, base := range []string{in.gate.secure, in.gate.clear} {
			a, err := in.try(in.gate.client(false), "GET", base+path, who.customer, "")
			if err != nil || a.code != 200 || a.proto != "HTTP/1.1" {
				t.Errorf("%s: %d over %s, %v", base, a.code, a.proto, err)
			}
		}
	})

	t.Run("SocketsPass", func(t *testing.T) {
		for name, dial := range map[string]*websocket.DialOptions{
			"token in a header":      {Subprotocols: []string{wire.Subprotocol}, HTTPHeader: http.Header{"Authorization": {"Bearer " + who.customer}}},
			"token as a subprotocol": {Subprotocols: []string{wire.Subprotocol, wire.BearerPrefix + who.customer}},
		} {
			t.Run(name, func(t *testing.T) {
				dial.HTTPClient = in.gate.client(false)
				ctx, cancel := context.WithTimeout(t.Context(), patience)
				defer cancel()
				ws, _, err := websocket.Dial(ctx, in.gate.secure+"/v1/live", dial)
				if err != nil {
					t.Fatal(err)
				}
				defer ws.CloseNow()
				watch := wire.Request{Op: wire.OpWatch, Watch: []wire.Watch{{Topic: "order/" + id}}}
				if err := ws.Write(ctx, websocket.MessageText, watch.Append(nil)); err != nil {
					t.Fatal(err)
				}
				seq := readTold(ctx, t, ws)
				in.do(200, "POST", path+"/delay", who.merchant, fmt.Sprintf(`{"prepMinutes":%d}`, 20+seq))
				if got := readTold(ctx, t, ws); got != seq+1 {
					t.Errorf("told of %d after %d", got, seq)
				}
				_ = ws.Close(websocket.StatusNormalClosure, "")
			})
		}
	})

	t.Run("StreamsFlushAtOnce", func(t *testing.T) {
		for _, http2 := range []bool{true, false} {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			seq := in.seq(who, id)
			req, err := http.NewRequestWithContext(ctx, "GET", in.gate.secure+path+"/events", nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Authorization", "Bearer "+who.customer)
			req.Header.Set("Accept", "text/event-stream")
			req.Header.Set("Last-Event-ID", fmt.Sprint(seq-1))
			res, err := in.gate.client(http2).Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			lines := bufio.NewScanner(res.Body)
			wants := func(seq int64) {
				t.Helper()
				for lines.Scan() {
					if lines.Text() == fmt.Sprint("id: ", seq) || lines.Text() == fmt.Sprint("id:", seq) {
						return
					}
				}
				t.Fatalf("the stream ended before event %d: %v", seq, lines.Err())
			}
			wants(seq)
			in.do(200, "POST", path+"/delay", who.merchant, fmt.Sprintf(`{"prepMinutes":%d}`, 100+seq))
			start := time.Now()
			wants(seq + 1) // a buffer on the way would hold it for ever
			if took := time.Since(start); took > time.Second {
				t.Errorf("the event came %v after the change was answered", took)
			}
		}
	})

	t.Run("LongPollsPass", func(t *testing.T) {
		inFlight := func(n int) func() (bool, string) {
			return func() (bool, string) {
				return strings.Contains(in.nodes[0].metrics(), fmt.Sprintf("\ndoorbell_web_requests_in_flight %d\n", n)), fmt.Sprintf("the node has not %d requests", n)
			}
		}
		eventually(t, inFlight(0)) // the streams above have ended with their clients
		seq := in.seq(who, id)
		got := make(chan answer, 1)
		go func() {
			a, err := in.try(in.http, "GET", in.gate.secure+path, who.customer, "", "Prefer", "wait=30", "If-None-Match", fmt.Sprintf(`"%d"`, seq))
			if err != nil {
				a.body = err.Error()
			}
			got <- a
		}()
		eventually(t, inFlight(1))
		in.do(200, "POST", path+"/delay", who.merchant, fmt.Sprintf(`{"prepMinutes":%d}`, 200+seq))
		if a := <-got; a.code != 200 || a.header.Get("ETag") != fmt.Sprintf(`"%d"`, seq+1) {
			t.Errorf("%d %s: %s", a.code, a.header.Get("ETag"), a.body)
		}
	})

	t.Run("OnlyPublicPathsPass", func(t *testing.T) {
		for _, p := range []string{
			"/metrics", "/debug/pprof/", "/debug/pprof/heap", "/livez", "/", "/v1", "/v2/orders", "//metrics", "/%6detrics", "/METRICS",
			"/metrics/v1/", "/docs/../metrics/", "/v1/../metrics", "/v1/..%2fdebug/pprof/", "/t/../../debug/pprof/",
		} {
			if code, body := rawGet(t, in.gate.clear, p); code != 404 || strings.Contains(body, "doorbell_") || strings.Contains(body, "profile") {
				t.Errorf("%s answers %d: %.100s", p, code, body)
			}
		}
		for _, p := range []string{"/docs", "/openapi.yaml", "/asyncapi.yaml", "/readyz"} {
			if code, _ := rawGet(t, in.gate.clear, p); code != 200 && code != 301 && code != 308 {
				t.Errorf("%s answers %d", p, code)
			}
		}
	})

	t.Run("TheGatewaysErrorsAreProblems", func(t *testing.T) {
		a, err := in.try(in.http, "GET", in.gate.secure+"/nowhere", "", "")
		if err != nil {
			t.Fatal(err)
		}
		isProblem(t, a, 404, orders.NotFound)
		a = raw(t, in.gate.clear, "POST "+path+"/delay HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1048577\r\n\r\n")
		isProblem(t, a, 413, orders.TooLarge)
		a, err = in.try(in.gate.client(false), "GET", in.gate.secure+path, "", "", "X-Large", strings.Repeat("x", 20<<10))
		if err == nil && a.code/100 != 4 {
			t.Errorf("20 KiB of headers are answered with %d", a.code)
		}
	})

	t.Run("ClientsCannotSayWhoTheyAre", func(t *testing.T) {
		c := in.gate.client(false)
		c.Transport.(*http.Transport).DialContext = (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 7, 7, 7)}}).DialContext
		for _, header := range []string{"X-Forwarded-For", "Forwarded", "X-Real-IP"} {
			value := "203.0.113.9"
			if header == "Forwarded" {
				value = "for=" + value
			}
			if _, err := in.try(c, "GET", strings.Replace(in.gate.clear, "localhost", "127.0.0.1", 1)+"/v1/orders/forged", who.customer, "", header, value); err != nil {
				t.Fatal(err)
			}
		}
		nodes := in.logs()
		if strings.Contains(nodes, "203.0.113.9") {
			t.Error("a node believes what a client claims")
		}
		if !strings.Contains(nodes, `"client_ip":"127.7.7.7"`) {
			t.Error("no node knows who the client was")
		}
	})

	t.Run("TheLogHoldsNoTokenAndNoPath", func(t *testing.T) {
		secret := in.token(orders.RoleCustomer, "cus_2")
		in.do(404, "GET", path+"?token="+secret, secret, "", "Cookie", "session="+secret)
		in.do(404, "GET", "/docs/"+secret, "", "")
		in.do(404, "GET", "/"+secret, "", "")
		_, _ = rawGet(t, in.gate.clear, "/v1/ "+secret+" HTTP/1.1\r\n\r\n") // no request at all
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		_, _, err := websocket.Dial(ctx, in.gate.secure+"/v1/live?token="+secret, &websocket.DialOptions{
			HTTPClient: in.gate.client(false), Subprotocols: []string{wire.Subprotocol, wire.BearerPrefix + secret, wire.BearerPrefix + secret},
		})
		if err == nil {
			t.Error("two tokens at once were taken")
		}
		eventually(t, func() (bool, string) {
			live, api := 0, 0
			for _, l := range in.gate.requests(t) {
				switch {
				case l.Route == "live" && (l.Status == 101 || l.Status/100 == 4):
					live++
				case l.Route == "api" && l.Status == 404:
					api++
				}
			}
			return live >= 3 && api >= 1, "the gateway has not written its log"
		})
		log := in.gate.log()
		for what, text := range map[string]string{
			"a token": secret, "a token's beginning": "eyJ", "the customer's token": who.customer, "an order's id": id, "a path": "/v1/",
			"a subprotocol": "bearer.", "a query": "token=", "a cookie": "session=", "a path of its own": "/docs",
		} {
			if i := strings.Index(log, text); i >= 0 {
				t.Errorf("%s stands in the gateway's log: …%s", what, log[max(0, i-80):min(len(log), i+40)])
			}
		}
	})
}

// readTold reads frames up to one that tells where the order is now: an event, or a snapshot, which a node that has just
// begun sends where it may have missed something.
func readTold(ctx context.Context, t *testing.T, ws *websocket.Conn) (seq int64) {
	t.Helper()
	for {
		_, b, err := ws.Read(ctx)
		if err != nil {
			t.Fatalf("waiting to be told: %v", err)
		}
		for line := range bytes.Lines(b) {
			if f, err := wire.ParseFrame(bytes.TrimSpace(line)); err == nil && (f.Op == wire.OpSnapshot || f.Op == wire.OpEvent) {
				return f.Seq
			}
		}
	}
}

// rawGet sends a path exactly as it is, which an http.Client would mend first.
func rawGet(t *testing.T, base, path string) (code int, body string) {
	t.Helper()
	a := raw(t, base, "GET "+path+" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
	return a.code, a.body
}

// raw sends bytes and reads one answer.
func raw(t *testing.T, base, request string) answer {
	t.Helper()
	_, port, _ := net.SplitHostPort(strings.TrimPrefix(base, "http://"))
	c, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", port))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(c, request); err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatalf("%q: %v", request, err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{res.StatusCode, res.Proto, res.Header, string(b)}
}

// isProblem fails the test unless an answer has the form of the API's errors.
func isProblem(t *testing.T, a answer, code int, kind orders.Kind) {
	t.Helper()
	var p struct {
		Status int
		Kind   orders.Kind
		Title  string
		Detail string
	}
	if err := json.Unmarshal([]byte(a.body), &p); err != nil || a.code != code || p.Status != code || p.Kind != kind || p.Title == "" || p.Detail == "" {
		t.Errorf("%d %s, want a problem with %d and %s: %v", a.code, a.body, code, kind, err)
	}
	if ct := a.header.Get("Content-Type"); ct != "application/problem+json" {
		t.Errorf("Content-Type %q", ct)
	}
}

// logLine is what the gateway writes of a request.
type logLine struct {
	Method, Route, Node, Client, HTTP, Retries, End string
	Status                                          int
	TookMS                                          int `json:"took_ms"`
}

// requests reads the gateway's log. Lines about nodes are none of requests.
func (g *gateway) requests(t *testing.T) (all []logLine) {
	t.Helper()
	for _, line := range strings.Split(g.log(), "\n") {
		var l logLine
		if !strings.HasPrefix(line, "{") || !strings.HasSuffix(line, "}") {
			continue
		}
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Errorf("a line of the log is no JSON: %v: %s", err, line)
			continue
		}
		all = append(all, l)
	}
	return all
}
