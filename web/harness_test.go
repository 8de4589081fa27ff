package web_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"
	"github.com/rs/zerolog"
	"go.uber.org/goleak"
	"golang.org/x/sync/errgroup"

	"doorbell/hub"
	"doorbell/hub/bus"
	"doorbell/hub/track/ride"
	"doorbell/orders"
	"doorbell/orders/store/sqlite"
	"doorbell/web"
	"doorbell/web/api"
	"doorbell/web/auth"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var secret = []byte("a secret of tests, longer than 32 bytes")

// node is a whole server on a real store, behind a real socket. Every answer it gives is held against openapi.yaml.
type node struct {
	t       testing.TB
	srv     *httptest.Server
	web     *web.Server
	service *orders.Service
	store   *sqlite.Store
	hub     *hub.Hub
	rides   *ride.Service
	devices map[string]string // a device of a courier
	acks    chan int64        // seqs that live clients acknowledged; the first thousand
	now     *clock
}

// clock is the time the service lives in: the real one, moved forward at will.
type clock struct{ ahead atomic.Int64 }

func (c *clock) now() time.Time { return time.Now().Add(time.Duration(c.ahead.Load())) }

func (c *clock) pass(d time.Duration) { c.ahead.Add(int64(d)) }

// start runs a node with this configuration changed by opts.
func start(t testing.TB, opts ...func(*web.Config, *orders.Config)) *node {
	t.Helper()
	return startHub(t, nil, opts...)
}

