package web_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"io"
	"math/big"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"doorbell/orders"
	"doorbell/web"
)

// over is a client that speaks these protocols and no other.
func over(t testing.TB, cfg *tls.Config, allow func(*http.Protocols)) *http.Client {
	var p http.Protocols
	allow(&p)
	tr := &http.Transport{Protocols: &p, TLSClientConfig: cfg}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr}
}

// serveTLS is the node on another port, behind a certificate that the returned configuration trusts.
func (n *node) serveTLS() (url string, trust *tls.Config) {
	n.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		n.t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		n.t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		n.t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(cert)
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{ // as cmd/doorbell listens
		Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}, MinVersion: tls.VersionTLS12,
		NextProtos: []string{"h2", "http/1.1"},
	})
	if err != nil {
		n.t.Fatal(err)
	}
	srv := web.NewHTTPServer(n.web, zerolog.Nop())
	served := make(chan error, 1)
	go func() { served <- srv.Serve(l) }()
	n.t.Cleanup(func() { _ = srv.Close(); <-served })
	return "https://" + l.Addr().String(), &tls.Config{RootCAs: pool}
}

func TestProtocols(t *testing.T) {
	n, c := start(t), newCast(t)
	n.restaurant(c, "res_1", nil)
	path := n.order(c, "paid", nil)
	secure, trust := n.serveTLS()
	h1 := func(p *http.Protocols) { p.SetHTTP1(true) }
	h2 := func(p *http.Protocols) { p.SetHTTP2(true) }
	h2c := func(p *http.Protocols) { p.SetUnencryptedHTTP2(true) }
	both := func(p *http.Protocols) { p.SetHTTP1(true); p.SetHTTP2(true) }

	for _, v := range []struct {
		name, url, proto string
		client           *http.Client
	}{
		{"H1", n.srv.URL, "HTTP/1.1", over(t, nil, h1)},
		{"H2CByPriorKnowledgeOnTheSamePort", n.srv.URL, "HTTP/2.0", over(t, nil, h2c)},
		{"H1OverTLS", secure, "HTTP/1.1", over(t, trust, h1)},
		{"H2OverTLS", secure, "HTTP/2.0", over(t, trust, h2)},
		{"H2IsWhatTLSPrefers", secure, "HTTP/2.0", over(t, trust, both)},
	} {
		n.sub(v.name, func(n *node) {
			speak := func(method, path, body string) *http.Response {
				req, err := http.NewRequest(method, v.url+path, strings.NewReader(body))
				if err != nil {
					n.t.Fatal(err)
				}
				req.Header.Set("Authorization", "Bearer "+c.customer)
				req.Header.Set("Content-Type", "application/json")
				res, err := v.client.Do(req)
				if err != nil {
					n.t.Fatal(err)
				}
				defer res.Body.Close()
				raw, err := io.ReadAll(res.Body)
				if err != nil {
					n.t.Fatal(err)
				}
				checkAnswer(n.t, req, res, raw)
				if res.Proto != v.proto {
					n.t.Errorf("spoke %s, want %s", res.Proto, v.proto)
				}
				return res
			}
			if res := speak("GET", path, ""); res.StatusCode != 200 || res.Header.Get("ETag") == "" {
				n.t.Errorf("%v", res)
			}
			if res := speak("POST", "/v1/orders", `{"restaurantId":"res_never"}`); res.StatusCode != 400 {
				n.t.Errorf("%v", res)
			}
			var wg sync.WaitGroup
			codes := make([]int, 50) // many at once, on h2 over one connection
			for i := range codes {
				wg.Go(func() { codes[i] = speak("GET", path+"/events", "").StatusCode })
			}
			wg.Wait()
			if slices.ContainsFunc(codes, func(c int) bool { return c != 200 }) {
				n.t.Errorf("answered %v", codes)
			}
		})
	}
}

