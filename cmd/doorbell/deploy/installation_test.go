package deploy

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"doorbell/hub/bus/redistest"
	"doorbell/orders"
	"doorbell/orders/store/pgtest"
	"doorbell/web/auth"
)

// installation is what compose.yaml starts, as processes of this machine: nodes with addresses of their own behind one
// port and one name for each role, Postgres, Redis, and the gateway.
type installation struct {
	t      testing.TB
	dns    *dns
	gate   *gateway
	http   *http.Client // over HTTP/2 to the gateway
	secret []byte
	port   int
	net    [2]byte  // the nodes are 127.net.net.last
	flags  []string // of every node

	mu    sync.Mutex // guards the following
	last  byte
	nodes []*node // also those that have left
}

// node is one node, known to DNS from before it runs until after it has ended.
type node struct {
	*process
	in   *installation
	role string
	addr netip.Addr
}

// install starts so many nodes of each role, and waits until the gateway gives them work.
func install(t testing.TB, apis, hubs int, flags ...string) *installation {
	t.Helper()
	in := &installation{
		t: t, dns: startDNS(t), secret: []byte(strings.Repeat("k", 40)), port: freePort(t, "127.0.0.1"),
		net: [2]byte{byte(1 + rand.IntN(250)), byte(rand.IntN(250))},
	}
	file := filepath.Join(t.TempDir(), "jwt-secret")
	if err := os.WriteFile(file, in.secret, 0o600); err != nil {
		t.Fatal(err)
	}
	in.flags = append([]string{
		"--redis", redistest.Start(t).URL(), "--postgres", pgtest.Start(t).Database(t), "--jwt-secret-file", file,
		"--trusted-proxies", "127.0.0.1", "--customer-rate", "0", "--unpaid-orders", "0", "--sockets-per-subject", "0",
	}, flags...)
	in.gate = startGateway(t, in.dns.addr(), fmt.Sprint("api:", in.port), fmt.Sprint("hub:", in.port))
	in.http = in.gate.client(true)
	for range apis {
		in.join("api")
	}
	for range hubs {
		in.join("hub")
	}
	in.gate.has(apis, hubs)
	return in
}

// join starts a node and waits until it is ready. DNS names it before that, as a container network does.
func (in *installation) join(role string) *node {
	in.t.Helper()
	in.mu.Lock()
	in.last++
	n := &node{in: in, role: role, addr: netip.AddrFrom4([4]byte{127, in.net[0], in.net[1], in.last})}
	in.mu.Unlock()
	in.dns.add(role, n.addr)
	n.process = startProcess(in.t, fmt.Sprint(role, " ", n.addr), nil, append([]string{
		filepath.Join(programs, "doorbell"), "serve", "--roles", role, "--listen", n.host(), "--admin", n.addr.String() + ":9090",
		"--data", in.t.TempDir(),
	}, in.flags...)...)
	in.mu.Lock()
	in.nodes = append(in.nodes, n)
	in.mu.Unlock()
	eventually(in.t, func() (bool, string) {
		if !n.running() {
			in.t.Fatalf("%s ended: %s", n.name, n.log())
		}
		res, err := http.Get("http://" + n.addr.String() + ":9090/readyz")
		if err != nil {
			return false, err.Error()
		}
		_ = res.Body.Close()
		return res.StatusCode == http.StatusOK, n.name + " says " + res.Status
	})
	return n
}

func (n *node) host() string { return fmt.Sprintf("%s:%d", n.addr, n.in.port) }

// leave stops the node as an operator does; DNS forgets it once it has ended.
func (n *node) leave() {
	n.in.t.Helper()
	n.stop()
	n.in.dns.remove(n.role, n.addr)
}

// requests is how many requests the node has answered, health checks left out.
func (n *node) requests() (all float64) {
	n.in.t.Helper()
	for _, line := range strings.Split(n.metrics(), "\n") {
		if strings.HasPrefix(line, "doorbell_web_request_seconds_count{") && !strings.Contains(line, "/readyz") {
			var v float64
			if _, err := fmt.Sscan(line[strings.LastIndexByte(line, ' ')+1:], &v); err == nil {
				all += v
			}
		}
	}
	return all
}

