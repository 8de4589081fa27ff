package web_test

import (
	"bytes"
	"io"
	"maps"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"doorbell/orders"
	"doorbell/web"
)

// handshake sends a good handshake, changed by pairs of name and value ("" takes the header away), and returns the
// answer with its body; of an accepted one the socket is closed.
func (n *node) handshake(url, token string, pairs ...string) (*http.Response, string) {
	n.t.Helper()
	h := http.Header{
		"Connection": {"Upgrade"}, "Upgrade": {"websocket"}, "Sec-Websocket-Version": {"13"},
		"Sec-Websocket-Key": {"dGhlIHNhbXBsZSBub25jZQ=="}, "Sec-Websocket-Protocol": {"doorbell.v1"},
	}
	if token != "" {
		h.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i < len(pairs); i += 2 {
		if h.Set(pairs[i], pairs[i+1]); pairs[i+1] == "" {
			h.Del(pairs[i])
		}
	}
	req, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		n.t.Fatal(err)
	}
	req.Header = h
	if host := h.Get("Host"); host != "" {
		req.Host = host
		h.Del("Host")
	}
	res, err := n.srv.Client().Do(req)
	if err != nil {
		n.t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode == http.StatusSwitchingProtocols {
		return res, ""
	}
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		n.t.Fatal(err)
	}
	return res, string(raw)
}

func TestLiveHandshake(t *testing.T) {
	n := start(t, func(wc *web.Config, _ *orders.Config) { wc.Origins = []string{"https://shop.example"} })
	c := newCast(t)
	url := n.srv.URL + "/v1/live"

	for _, v := range []struct {
		name   string
		token  string
		change []string
		code   int
		kind   orders.Kind
	}{
		{"NoUpgrade", c.customer, []string{"Upgrade", "", "Connection", ""}, 400, orders.Invalid},
		{"AnotherUpgrade", c.customer, []string{"Upgrade", "h2c"}, 400, orders.Invalid},
		{"NoConnection", c.customer, []string{"Connection", "close"}, 400, orders.Invalid},
		{"AnotherVersion", c.customer, []string{"Sec-WebSocket-Version", "8"}, 400, orders.Invalid},
		{"NoKey", c.customer, []string{"Sec-WebSocket-Key", ""}, 400, orders.Invalid},
		{"AShortKey", c.customer, []string{"Sec-WebSocket-Key", "c2hvcnQ="}, 400, orders.Invalid},
		{"AKeyThatIsNoBase64", c.customer, []string{"Sec-WebSocket-Key", "????????????????????????"}, 400, orders.Invalid},
		{"NoProtocol", c.customer, []string{"Sec-WebSocket-Protocol", ""}, 400, orders.Invalid},
		{"AnotherProtocol", c.customer, []string{"Sec-WebSocket-Protocol", "doorbell.v2, mqtt"}, 400, orders.Invalid},
		{"AnotherOrigin", c.customer, []string{"Origin", "https://evil.example"}, 403, orders.Forbidden},
		{"AnOriginOfAnotherScheme", c.customer, []string{"Origin", "http://shop.example"}, 403, orders.Forbidden},
		{"AnOriginBelow", c.customer, []string{"Origin", "https://shop.example.evil.example"}, 403, orders.Forbidden},
		{"TheOriginOfNobody", c.customer, []string{"Origin", "null"}, 403, orders.Forbidden},
		{"NoToken", "", nil, 401, orders.Unauthenticated},
		{"NoTokenThatIsOne", "rubbish", nil, 401, orders.Unauthenticated},
		{"TheTokenOfAnotherKey", c.customer + "x", nil, 401, orders.Unauthenticated},
		{"TwoTokensAsProtocols", "", []string{"Sec-WebSocket-Protocol", "doorbell.v1, bearer." + c.customer + ", bearer." + c.stranger}, 401, orders.Unauthenticated},
		{"AnEmptyTokenAsProtocol", "", []string{"Sec-WebSocket-Protocol", "doorbell.v1, bearer."}, 401, orders.Unauthenticated},
		{"AGoodProtocolWithABadHeader", "rubbish", []string{"Sec-WebSocket-Protocol", "doorbell.v1, bearer." + c.customer}, 401, orders.Unauthenticated},
		{"ThePaymentRole", c.payment, nil, 403, orders.Forbidden},
	} {
		t.Run("Refused/"+v.name, func(t *testing.T) {
			n := *n
			n.t = t
			res, body := n.handshake(url, v.token, v.change...)
			if res.StatusCode != v.code || res.Header.Get("Content-Type") != "application/problem+json" || !strings.Contains(body, `"kind":"`+string(v.kind)+`"`) {
				t.Errorf("%d %s %s, want %d %s", res.StatusCode, res.Header.Get("Content-Type"), body, v.code, v.kind)
			}
			if res.Header.Get("Cache-Control") != "no-store" {
				t.Errorf("Cache-Control %q", res.Header.Get("Cache-Control"))
			}
			if v.code == 400 && res.Header.Get("Sec-WebSocket-Version") != "13" {
				t.Error("the client is not told which version we speak")
			}
		})
	}
	n.sub("Refused/ATokenInTheQueryIsNone", func(n *node) {
		if res, _ := n.handshake(url+"?token="+c.customer+"&access_token="+c.customer, ""); res.StatusCode != 401 {
			n.t.Errorf("%d", res.StatusCode)
		}
	})
	n.sub("Refused/HEADAndPOST", func(n *node) {
		n.call(http.MethodHead, "/v1/live", c.customer, nil).want(400)
		n.post("/v1/live", c.customer, nil).want(405)
	})
	n.sub("Refused/HTTP2", func(n *node) {
		secure, trust := n.serveTLS()
		req, _ := http.NewRequest(http.MethodGet, secure+"/v1/live", nil)
		req.Header.Set("Authorization", "Bearer "+c.customer)
		req.Header.Set("Sec-WebSocket-Protocol", "doorbell.v1")
		n.send(over(n.t, trust, func(p *http.Protocols) { p.SetHTTP2(true) }), req).want(400).shows("kind", "invalid")
	})

	for _, v := range []struct {
		name   string
		token  string
		change []string
	}{
		{"AsUsual", c.customer, nil},
		{"OtherCaseAndMoreWords", c.customer, []string{"Connection", "keep-alive, upgrade", "Upgrade", "WebSocket"}},
		{"TenProtocols", c.customer, []string{"Sec-WebSocket-Protocol", "a, b,c, d,e,f , g,h, doorbell.v1, j"}},
		{"ThirtyProtocols", c.customer, []string{"Sec-WebSocket-Protocol", strings.Repeat("x, ", 29) + "doorbell.v1"}},
		{"TheTokenAsProtocol", "", []string{"Sec-WebSocket-Protocol", "doorbell.v1, bearer." + c.customer}},
		{"TheTokenAsTheFirstProtocol", "", []string{"Sec-WebSocket-Protocol", "bearer." + c.customer + ",doorbell.v1"}},
		{"CompressionOffered", c.customer, []string{"Sec-WebSocket-Extensions", "permessage-deflate; client_max_window_bits, x-webkit-deflate-frame"}},
		{"AnAllowedOrigin", c.customer, []string{"Origin", "https://shop.example"}},
		{"ThePagesOwnOrigin", c.customer, []string{"Origin", n.srv.URL}},
		{"ThePagesOwnOriginInCapitals", c.customer, []string{"Origin", "https://BELL.example", "Host", "bell.example"}},
		{"Ops", c.ops, nil}, {"AMerchant", c.merchant, nil}, {"ACourier", c.courier, nil},
	} {
		t.Run("Accepted/"+v.name, func(t *testing.T) {
			n := *n
			n.t = t
			res, body := n.handshake(url, v.token, v.change...)
			if res.StatusCode != 101 {
				t.Fatalf("%d %s", res.StatusCode, body)
			}
			h := res.Header
			if h.Get("Sec-WebSocket-Accept") != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" || h.Get("Sec-WebSocket-Protocol") != "doorbell.v1" ||
				len(h.Values("Sec-WebSocket-Protocol")) != 1 || h.Values("Sec-WebSocket-Extensions") != nil {
				t.Errorf("%v", h)
			}
			for name := range maps.Keys(h) {
				if strings.Contains(h.Get(name), c.customer) {
					t.Errorf("the token came back in %s", name)
				}
			}
		})
	}
	any := start(t, func(wc *web.Config, _ *orders.Config) { wc.Origins = []string{"*"} })
	any.sub("Accepted/AnyOriginWhereAllMay", func(n *node) {
		if res, _ := n.handshake(any.srv.URL+"/v1/live", c.customer, "Origin", "https://anybody.example"); res.StatusCode != 101 {
			n.t.Errorf("%d", res.StatusCode)
		}
	})
}

