package web_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/rs/zerolog"

	"doorbell/orders"
	"doorbell/web"
	"doorbell/web/auth"
)

// logbook keeps what was logged.
type logbook struct {
	mu  sync.Mutex
	all bytes.Buffer
}

func (l *logbook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.Write(p)
}

func (l *logbook) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.String()
}

// of is the line that was written about an answer.
func (l *logbook) of(n *node, r reply) map[string]any {
	n.t.Helper()
	id := r.Header.Get("X-Request-Id")
	var line map[string]any
	n.until("the request is logged", func() bool { // the answer may be there before the line
		for text := range strings.Lines(l.text()) {
			var v map[string]any
			if err := json.Unmarshal([]byte(text), &v); err != nil {
				n.t.Fatalf("%v: %s", err, text)
			}
			if v["request"] == id && v["message"] == "request" {
				line = v
			}
		}
		return line != nil
	})
	return line
}

// logged is a node that logs everything into a book.
func logged(t *testing.T, opts ...func(*web.Config, *orders.Config)) (*node, *logbook) {
	t.Helper()
	book := &logbook{}
	all := func(wc *web.Config, _ *orders.Config) { wc.Log = zerolog.New(book).Level(zerolog.TraceLevel) }
	return start(t, append(opts, all)...), book
}

func TestAccessLog(t *testing.T) {
	c := newCast(t)

	t.Run("ALineSaysWhatWasAskedByRouteAndHowItWent", func(t *testing.T) {
		n, book := logged(t)
		n.restaurant(c, "res_1", nil)
		path := n.order(c, "paid", nil)
		for _, a := range []struct {
			r                    reply
			method, route, level string
		}{
			{n.get(path+"?", c.customer), "GET", "/v1/orders/{orderId}", "debug"},
			{n.get(path, c.stranger), "GET", "/v1/orders/{orderId}", "info"},
			{n.post(path+"/amendments/3/accept", c.customer, nil), "POST", "/v1/orders/{orderId}/amendments/{n}/accept", "info"},
			{n.get("/nowhere/42", ""), "GET", "none", "info"},
		} {
			line := book.of(n, a.r)
			if line["method"] != a.method || line["route"] != a.route || line["level"] != a.level || line["status"] != float64(a.r.Code) {
				t.Errorf("%v, want %s %s %d at %s", line, a.method, a.route, a.r.Code, a.level)
			}
			if took, ok := line["took_ms"].(float64); !ok || took < 0 {
				t.Errorf("took_ms is %v", line["took_ms"])
			}
		}
	})

	t.Run("OnlyATrustedProxySaysWhoseRequestItIs", func(t *testing.T) {
		trusting, err := auth.ParseTrustedProxies([]string{"127.0.0.0/8", "10.0.0.0/8"})
		if err != nil {
			t.Fatal(err)
		}
		n, book := logged(t, func(wc *web.Config, _ *orders.Config) { wc.Proxies = trusting })
		client := func(n *node, book *logbook, forwarded ...string) any {
			var headers []string
			for _, f := range forwarded {
				headers = append(headers, "X-Forwarded-For", f)
			}
			return book.of(n, n.get("/livez", "", headers...))["client_ip"]
		}
		for _, v := range []struct {
			name      string
			forwarded []string
			want      string
		}{
			{"the proxy's word", []string{"203.0.113.9"}, "203.0.113.9"},
			{"not the client's own", []string{"192.0.2.1, 203.0.113.9, 10.1.2.3"}, "203.0.113.9"},
			{"over two lines", []string{"192.0.2.1", "203.0.113.9"}, "203.0.113.9"},
			{"rubbish", []string{"203.0.113.9, rubbish"}, "127.0.0.1"},
			{"no header", nil, "127.0.0.1"},
		} {
			if got := client(n, book, v.forwarded...); got != v.want {
				t.Errorf("%s: client_ip %v, want %s", v.name, got, v.want)
			}
		}
		n, book = logged(t)
		if got := client(n, book, "203.0.113.9"); got != "127.0.0.1" {
			t.Errorf("a stranger's word was believed: client_ip %v", got)
		}
	})
}

// TestNothingPrivateInTheLog runs an order's life and a clumsy client's requests, and then looks for what must not be
// in the log.
func TestNothingPrivateInTheLog(t *testing.T) {
	n, book := logged(t)
	c := newCast(t)
	n.restaurant(c, "res_1", fields("proof", "PIN"))
	path := n.orderWithSecrets(c)
	link := n.link(path, c.customer)
	pin := n.get(path, c.customer).text("pin")
	n.get(path, link).want(200)
	n.get(path+"/events", link).want(200)
	n.get(path, forged(link)).want(401)
	n.get(path, c.customer[:len(c.customer)-3]+"abc").want(401)
	n.get(path, "not-a-token-but-a-secret").want(401)
	n.get(path+"?token="+c.customer, "").want(401)
	n.get(path+"?access_token="+link, c.customer).want(400)
	n.get("/v1/orders/"+link, c.customer).want(404)
	n.get("/v1/"+c.customer, "").want(404)
	n.get("/t/"+link, "").want(404)
	n.get("/t/?"+link, "").want(200)
	n.get(path, c.customer, "Authorization", "Bearer "+c.ops).want(401) // two of them
	n.get("/v1/orders?cursor="+link, c.customer).want(400)
	n.get(path, c.customer, "If-None-Match", link).want(400)
	n.post(path+"/deliver", c.courier, map[string]any{"pin": pin + "0"}).want(422)
	n.post(path+"/problem", c.courier, `{"type":"`+link+`"}`).want(400)
	n.post("/v1/orders", c.customer, `{"`+c.customer+`":1}`).want(400)
	n.post("/v1/revocations", c.ops, map[string]any{"sub": "cus_9"}).want(200)
	n.call("TRACE", path, c.customer, nil).want(405)
	if _, res, err := n.tryDial("", "Sec-WebSocket-Protocol", "bearer."+c.customer+"x"); err == nil || res.StatusCode != http.StatusUnauthorized {
		t.Errorf("a socket with a broken token: %v %v", res, err)
	}
	n.srv.Close() // every request has been logged

	text := book.text()
	if strings.Count(text, "\n") < 30 {
		t.Fatalf("hardly anything was logged:\n%s", text)
	}
	private := append([]string{
		c.customer, c.merchant, c.courier, c.payment, c.ops, link, "not-a-token-but-a-secret", "eyJ", `"pin"`, "/v1/orders/ord_",
	}, secrets...)
	for _, s := range private {
		if i := strings.Index(text, s); i >= 0 {
			t.Errorf("the log holds %.40q: …%s…", s, text[max(0, i-100):min(len(text), i+100)])
		}
	}
}