func (n *node) metrics() string {
	n.in.t.Helper()
	res, err := http.Get("http://" + n.addr.String() + ":9090/metrics")
	if err != nil {
		n.in.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		n.in.t.Fatal(err)
	}
	return string(b)
}

// logs is what all nodes have said.
func (in *installation) logs() string {
	in.mu.Lock()
	defer in.mu.Unlock()
	var all strings.Builder
	for _, n := range in.nodes {
		all.WriteString(n.log())
	}
	return all.String()
}

// token mints a token as a back end would.
func (in *installation) token(role orders.Role, sub string, restaurants ...string) string {
	in.t.Helper()
	text, err := auth.Mint(in.secret, auth.Claims{Subject: sub, Role: role, Restaurants: restaurants, ExpiresAt: time.Now().Add(time.Hour)})
	if err != nil {
		in.t.Fatal(err)
	}
	return text
}

// answer is what came back of a request.
type answer struct {
	code   int
	proto  string
	header http.Header
	body   string
}

// try sends a request through the gateway; it fails when no whole answer came.
func (in *installation) try(client *http.Client, method, url, token, body string, headers ...string) (answer, error) {
	req, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := client.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	return answer{res.StatusCode, res.Proto, res.Header, string(b)}, err
}

// do is try over HTTP/2 where an answer must come, with this code.
func (in *installation) do(code int, method, path, token, body string, headers ...string) answer {
	in.t.Helper()
	a, err := in.try(in.http, method, in.gate.secure+path, token, body, headers...)
	if err != nil {
		in.t.Fatalf("%s %s: %v", method, path, err)
	}
	if a.code != code {
		in.t.Fatalf("%s %s answered %d, want %d: %s", method, path, a.code, code, a.body)
	}
	return a
}

const restaurantBody = `{"name":"Golden Wok","lat":31.23,"lon":121.47}`

const orderBody = `{"restaurantId":"res_1","paymentMethod":"WECHAT","items":[{"itemId":"rice","name":"Rice","unitPrice":1500,"quantity":2}],
	"address":{"line":"1 Century Avenue","lat":31.24,"lon":121.48}}`

// people have a token each.
type people struct{ customer, merchant, payment, ops string }

// open registers res_1 and returns those who deal with it.
func (in *installation) open() people {
	in.t.Helper()
	p := people{
		in.token(orders.RoleCustomer, "cus_1"), in.token(orders.RoleMerchant, "mer_1", "res_1"),
		in.token(orders.RolePayment, "pay_1"), in.token(orders.RoleOps, "ops_1"),
	}
	if a, err := in.try(in.http, "PUT", in.gate.secure+"/v1/restaurants/res_1", p.ops, restaurantBody); err != nil || a.code/100 != 2 {
		in.t.Fatalf("%d %s %v", a.code, a.body, err)
	}
	return p
}

// place places an order, has it paid and confirmed, and returns its id; from then on it can be delayed again and again.
func (in *installation) place(p people) (id string) {
	in.t.Helper()
	var o struct{ OrderID string }
	if err := json.Unmarshal([]byte(in.do(201, "POST", "/v1/orders", p.customer, orderBody).body), &o); err != nil {
		in.t.Fatal(err)
	}
	in.do(200, "POST", "/v1/orders/"+o.OrderID+"/pay", p.payment, `{"amount":3000,"transactionId":"tx_1"}`)
	in.do(200, "POST", "/v1/orders/"+o.OrderID+"/confirm", p.merchant, `{"prepMinutes":15}`)
	return o.OrderID
}

// seq is where the database has an order.
func (in *installation) seq(p people, id string) int64 {
	in.t.Helper()
	var o struct{ Seq int64 }
	if err := json.Unmarshal([]byte(in.do(200, "GET", "/v1/orders/"+id, p.ops, "").body), &o); err != nil {
		in.t.Fatal(err)
	}
	return o.Seq
}