func TestMethods(t *testing.T) {
	n, c := start(t), newCast(t)
	n.restaurant(c, "res_1", fields("menu", []any{
		map[string]any{"itemId": "rice", "name": "Rice", "unitPrice": 1500, "available": true},
		map[string]any{"itemId": "soup", "name": "Soup", "unitPrice": 2000, "available": true},
	}))
	path := n.order(c, "paid", nil)

	n.sub("HEADIsGETWithoutABody", func(n *node) {
		for p, token := range map[string]string{
			path: c.customer, path + "/events": c.customer, "/v1/orders": c.customer, "/v1/restaurants/res_1": "",
			"/v1/restaurants/res_1/items/rice": "", "/livez": "", "/readyz": "", "/openapi.yaml": "", "/docs": "", "/t/": "",
		} {
			get, head := n.get(p, token).want(200), n.call(http.MethodHead, p, token, nil).want(200)
			for _, h := range []string{"ETag", "Cache-Control", "Content-Type"} {
				if get.Header.Get(h) != head.Header.Get(h) {
					n.t.Errorf("%s: %s is %q with HEAD, %q with GET", p, h, head.Header.Get(h), get.Header.Get(h))
				}
			}
			if len(head.Raw) > 0 {
				n.t.Errorf("%s: a body of %d bytes", p, len(head.Raw))
			}
		}
		n.call(http.MethodHead, path, c.customer, nil, "If-None-Match", `"2"`).want(304)
		stream := n.call(http.MethodHead, path+"/events", c.customer, nil, "Accept", "text/event-stream").want(200)
		if ct := stream.Header.Get("Content-Type"); ct != "application/json" {
			n.t.Errorf("a stream that nobody can read was begun: %s", ct)
		}
		n.call(http.MethodHead, path, c.stranger, nil).want(404)
		n.call(http.MethodHead, path, "", nil).want(401)
	})

	n.sub("AnotherMethodIs405AndSaysWhichAreNot", func(n *node) {
		for _, a := range []struct{ method, path, allow string }{
			{"DELETE", "/v1/orders", "GET HEAD POST"},
			{"PUT", path, "GET HEAD"},
			{"GET", path + "/confirm", "POST"},
			{"HEAD", path + "/confirm", "POST"},
			{"POST", path + "/courier", "DELETE PUT"},
			{"DELETE", "/v1/restaurants/res_1", "GET HEAD PUT"},
			{"PUT", "/v1/restaurants/res_1/items/rice", "GET HEAD PATCH"},
			{"POST", "/livez", "GET HEAD"},
			{"BREW", "/v1/revocations", "POST"},
		} {
			for _, token := range []string{"", c.ops} {
				r := n.call(a.method, a.path, token, nil).want(405)
				if a.method != "HEAD" && r.Header.Get("Content-Type") != "application/problem+json" {
					n.t.Errorf("%s %s: %s", a.method, a.path, r.Header.Get("Content-Type"))
				}
				if a.method != "HEAD" {
					r.shows("status", 405)
				}
				got := strings.FieldsFunc(strings.Join(r.Header.Values("Allow"), ","), func(c rune) bool { return c == ',' || c == ' ' })
				slices.Sort(got)
				if !slices.Equal(got, strings.Fields(a.allow)) {
					n.t.Errorf("%s %s: Allow %q, want %s", a.method, a.path, got, a.allow)
				}
			}
		}
	})

	n.sub("AnUnknownPathIs404", func(n *node) {
		for _, p := range []string{"/", "/v1", "/v1/", "/v1/order", "/v2/orders", "/orders", path + "/accept", path + "/", "/v1/orders/", "/v1//orders", "/t/x", "/docs/x"} {
			r := n.get(p, c.ops).want(404).shows("kind", "not_found", "status", 404)
			if r.Header.Get("Content-Type") != "application/problem+json" {
				n.t.Errorf("%s: %s", p, r.Header.Get("Content-Type"))
			}
		}
	})

	n.sub("EveryAnswerHasAnIDAndNoErrorIsKept", func(n *node) {
		seen := map[string]bool{}
		for code, r := range map[int]reply{
			200: n.get(path, c.customer), 304: n.get(path, c.customer, "If-None-Match", `"2"`), 400: n.get(path+"?x=1", c.customer),
			401: n.get(path, ""), 403: n.get("/v1/orders", c.payment), 404: n.get(path, c.stranger), 405: n.call("PUT", path, c.ops, nil),
			409: n.post(path+"/ready", c.merchant, nil), 412: n.post(path+"/confirm", c.merchant, map[string]any{"prepMinutes": 1}, "If-Match", `"1"`),
			413: n.post("/v1/orders", c.customer, strings.Repeat(" ", 65<<10)), 422: n.post(path+"/cancel", c.customer, map[string]any{"reason": "FRAUD"}),
		} {
			id := r.want(code).Header.Get("X-Request-Id")
			if len(id) < 8 || seen[id] {
				n.t.Errorf("%d: request id %q", code, id)
			}
			seen[id] = true
			if cc := r.Header.Get("Cache-Control"); code >= 400 && cc != "no-store" {
				n.t.Errorf("%d: Cache-Control %q", code, cc)
			}
			if code == 401 && !strings.HasPrefix(r.Header.Get("WWW-Authenticate"), "Bearer") {
				n.t.Errorf("WWW-Authenticate %q", r.Header.Get("WWW-Authenticate"))
			}
		}
	})
}

