package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"doorbell/hub/bus/redistest"
	"doorbell/orders/store/pgtest"
)

// cluster is several nodes that share a Postgres and a Redis.
type cluster struct {
	t     testing.TB
	redis *redistest.Server
	dir   string   // the folder of the token secret, which all nodes share
	flags []string // of every node

	mu   sync.Mutex // guards the following; nodes are replaced while clients look for one
	apis []*server
	hubs []*server
}

// newCluster starts so many nodes of each role.
func newCluster(t testing.TB, apis, hubs int, flags ...string) *cluster {
	t.Helper()
	c := &cluster{t: t, redis: redistest.Start(t), dir: t.TempDir()}
	secret := filepath.Join(c.dir, "jwt-secret")
	if err := os.WriteFile(secret, []byte(strings.Repeat("k", 40)), 0o600); err != nil {
		t.Fatal(err)
	}
	c.flags = append([]string{
		"--redis", c.redis.URL(), "--postgres", pgtest.Start(t).Database(t), "--jwt-secret-file", secret,
		"--customer-rate", "0", "--unpaid-orders", "0", "--sockets-per-subject", "0",
	}, flags...)
	for range apis {
		c.apis = append(c.apis, c.node("api"))
	}
	for range hubs {
		c.hubs = append(c.hubs, c.node("hub"))
	}
	return c
}

// node starts one more node.
func (c *cluster) node(role string) *server {
	c.t.Helper()
	return serve(c.t, c.dir, append([]string{"--roles", role}, c.flags...)...)
}

// api is any node with the role.
func (c *cluster) api() *server {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.apis[rand.IntN(len(c.apis))]
}

// hubAddr is the address of any node with the role.
func (c *cluster) hubAddr() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return strings.TrimPrefix(c.hubs[rand.IntN(len(c.hubs))].base, "http://")
}

// replace puts another node in the place of one, which the caller has ended or will end.
func (c *cluster) replace(list *[]*server, i int, s *server) (old *server) {
	c.mu.Lock()
	defer c.mu.Unlock()
	old, (*list)[i] = (*list)[i], s
	return old
}

// watched is orders, and witnesses who watch them on any hub node until the test ends.
type watched struct {
	*cluster
	cast
	ids       []string
	witnesses []*witness
}

func (c *cluster) watch(orders, witnesses int) *watched {
	c.t.Helper()
	w := &watched{cluster: c, cast: c.apis[0].cast()}
	c.apis[0].open(w.cast)
	for i := range orders {
		w.ids = append(w.ids, strings.TrimPrefix(c.api().place(w.cast, fmt.Sprint(i)), "/v1/orders/"))
	}
	ctx, stop := context.WithCancel(context.Background())
	var all sync.WaitGroup
	for i := range witnesses {
		who := &witness{
			name: fmt.Sprint("witness ", i), t: c.t, token: []string{w.customer, w.ops}[i%2], ids: w.ids, seq: map[string]int64{},
		}
		w.witnesses = append(w.witnesses, who)
		all.Go(func() { who.run(ctx, c.hubAddr) })
	}
	c.t.Cleanup(func() { stop(); all.Wait() })
	return w
}

// load changes the orders through any api node until stop is called.
func (w *watched) load(workers int) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	for range workers {
		all.Go(func() {
			for ctx.Err() == nil {
				churn(ctx, w.api(), w.cast, w.ids) // ends when its node is killed
			}
		})
	}
	return sync.OnceFunc(func() { cancel(); all.Wait() })
}

// whole fails the test unless every witness is soon where the database is.
func (w *watched) whole() {
	w.t.Helper()
	for _, id := range w.ids {
		o := w.api().do(200, "GET", "/v1/orders/"+id, w.ops, nil).order(w.t)
		for _, who := range w.witnesses {
			eventually(w.t, func() (bool, string) {
				return who.at(id) >= o.Seq, fmt.Sprintf("%s is at %d of %s, which is at %d", who.name, who.at(id), id, o.Seq)
			})
		}
	}
}

// TestP1_OnSeveralNodesAKillLosesNothing kills api nodes under load, first one, then the other: what one answered with
// 2xx is there, clocks fire once whoever fires them, and a key makes one order.
func TestP1_OnSeveralNodesAKillLosesNothing(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 2, 0, "--pay-by", "300ms", "--courier-requests", "0")
	people := c.apis[0].cast()
	c.apis[0].open(people)
	b := &book{last: map[string]order{}, keys: map[string]string{}}
	for round := range 3 {
		var callers sync.WaitGroup
		for n, s := range c.apis {
			for i := range 3 {
				callers.Go(func() { b.life(s, people, fmt.Sprint("r", round, "n", n, "w", i)) })
			}
		}
		for _, s := range c.apis {
			time.Sleep(time.Duration(100+rand.IntN(300)) * time.Millisecond) // the random moment
			s.kill()
		}
		callers.Wait()
		c.apis = []*server{c.node("api"), c.node("api")}
		b.check(c.api(), people)
		if t.Failed() {
			return
		}
	}
}

// TestP2_OnSeveralNodesWatchersSeeEverySeqInOrder kills hub nodes, and Redis with all it holds, while witnesses watch,
// leave, and come back to any node.
func TestP2_OnSeveralNodesWatchersSeeEverySeqInOrder(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 2, 2)
	w := c.watch(12, 8)
	stop := w.load(4)
	defer stop()
	w.whole()
	for round := range 2 {
		c.replace(&c.hubs, round%2, c.node("hub")).kill()
		time.Sleep(200 * time.Millisecond) // of load on the nodes that are left
		c.redis.Kill()
		time.Sleep(300 * time.Millisecond)
		c.redis.Start()
	}
	stop()
	w.whole()
}

// TestP3_OnSeveralNodesALostMessageIsMadeGood cuts the connections on which nodes hear of changes: what was published
// meanwhile reaches every client within two seconds.
func TestP3_OnSeveralNodesALostMessageIsMadeGood(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1, 2)
	w := c.watch(20, 6)
	w.whole()
	stop := w.load(2)
	defer stop()
	for range 5 {
		c.redis.Client().ClientKillByFilter(t.Context(), "TYPE", "pubsub")
		time.Sleep(100 * time.Millisecond) // of load
	}
	stop()
	began := time.Now()
	w.whole()
	limit := 2 * time.Second
	if raced {
		limit *= 3
	}
	if took := time.Since(began); took > limit {
		t.Errorf("whole after %v", took)
	}
}

// TestP8_OnSeveralNodesAStopMovesItsClients stops each hub node under load, another in its place: nothing is lost, and
// the process ends well.
func TestP8_OnSeveralNodesAStopMovesItsClients(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1, 2, "--drain", "3s")
	w := c.watch(12, 8)
	stop := w.load(2)
	defer stop()
	for i := range c.hubs {
		old := c.replace(&c.hubs, i, c.node("hub"))
		old.stop()
	}
	stop()
	w.whole()
}