// lockedBuffer may be written to by many goroutines.
type lockedBuffer struct {
	mu sync.Mutex
	bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.Write(p)
}

func (b *lockedBuffer) text() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.String()
}

func TestLiveTokensAreNotLogged(t *testing.T) {
	var log lockedBuffer
	n := start(t, func(wc *web.Config, _ *orders.Config) { wc.Log = zerolog.New(&log).Level(zerolog.TraceLevel) })
	c := newCast(t)
	n.handshake(n.srv.URL+"/v1/live", "", "Sec-WebSocket-Protocol", "doorbell.v1, bearer."+c.customer)
	n.handshake(n.srv.URL+"/v1/live", "", "Sec-WebSocket-Protocol", "doorbell.v1, bearer."+c.customer+"x") // a bad one neither
	n.handshake(n.srv.URL+"/v1/live?token="+c.customer, "")
	s := n.dial(c.customer)
	s.say(`{"op":"token","token":"` + c.customer + `","id":1}`)
	s.say(`{"op":"token","token":"` + c.stranger + `"}`)
	s.wantClosed(4403)
	eventually(t, "the session's end in the log", func() bool { return strings.Contains(log.text(), "token_foreign") })
	for _, token := range []string{c.customer, c.stranger} {
		_, rest, _ := strings.Cut(token, ".")
		payload, signature, _ := strings.Cut(rest, ".")
		if strings.Contains(log.text(), payload) || strings.Contains(log.text(), signature) {
			t.Errorf("a token was logged:\n%s", log.text())
		}
	}
}

// TestLiveSlowHandshake has clients that begin a handshake and do not get on with it.
func TestLiveSlowHandshake(t *testing.T) {
	t.Parallel()
	n, c := start(t), newCast(t)
	var conns []net.Conn
	for _, begun := range []string{"", "GET /v1/live HTTP/1.1\r\nHost: x\r\n", "GET /v1/live HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + c.customer[:20]} {
		conn, err := net.Dial("tcp", n.srv.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := io.WriteString(conn, begun); err != nil {
			t.Fatal(err)
		}
		conns = append(conns, conn)
	}
	if n.hub.Sessions() != 0 {
		t.Error("who has not shaken hands has a place")
	}
	n.dial(c.customer) // the others do not wait
	for i, conn := range conns {
		_ = conn.SetReadDeadline(time.Now().Add(15 * time.Second))
		if b, err := io.ReadAll(conn); err != nil || bytes.Contains(b, []byte(" 101 ")) {
			t.Errorf("%d: %q %v", i, b, err)
		}
	}
}