func TestCORS(t *testing.T) {
	n := start(t, func(wc *web.Config, _ *orders.Config) { wc.Origins = []string{"https://app.example"} })
	c := newCast(t)
	n.restaurant(c, "res_1", nil)
	path := n.order(c, "paid", nil)
	const ours, foreign = "https://app.example", "https://evil.example"

	n.sub("AnAllowedPageReadsTheAnswerAndItsHeaders", func(n *node) {
		for _, r := range []reply{n.get(path, c.customer, "Origin", ours), n.get(path, c.stranger, "Origin", ours), n.get(path, "", "Origin", ours)} {
			if got := r.Header.Get("Access-Control-Allow-Origin"); got != ours {
				n.t.Errorf("%d: allows %q", r.Code, got)
			}
			if !strings.Contains(strings.Join(r.Header.Values("Vary"), ","), "Origin") {
				n.t.Errorf("%d: a cache may give this to another page: Vary %q", r.Code, r.Header.Values("Vary"))
			}
			exposed := strings.ToLower(r.Header.Get("Access-Control-Expose-Headers"))
			for _, h := range []string{"etag", "location", "retry-after", "x-request-id"} {
				if !strings.Contains(exposed, h) {
					n.t.Errorf("%s is not exposed: %q", h, exposed)
				}
			}
			if r.Header.Get("Access-Control-Allow-Credentials") != "" {
				n.t.Error("cookies are allowed")
			}
		}
	})

	preflight := func(n *node, origin, method, headers string) reply {
		return n.call(http.MethodOptions, path+"/courier", "", nil, "Origin", origin,
			"Access-Control-Request-Method", method, "Access-Control-Request-Headers", headers)
	}
	n.sub("ItsPreflightIsAnsweredWithoutAToken", func(n *node) {
		for _, method := range []string{"GET", "POST", "PUT", "PATCH", "DELETE"} {
			r := preflight(n, ours, method, "authorization,content-type,idempotency-key,if-match,if-none-match,last-event-id,prefer")
			if r.Code/100 != 2 || r.Header.Get("Access-Control-Allow-Origin") != ours || !strings.Contains(r.Header.Get("Access-Control-Allow-Methods"), method) {
				n.t.Errorf("%s: %d %v", method, r.Code, r.Header)
			}
			if !strings.Contains(strings.ToLower(r.Header.Get("Access-Control-Allow-Headers")), "idempotency-key") {
				n.t.Errorf("allows the headers %q", r.Header.Get("Access-Control-Allow-Headers"))
			}
		}
	})

	n.sub("AnotherPageIsNot", func(n *node) {
		for _, r := range []reply{
			n.get(path, c.customer, "Origin", foreign), n.get(path, c.customer, "Origin", ours+".evil.example"), n.get(path, c.customer, "Origin", "null"),
			preflight(n, foreign, "POST", "authorization"), preflight(n, ours, "TRACE", ""), preflight(n, ours, "POST", "x-evil"),
		} {
			if got := r.Header.Get("Access-Control-Allow-Origin"); got != "" {
				n.t.Errorf("%d: allows %q", r.Code, got)
			}
		}
	})

	n.sub("WithoutOriginsNobodyIs", func(n *node) {
		closed := start(n.t)
		if r := closed.get("/livez", "", "Origin", ours); r.Header.Get("Access-Control-Allow-Origin") != "" {
			n.t.Errorf("%v", r.Header)
		}
	})
}
