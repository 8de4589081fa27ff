package client_test

import (
	"context"
	"fmt"
	"net"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.uber.org/goleak"
	"golang.org/x/sync/errgroup"

	"doorbell/hub"
	"doorbell/hub/bus"
	"doorbell/hub/client"
	"doorbell/orders"
	"doorbell/orders/store/sqlite"
	"doorbell/web"
	"doorbell/web/auth"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var secret = []byte("a secret of tests, longer than 32 bytes")

// cluster is some hub nodes on one store, behind real sockets and a balancer that can cut them.
type cluster struct {
	t       testing.TB
	store   *sqlite.Store
	service *orders.Service
	nodes   []*node
	proxy   *proxy
	acks    chan ackHeard // of every node
	steps   atomic.Int64
}

type ackHeard struct {
	by    orders.Caller
	order string
	seq   int64
}

// node is one of them.
type node struct {
	srv *httptest.Server
	hub *hub.Hub
}

// startCluster runs n nodes until the test ends. change may be nil.
func startCluster(t testing.TB, n int, change func(*hub.Config)) *cluster {
	t.Helper()
	local := bus.NewLocal()
	st, err := sqlite.Open(context.Background(), sqlite.Config{Dir: t.TempDir(), Publisher: local})
	if err != nil {
		t.Fatal(err)
	}
	c := &cluster{t: t, store: st, service: orders.NewService(st, orders.Config{}), acks: make(chan ackHeard, 1000)}
	ctx, cancel := context.WithCancel(context.Background())
	var runs errgroup.Group
	for range n {
		c.nodes = append(c.nodes, c.newNode(ctx, local, &runs, change))
	}
	runs.Go(func() error { return st.Run(ctx) })
	runs.Go(func() error { return local.Run(ctx) })
	c.proxy = startProxy(t, func() string { return c.nodes[0].srv.Listener.Addr().String() })
	if _, err := st.PutRestaurant(context.Background(), orders.Restaurant{
		ID: "res_1", Name: "Golden Wok", Lat: 31.23, Lon: 121.47, OpenPricing: true, PrepMinutes: 20, Proof: orders.ProofNone,
	}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		c.proxy.close()
		for _, n := range c.nodes {
			n.srv.Close()
		}
		if err := runs.Wait(); err != nil {
			t.Error(err)
		}
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

func (c *cluster) newNode(ctx context.Context, local *bus.Local, runs *errgroup.Group, change func(*hub.Config)) *node {
	t := c.t
	t.Helper()
	revocations := auth.NewRevocations(nil)
	verifier, err := auth.New(auth.Config{Secret: secret, Revocations: revocations})
	if err != nil {
		t.Fatal(err)
	}
	wc := web.Config{
		Orders: c.service, Store: c.store, Revocations: revocations, Health: web.NewHealth(c.store.Ready), Sessions: ctx,
		Gate: web.Gate{Verifier: verifier, Orders: c.service}, Log: zerolog.Nop(),
	}
	hc := hub.Config{Source: c.store, View: wc.Viewer.JSON, Verify: wc.Gate.Live}
	hc.OnAck = func(by orders.Caller, id string, seq int64) {
		select {
		case c.acks <- ackHeard{by, id, seq}:
		default:
		}
	}
	if change != nil {
		change(&hc)
	}
	n := &node{hub: hub.New(hc)}
	wc.Hub = n.hub
	revocations.OnRevoke(n.hub.Revoke)
	local.Subscribe(n.hub)
	runs.Go(func() error { return n.hub.Run(ctx) })
	edge, err := web.New(wc)
	if err != nil {
		t.Fatal(err)
	}
	n.srv = httptest.NewUnstartedServer(edge)
	n.srv.Config = web.NewHTTPServer(edge, zerolog.Nop())
	n.srv.Start()
	return n
}

// tokenOf mints a token with this life.
func tokenOf(t testing.TB, role orders.Role, sub string, life time.Duration, restaurants ...string) string {
	t.Helper()
	s, err := auth.Mint(secret, auth.Claims{
		Subject: sub, Role: role, Restaurants: restaurants, IssuedAt: time.Now().Add(-time.Second), ExpiresAt: time.Now().Add(life),
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func fixed(token string) func(context.Context) (string, error) {
	return func(context.Context) (string, error) { return token, nil }
}

func (c *cluster) customer() func(context.Context) (string, error) {
	return fixed(tokenOf(c.t, orders.RoleCustomer, "cus_1", time.Hour))
}

func (c *cluster) ops() func(context.Context) (string, error) {
	return fixed(tokenOf(c.t, orders.RoleOps, "ops_1", time.Hour))
}

var (
	customer = orders.Caller{Actor: orders.Actor{Role: orders.RoleCustomer, ID: "cus_1"}, Client: "default"}
	merchant = orders.Caller{Actor: orders.Actor{Role: orders.RoleMerchant, ID: "mer_1"}, Restaurants: []string{"res_1"}}
	ops      = orders.Caller{Actor: orders.Actor{Role: orders.RoleOps, ID: "ops_1"}}
)

// place makes an order of cus_1 at res_1, paid and confirmed: seq 3.
func (c *cluster) place() (id string) {
	c.t.Helper()
	p, err := c.service.Place(context.Background(), customer, orders.Placement{
		RestaurantID: "res_1", Items: []orders.Item{{ItemID: "rice", Name: "Rice", Quantity: 1, UnitPrice: 1500}},
		Method: orders.WeChat, Address: orders.Address{Line: "1 Century Ave", Lat: 31.23, Lon: 121.47},
	})
	if err != nil {
		c.t.Fatal(err)
	}
	o := p.Order
	c.do(o.ID, orders.Pay{Amount: o.Total, TransactionID: "tx_1"}, orders.Caller{Actor: orders.Actor{Role: orders.RolePayment, ID: "pay_1"}})
	c.do(o.ID, orders.Confirm{PrepMinutes: 10}, merchant)
	return o.ID
}

func (c *cluster) do(id string, cmd orders.Command, by orders.Caller) (seq int64) {
	c.t.Helper()
	o, _, err := c.service.Do(context.Background(), id, cmd, by, nil)
	if err != nil {
		c.t.Fatalf("%s of %s: %v", cmd.Action(), id, err)
	}
	return o.Seq
}

// step changes an order without bringing it nearer to its end, and returns its seq.
func (c *cluster) step(id string) (seq int64) {
	c.t.Helper()
	for {
		prep := 20 + int(c.steps.Add(1)%50)
		o, events, err := c.service.Do(context.Background(), id, orders.Delay{PrepMinutes: prep}, merchant, nil)
		if err != nil {
			c.t.Errorf("delay %s: %v", id, err)
			return 0
		}
		if len(events) > 0 { // else it was the same number as before
			return o.Seq
		}
	}
}

func (c *cluster) url() string { return "http://" + c.proxy.addr() }

// drain moves the clients of a node away while new ones come to another.
func (c *cluster) drain(from, to *node, window time.Duration) {
	c.proxy.send(to.srv.Listener.Addr().String())
	ctx, cancel := context.WithTimeout(context.Background(), 4*window)
	defer cancel()
	from.hub.Drain(ctx, window, 0)
}

// proxy is a balancer that passes bytes on and cuts connections when it is told to.
type proxy struct {
	l    net.Listener
	wg   sync.WaitGroup
	mu   sync.Mutex // guards the following
	to   func() string
	open map[net.Conn]struct{} // clients' sides
	down bool
}

func startProxy(t testing.TB, to func() string) *proxy {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{l: l, to: to, open: map[net.Conn]struct{}{}}
	p.wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			p.wg.Go(func() { p.carry(c) })
		}
	})
	return p
}

func (p *proxy) addr() string { return p.l.Addr().String() }

func (p *proxy) send(to string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.to = func() string { return to }
}

// shut has the proxy refuse connections, or take them again.
func (p *proxy) shut(down bool) {
	p.mu.Lock()
	p.down = down
	p.mu.Unlock()
	if down {
		p.cut()
	}
}

// cut breaks every connection and says how many there were.
func (p *proxy) cut() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.open {
		if t, ok := c.(*net.TCPConn); ok {
			_ = t.SetLinger(0) // what is on its way is lost
		}
		_ = c.Close()
	}
	return len(p.open)
}

func (p *proxy) carry(c net.Conn) {
	defer c.Close()
	p.mu.Lock()
	to, down := p.to(), p.down
	if !down {
		p.open[c] = struct{}{}
	}
	p.mu.Unlock()
	if down {
		return
	}
	defer func() {
		p.mu.Lock()
		delete(p.open, c)
		p.mu.Unlock()
	}()
	s, err := net.Dial("tcp", to)
	if err != nil {
		return
	}
	var both sync.WaitGroup
	both.Go(func() { pass(s, c) })
	both.Go(func() { pass(c, s) })
	both.Wait()
}

// pass copies until either side ends, and then ends both.
func pass(to, from net.Conn) {
	defer to.Close()
	defer from.Close()
	b := make([]byte, 4<<10)
	for {
		n, err := from.Read(b)
		if n > 0 {
			if _, err := to.Write(b[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

func (p *proxy) close() {
	_ = p.l.Close()
	p.cut()
	p.wg.Wait()
}

// watcher is a running client that keeps what it was told, and holds it against promise P2.
type watcher struct {
	t testing.TB
	*client.Client
	patience time.Duration
	told     chan client.Message // everything but what is asked for is passed over by next

	mu     sync.Mutex // guards the following
	seq    map[string]int64
	boards map[string]map[string]int64
	all    []client.Message
	also   func() // called at the end of handle, with mu held; may be nil
	stop   context.CancelFunc
	done   chan error
}

// startWatcher runs a client until the test ends.
func startWatcher(t testing.TB, cfg client.Config, topics ...string) *watcher {
	t.Helper()
	w := &watcher{t: t, patience: 10 * time.Second, told: make(chan client.Message, 10_000), seq: map[string]int64{}, boards: map[string]map[string]int64{}, done: make(chan error, 1)}
	cfg.Handle = w.handle
	w.Client = client.New(cfg)
	for _, topic := range topics {
		w.Watch(topic, 0)
	}
	ctx, cancel := context.WithCancel(context.Background())
	w.stop = cancel
	go func() { w.done <- w.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err, open := <-w.done; err != nil && open {
			t.Errorf("Run: %v", err)
		}
	})
	return w
}

// ended waits for Run to return.
func (w *watcher) ended() error {
	w.t.Helper()
	select {
	case err := <-w.done:
		close(w.done)
		return err
	case <-time.After(5 * time.Second):
		w.t.Fatal("Run did not return")
		return nil
	}
}

// handle checks P2: of an order one more each time, or a snapshot that is not older.
func (w *watcher) handle(m client.Message) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.all = append(w.all, m)
	seen := func(topic, board, id string) (map[string]int64, string) {
		if board != "" {
			return w.boards[board], id
		}
		return w.seq, topic
	}
	switch m := m.(type) {
	case client.Snapshot:
		on, key := seen(m.Topic, m.Board, m.OrderID)
		if m.Seq <= on[key] {
			w.t.Errorf("%s on %q: snapshot %d after %d", m.Topic, m.Board, m.Seq, on[key])
		}
		on[key] = m.Seq
	case client.Event:
		on, key := seen(m.Topic, m.Board, m.OrderID)
		if m.Seq != on[key]+1 {
			w.t.Errorf("%s on %q: event %d after %d", m.Topic, m.Board, m.Seq, on[key])
		}
		on[key] = m.Seq
	case client.Current:
		if m.Seq != w.seq[m.Topic] {
			w.t.Errorf("%s: current %d after %d", m.Topic, m.Seq, w.seq[m.Topic])
		}
	case client.BoardPage:
		old := w.boards[m.Topic]
		if m.First {
			w.boards[m.Topic] = map[string]int64{}
		}
		for _, raw := range m.Orders {
			id, seq := orderAt(raw)
			if seq < old[id] {
				w.t.Errorf("%s: page has %s at %d after %d", m.Topic, id, seq, old[id])
			}
			w.boards[m.Topic][id] = seq
		}
	case client.Gone:
		if m.Board != "" {
			delete(w.boards[m.Board], m.OrderID)
		}
	}
	if w.also != nil {
		w.also()
	}
	select {
	case w.told <- m:
	default: // a test that takes them does so as they come
	}
}

// hook has f called with each message, behind the checks.
func (w *watcher) hook(f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.also = f
}

func (w *watcher) at(topic string) int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.seq[topic]
}

func (w *watcher) on(board, id string) int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.boards[board][id]
}

// count is how many messages of a type were told.
func count[M client.Message](w *watcher) (n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, m := range w.all {
		if _, ok := m.(M); ok {
			n++
		}
	}
	return n
}

// first is the first message of a type that was told, zero when there was none.
func first[M client.Message](w *watcher) (zero M) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, m := range w.all {
		if m, ok := m.(M); ok {
			return m
		}
	}
	return zero
}

// next waits for the next message of a type, passing over others.
func next[M client.Message](w *watcher) M {
	w.t.Helper()
	late := time.After(w.patience)
	for {
		select {
		case m := <-w.told:
			if m, ok := m.(M); ok {
				return m
			}
		case <-late:
			var m M
			w.t.Fatalf("waited in vain for a %T", m)
		}
	}
}

// eventually reports whether something becomes true within ten seconds.
func eventually(ok func() bool) bool {
	for end := time.Now().Add(10 * time.Second); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			return false
		}
	}
	return true
}

// until waits for something to become true.
func until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	if !eventually(ok) {
		t.Fatalf("waited in vain until %s", what)
	}
}

func orderAt(raw []byte) (id string, seq int64) {
	s := string(raw)
	_, rest, _ := strings.Cut(s, `"orderId":"`)
	id, _, _ = strings.Cut(rest, `"`)
	_, rest, _ = strings.Cut(s, `"seq":`)
	_, _ = fmt.Sscan(rest, &seq)
	return id, seq
}