// startHub is start with the hub's configuration changed by change, nil for none.
func startHub(t testing.TB, change func(*hub.Config), opts ...func(*web.Config, *orders.Config)) *node {
	t.Helper()
	local := bus.NewLocal()
	st, err := sqlite.Open(context.Background(), sqlite.Config{Dir: t.TempDir(), Publisher: local})
	if err != nil {
		t.Fatal(err)
	}
	n := &node{t: t, store: st, acks: make(chan int64, 1000), now: &clock{}}
	revocations := auth.NewRevocations(nil)
	verifier, err := auth.New(auth.Config{Secret: secret, Revocations: revocations})
	if err != nil {
		t.Fatal(err)
	}
	oc := orders.Config{Now: n.now.now, UnpaidOrders: 10}
	ctx, cancel := context.WithCancel(context.Background())
	wc := web.Config{
		Store: st, Revocations: revocations, Health: web.NewHealth(st.Ready), Sessions: ctx,
		Viewer: web.Viewer{PublicURL: "https://bell.example"}, Log: zerolog.New(zerolog.NewTestWriter(t)).Level(zerolog.WarnLevel),
	}
	for _, o := range opts {
		o(&wc, &oc)
	}
	n.service = orders.NewService(st, oc)
	wc.Orders, wc.Gate = n.service, web.Gate{Verifier: verifier, Orders: n.service}
	if wc.Devices, err = auth.NewDevices(st, nil); err != nil {
		t.Fatal(err)
	}
	wc.Tracks = st
	hc := hub.Config{Source: st, View: wc.Viewer.JSON, Verify: wc.Gate.Live, OnAck: n.acked, Log: wc.Log}
	hc.Locate = func(ctx context.Context, by orders.Caller, coordSys string, points []byte) ([]byte, error) {
		return wc.Positions.Locate(ctx, by, coordSys, points)
	}
	if change != nil {
		change(&hc)
	}
	n.hub = hub.New(hc)
	wc.Hub = n.hub
	positions := ride.NewLocal(n.hub, st, n.now.now)
	n.rides = ride.New(ride.Config{
		Store: st, Channel: positions, Commands: n.service, Tracks: web.TrackWriter{Store: st}, Now: n.now.now, Log: wc.Log,
	})
	wc.Positions.Rides, wc.Positions.Now = n.rides, n.now.now
	local.Subscribe(positions)
	local.Subscribe(n.rides)
	revocations.OnRevoke(n.hub.Revoke)
	local.Subscribe(n.hub)
	var runs errgroup.Group
	for _, run := range []func(context.Context) error{st.Run, local.Run, n.hub.Run, positions.Run, n.rides.Run} {
		runs.Go(func() error { return run(ctx) })
	}
	if n.web, err = web.New(wc); err != nil {
		t.Fatal(err)
	}
	n.srv = httptest.NewUnstartedServer(n.web)
	n.srv.Config = web.NewHTTPServer(n.web, zerolog.Nop())
	n.srv.Start()
	t.Cleanup(func() {
		cancel()
		n.srv.Close()
		if err := runs.Wait(); err != nil {
			t.Error(err)
		}
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	return n
}

func (n *node) acked(_ orders.Caller, _ string, seq int64) {
	select {
	case n.acks <- seq:
	default:
	}
}

// token mints a token for a caller, valid for an hour.
func token(t testing.TB, role orders.Role, sub string, restaurants ...string) string {
	t.Helper()
	s, err := auth.Mint(secret, auth.Claims{
		Subject: sub, Role: role, Restaurants: restaurants, IssuedAt: time.Now().Add(-time.Second), ExpiresAt: time.Now().Add(time.Hour),
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// who calls, by name. The first of each role owns the orders that order makes.
type cast struct{ customer, merchant, courier, payment, ops, stranger, otherMerchant, otherCourier string }

func newCast(t testing.TB) cast {
	return cast{
		customer: token(t, orders.RoleCustomer, "cus_1"), stranger: token(t, orders.RoleCustomer, "cus_2"),
		merchant: token(t, orders.RoleMerchant, "mer_1", "res_1"), otherMerchant: token(t, orders.RoleMerchant, "mer_2", "res_2"),
		courier: token(t, orders.RoleCourier, "cou_1"), otherCourier: token(t, orders.RoleCourier, "cou_2"),
		payment: token(t, orders.RolePayment, "pay_1"), ops: token(t, orders.RoleOps, "ops_1"),
	}
}

// reply is an answer, read whole.
type reply struct {
	t      testing.TB
	Code   int
	Header http.Header
	Raw    []byte
}

// get is the value at a dotted path of the JSON body, nil where there is none: "payment.status", "items.0.name".
func (r reply) get(path string) any {
	r.t.Helper()
	var v any
	if err := json.Unmarshal(r.Raw, &v); err != nil {
		r.t.Fatalf("the body is no JSON: %v\n%s", err, r.Raw)
	}
	for _, key := range strings.Split(path, ".") {
		switch c := v.(type) {
		case map[string]any:
			v = c[key]
		case []any:
			var i int
			if _, err := fmt.Sscan(key, &i); err != nil || i >= len(c) {
				return nil
			}
			v = c[i]
		default:
			return nil
		}
	}
	return v
}

func (r reply) text(path string) string { s, _ := r.get(path).(string); return s }

func (r reply) seq() int64 { f, _ := r.get("seq").(float64); return int64(f) }

// want fails the test unless the answer has this code.
func (r reply) want(code int) reply {
	r.t.Helper()
	if r.Code != code {
		r.t.Fatalf("answered %d, want %d: %s", r.Code, code, r.Raw)
	}
	return r
}

// call sends a request with a JSON body (nil = none, string and []byte as they are) and headers given as name, value.
func (n *node) call(method, path, token string, body any, headers ...string) reply {
	n.t.Helper()
	var payload io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		payload = strings.NewReader(b)
	case []byte:
		payload = bytes.NewReader(b)
	default:
		j, err := json.Marshal(b)
		if err != nil {
			n.t.Fatal(err)
		}
		payload = bytes.NewReader(j)
	}
	req, err := http.NewRequest(method, n.srv.URL+path, payload)
	if err != nil {
		n.t.Fatal(err)
	}
	if payload != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Add(headers[i], headers[i+1])
	}
	return n.send(n.srv.Client(), req)
}

func (n *node) send(c *http.Client, req *http.Request) reply {
	n.t.Helper()
	res, err := c.Do(req)
	if err != nil {
		n.t.Fatal(err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		n.t.Fatal(err)
	}
	checkAnswer(n.t, req, res, raw)
	return reply{n.t, res.StatusCode, res.Header, raw}
}

func (n *node) post(path, token string, body any, headers ...string) reply {
	n.t.Helper()
	return n.call(http.MethodPost, path, token, body, headers...)
}

func (n *node) get(path, token string, headers ...string) reply {
	n.t.Helper()
	return n.call(http.MethodGet, path, token, nil, headers...)
}

func (n *node) put(path, token string, body any, headers ...string) reply {
	n.t.Helper()
	return n.call(http.MethodPut, path, token, body, headers...)
}

// document is openapi.yaml with a router, read once.
var document = func() routers.Router {
	doc, err := api.Load()
	if err != nil {
		panic(err)
	}
	doc.Servers = openapi3.Servers{{URL: "/v1"}}
	r, err := gorillamux.NewRouter(doc)
	if err != nil {
		panic(err)
	}
	return r
}()

// checkAnswer holds an answer against the document: its code, headers and body. What the document does not describe
// (health, pages, unknown paths) is passed over.
func checkAnswer(t testing.TB, req *http.Request, res *http.Response, raw []byte) {
	t.Helper()
	probe := req.Clone(context.Background())
	probe.URL.Scheme, probe.URL.Host = "", ""
	route, params, err := document.FindRoute(probe)
	if err != nil {
		return
	}
	in := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{Request: probe, PathParams: params, Route: route},
		Status:                 res.StatusCode, Header: res.Header, Body: io.NopCloser(bytes.NewReader(raw)),
		Options: &openapi3filter.Options{IncludeResponseStatus: true, MultiError: true},
	}
	if err := openapi3filter.ValidateResponse(context.Background(), in); err != nil {
		t.Errorf("%s %s answered %d, which openapi.yaml does not allow: %v\n%s", req.Method, req.URL.Path, res.StatusCode, err, raw)
	}
}

// orderBody is a request for two dishes at 5000 in all. change may be nil.
func orderBody(change func(map[string]any)) map[string]any {
	b := map[string]any{
		"restaurantId": "res_1", "paymentMethod": "WECHAT",
		"items": []any{
			map[string]any{"itemId": "rice", "name": "Rice", "unitPrice": 1500, "quantity": 2, "note": "no egg"},
			map[string]any{"itemId": "soup", "name": "Soup", "unitPrice": 2000, "quantity": 1},
		},
		"address": map[string]any{"line": "1 Century Ave", "lat": 31.23, "lon": 121.47, "name": "Li", "phone": "+8613800000000"},
	}
	if change != nil {
		change(b)
	}
	return b
}

// restaurant registers res_1 (or another id) with no menu, changed by change.
func (n *node) restaurant(c cast, id string, change func(map[string]any)) {
	n.t.Helper()
	b := map[string]any{"name": "Golden Wok", "lat": 31.23, "lon": 121.47, "prepMinutes": 20}
	if change != nil {
		change(b)
	}
	if r := n.put("/v1/restaurants/"+id, c.ops, b); r.Code != 201 && r.Code != 200 {
		n.t.Fatalf("%d %s", r.Code, r.Raw)
	}
}

// order places an order at res_1 and takes it as far as the named step: placed, paid, confirmed, preparing, assigned,
// onway, completed. It returns its path.
func (n *node) order(c cast, step string, change func(map[string]any)) string {
	n.t.Helper()
	r := n.post("/v1/orders", c.customer, orderBody(change)).want(201)
	path, total := r.Header.Get("Location"), r.get("total")
	for _, s := range []struct {
		name string
		do   func() reply
	}{
		{"placed", func() reply { return n.get(path, c.customer) }},
		{"paid", func() reply {
			if r.text("paymentMethod") == "CASH" {
				return n.get(path, c.customer)
			}
			return n.post(path+"/pay", c.payment, map[string]any{"amount": total, "transactionId": "tx_1"})
		}},
		{"confirmed", func() reply { return n.post(path+"/confirm", c.merchant, map[string]any{"prepMinutes": 20}) }},
		{"preparing", func() reply { return n.post(path+"/prepare", c.merchant, nil) }},
		{"assigned", func() reply {
			return n.put(path+"/courier", c.ops, map[string]any{"courierId": "cou_1", "name": "Wang", "vehicle": "bike", "phone": "+8617000000000"})
		}},
		{"onway", func() reply { return n.post(path+"/pickup", c.courier, nil) }},
		{"completed", func() reply { return n.post(path+"/deliver", c.courier, nil) }},
	} {
		s.do().want(200)
		if s.name == step {
			return path
		}
	}
	n.t.Fatalf("no step %q", step)
	return ""
}
