package wsconn_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"golang.org/x/sync/errgroup"

	"doorbell/hub"
	"doorbell/hub/bus"
	"doorbell/orders"
	"doorbell/orders/store/sqlite"
	"doorbell/web"
	"doorbell/web/auth"
)

var secret = bytes.Repeat([]byte("k"), auth.MinSecret)

// node is a whole server on a real store, behind a real socket.
type node struct {
	t    testing.TB
	addr string // host:port
	hub  *hub.Hub
	reg  *prometheus.Registry
	srv  *httptest.Server
}

// startNode runs a node. change may alter the hub's configuration; nil for none.
func startNode(t testing.TB, change func(*hub.Config)) *node {
	t.Helper()
	local := bus.NewLocal()
	st, err := sqlite.Open(context.Background(), sqlite.Config{Dir: t.TempDir(), Publisher: local})
	if err != nil {
		t.Fatal(err)
	}
	revocations := auth.NewRevocations(nil)
	verifier, err := auth.New(auth.Config{Secret: secret, Revocations: revocations})
	if err != nil {
		t.Fatal(err)
	}
	service := orders.NewService(st, orders.Config{})
	viewer, gate := web.Viewer{PublicURL: "https://bell.example"}, web.Gate{Verifier: verifier, Orders: service}
	n := &node{t: t, reg: prometheus.NewRegistry()}
	hc := hub.Config{Source: st, View: viewer.JSON, Verify: gate.Live, Registerer: n.reg}
	if change != nil {
		change(&hc)
	}
	n.hub = hub.New(hc)
	revocations.OnRevoke(n.hub.Revoke)
	local.Subscribe(n.hub)
	ctx, cancel := context.WithCancel(context.Background())
	var runs errgroup.Group
	for _, run := range []func(context.Context) error{st.Run, local.Run, n.hub.Run} {
		runs.Go(func() error { return run(ctx) })
	}
	srv, err := web.New(web.Config{
		Orders: service, Store: st, Gate: gate, Revocations: revocations, Hub: n.hub, Sessions: ctx, Viewer: viewer,
		Health: web.NewHealth(st.Ready),
	})
	if err != nil {
		t.Fatal(err)
	}
	n.srv = httptest.NewUnstartedServer(srv)
	n.srv.Config = web.NewHTTPServer(srv, zerolog.Nop())
	n.srv.Start()
	n.addr = n.srv.Listener.Addr().String()
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
	n.call(http.MethodPut, "/v1/restaurants/res_1", n.token(orders.RoleOps, "ops_1"), `{"name":"Golden Wok","lat":31.23,"lon":121.47}`)
	return n
}

func (n *node) token(role orders.Role, sub string, restaurants ...string) string {
	n.t.Helper()
	s, err := auth.Mint(secret, auth.Claims{Subject: sub, Role: role, Restaurants: restaurants, ExpiresAt: time.Now().Add(time.Hour)})
	if err != nil {
		n.t.Fatal(err)
	}
	return s
}

func (n *node) call(method, path, token, body string) []byte {
	n.t.Helper()
	raw, err := n.tryCall(method, path, token, body)
	if err != nil {
		n.t.Fatal(err)
	}
	return raw
}

func (n *node) tryCall(method, path, token, body string) ([]byte, error) {
	req, err := http.NewRequest(method, "http://"+n.addr+path, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/json")
	res, err := n.srv.Client().Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode/100 != 2 {
		err = fmt.Errorf("%s %s: %s: %s", method, path, res.Status, raw)
	}
	return raw, err
}

// order is an order of cus_1, confirmed by its merchant, so that it can be delayed as often as one likes.
func (n *node) order() (id string) {
	n.t.Helper()
	var o struct {
		OrderID string
		Total   int
	}
	if err := json.Unmarshal(n.call(http.MethodPost, "/v1/orders", n.token(orders.RoleCustomer, "cus_1"), orderJSON), &o); err != nil {
		n.t.Fatal(err)
	}
	path := "/v1/orders/" + o.OrderID
	n.call(http.MethodPost, path+"/pay", n.token(orders.RolePayment, "pay_1"), fmt.Sprintf(`{"amount":%d,"transactionId":"tx_1"}`, o.Total))
	n.call(http.MethodPost, path+"/confirm", n.token(orders.RoleMerchant, "mer_1", "res_1"), `{"prepMinutes":20}`)
	return o.OrderID
}

// delay makes one event of an order and returns its seq.
func (n *node) delay(id string, i int) (seq int64) {
	n.t.Helper()
	raw := n.call(http.MethodPost, "/v1/orders/"+id+"/delay", n.token(orders.RoleMerchant, "mer_1", "res_1"), fmt.Sprintf(`{"prepMinutes":%d}`, 21+i%39))
	var o struct{ Seq int64 }
	if err := json.Unmarshal(raw, &o); err != nil {
		n.t.Fatal(err)
	}
	return o.Seq
}

// metric is the value of a counter or gauge, summed over its labels, or over those series that have this label value.
func (n *node) metric(name string, label ...string) (sum float64) {
	n.t.Helper()
	families, err := n.reg.Gather()
	if err != nil {
		n.t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.Metric {
			match := len(label) == 0
			for _, l := range m.Label {
				match = match || l.GetValue() == label[0]
			}
			if match {
				sum += m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	return sum
}

// until waits for something that nothing signals, and fails the test when it does not come.
func until(t testing.TB, wait time.Duration, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(wait); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: not within %v", what, wait)
		}
	}
}
