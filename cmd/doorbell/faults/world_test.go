package faults

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"doorbell/hub/bus/proxytest"
	"doorbell/hub/bus/redistest"
	"doorbell/orders/store/pgtest"
)

// The clocks of every world: some orders are left to them, and a fault must not last much longer.
const (
	payBy    = 3 * time.Second
	acceptBy = 3 * time.Second
	drainFor = 3 * time.Second
)

// world is one installation, those who use it, and what may happen to it.
type world struct {
	t    testing.TB
	name string
	dir  string
	born time.Time

	postgres *pgtest.Server
	database string                      // its URL, without a proxy
	redis    *redistest.Server           // one of these three
	sentinel *redistest.Sentinel         //
	cluster  *redistest.Cluster          //
	toRedis  map[string]*proxytest.Proxy // by node; empty for Sentinel and Cluster, which tell their clients addresses of their own
	toPG     map[string]*proxytest.Proxy // by node

	nodes    []*node
	balancer *balancer
	rest     *rest
	people   people
	book     *book
	load     *load
	oracle   *oracle
	watchers []*watcher

	victim *node    // of the fault that is under way, where there is one
	blind  interval // in which hubs heard of nothing
}

// layout is how many of each node a world has.
type layout struct{ apis, hubs, callbacks int }

// Redis is what kind of it a world has.
type redisKind int

const (
	single redisKind = iota
	sentinel
	cluster
)

// newWorld starts servers, nodes, watchers and load, all of which end with the test.
func newWorld(t testing.TB, name string, kind redisKind, l layout) *world {
	t.Helper()
	w := &world{
		t: t, name: name, dir: t.TempDir(), born: time.Now(), book: newBook(), oracle: &oracle{},
		toRedis: map[string]*proxytest.Proxy{}, toPG: map[string]*proxytest.Proxy{},
	}
	w.postgres = pgtest.Start(t)
	w.database = w.postgres.Database(t)
	switch kind {
	case single:
		w.redis = redistest.Start(t)
	case sentinel:
		w.sentinel = redistest.StartSentinel(t)
	case cluster:
		w.cluster = redistest.StartCluster(t)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(w.serverLogs())
		}
	})
	key := []byte(strings.Repeat("k", 40))
	if err := os.WriteFile(w.keyFile(), key, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, of := range []struct {
		role string
		n    int
	}{{"api", l.apis}, {"hub", l.hubs}, {"callbacks", l.callbacks}} {
		for i := range of.n {
			w.nodes = append(w.nodes, w.newNode(fmt.Sprintf("%s-%d", of.role, i+1), of.role))
		}
	}
	for _, n := range w.nodes { // each migrates the schema if it is first
		n.launch()
	}
	for _, n := range w.nodes {
		n.await()
	}
	w.balancer = newBalancer(w.nodes)
	w.rest = newREST(w.balancer)
	w.people = newPeople(t, key, crowd(6), 2, crowd(4))
	w.run()
	return w
}

// crowd is more people in a long run, which has the time, than in a short one.
func crowd(n int) int {
	if *minutes > 0 && !raced {
		return 4 * n
	}
	return n
}

func (w *world) keyFile() string { return filepath.Join(w.dir, "jwt-secret") }

// newNode makes a node with proxies of its own.
func (w *world) newNode(name, role string) *node {
	w.t.Helper()
	w.toPG[name] = proxytest.New(w.t, w.postgres.Addr())
	var redisURL string
	switch {
	case w.redis != nil:
		p := proxytest.New(w.t, w.redis.Addr())
		p.OnReply(proxytest.Pass) // so that it can be broken later
		w.toRedis[name] = p
		redisURL = "redis://" + p.Addr()
	case w.sentinel != nil:
		redisURL = w.sentinel.URL()
	default:
		redisURL = w.cluster.URL()
	}
	u, err := url.Parse(w.database)
	if err != nil {
		w.t.Fatal(err)
	}
	return newNode(w.t, w.dir, name, []string{role},
		"--admin", "127.0.0.1:0", "--roles", role, "--jwt-secret-file", w.keyFile(),
		"--redis", redisURL, "--postgres", pgtest.URLAt(w.toPG[name].Addr(), strings.TrimPrefix(u.Path, "/")),
		"--pay-by", payBy.String(), "--accept-by", acceptBy.String(), "--drain", drainFor.String(),
		"--customer-rate", "0", "--courier-requests", "0", "--unpaid-orders", "0", "--sockets-per-subject", "0",
	)
}

// run opens the restaurants and starts everybody. They end with the test, before the nodes do.
func (w *world) run() {
	w.t.Helper()
	for _, m := range w.people.merchants {
		a, err := w.rest.do(context.Background(), "PUT", "/v1/restaurants/"+m.id, w.people.ops.token,
			js{"name": "Golden Wok", "lat": 31.23, "lon": 121.47})
		if err != nil || a.code/100 != 2 {
			w.t.Fatalf("%v %v", a, err)
		}
	}
	ctx, stop := context.WithCancel(context.Background())
	var all sync.WaitGroup
	everybody := slices.Concat(w.people.customers, w.people.merchants, w.people.couriers)
	for _, p := range everybody {
		w.watchers = append(w.watchers, newLive(w.balancer, w.oracle, p), newRaw(w.balancer, w.oracle, p))
	}
	w.load = &load{people: w.people, rest: w.rest, book: w.book, name: w.name, placed: w.placed, think: think()}
	all.Go(func() { w.balancer.run(ctx) })
	for _, x := range w.watchers {
		all.Go(func() {
			if err := x.run(ctx); err != nil && ctx.Err() == nil {
				w.oracle.note(1, 0, "%s gave up: %v", x.view.name, err)
			}
		})
	}
	all.Go(func() { w.load.run(ctx, workers) })
	w.t.Cleanup(func() {
		stop()
		all.Wait()
		w.rest.client.CloseIdleConnections()
	})
}

// The load is workers that think between their requests.
const workers = 6

func think() time.Duration {
	if raced {
		return 250 * time.Millisecond // about 20 requests a second: a node under the race detector takes ten times the CPU
	}
	return 60 * time.Millisecond // about 80
}

// placed has those watch an order who have only now heard of it.
func (w *world) placed(o order) {
	for _, x := range w.watchers {
		if !x.board() && x.person.id == o.CustomerID {
			x.watch("order/" + o.OrderID)
		}
	}
}

// any is some node that plays a role.
func (w *world) any(role string) *node {
	w.t.Helper()
	var list []*node
	for _, n := range w.nodes {
		if n.has(role) {
			list = append(list, n)
		}
	}
	return list[rand.IntN(len(list))]
}

// serverLogs is the end of what every Redis server said, which keep their logs in the test's folder.
func (w *world) serverLogs() string {
	files, _ := filepath.Glob(filepath.Join(filepath.Dir(w.dir), "*", "log"))
	var out strings.Builder
	for _, f := range files {
		if b, err := os.ReadFile(f); err == nil {
			fmt.Fprintf(&out, "\n%s ends:\n%s", f, b[max(0, len(b)-1500):])
		}
	}
	return out.String()
}

// cli runs a command of the program to its end.
func (w *world) cli(args ...string) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = w.dir
	if out, err := cmd.CombinedOutput(); err != nil {
		w.t.Fatalf("doorbell %s: %v\n%s", args[0], err, out)
	}
}
