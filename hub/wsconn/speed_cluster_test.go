package wsconn_test

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"doorbell/hub/bus/redistest"
	"doorbell/orders"
	"doorbell/orders/store/pgtest"
)

// The speed of an installation of real processes: one api node, two hub nodes, Redis and Postgres, seen by clients on the
// same cores.

// clusterRig is a rig whose sockets are on hub nodes and whose REST is on an api node.
type clusterRig struct {
	*rig
	hubNodes []*serve
	redis    *redistest.Server
}

func newClusterRig(b *testing.B, orders int) *clusterRig {
	b.Helper()
	data, bin := b.TempDir(), program(b)
	c := &clusterRig{rig: emptyRig(b, data), redis: redistest.Start(b)}
	flags := []string{"--redis", c.redis.URL(), "--postgres", pgtest.Start(b).Database(b)}
	c.serve = startServe(b, bin, data, append(flags, "--roles", "api")...)
	for range 2 {
		s := startServe(b, bin, data, append(flags, "--roles", "hub")...)
		c.hubNodes, c.hubs = append(c.hubNodes, s), append(c.hubs, s.addr)
	}
	c.lines = placeOrders(b, c.addr, c.secret, orders)
	return c
}

// redisCPU is what Redis has used so far.
func (c *clusterRig) redisCPU() time.Duration {
	c.b.Helper()
	text, err := c.redis.Client().Info(context.Background(), "cpu").Result()
	if err != nil {
		c.b.Fatal(err)
	}
	var total float64
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		if name == "used_cpu_sys" || name == "used_cpu_user" {
			seconds, err := strconv.ParseFloat(value, 64)
			if err != nil {
				c.b.Fatal(err)
			}
			total += seconds
		}
	}
	return time.Duration(total * float64(time.Second))
}

// metric is the sum of a node's samples of this name.
func metric(b *testing.B, s *serve, name string) (sum float64) {
	b.Helper()
	res, err := http.Get("http://" + s.admin + "/metrics")
	if err != nil {
		b.Fatal(err)
	}
	defer res.Body.Close()
	for lines := bufio.NewScanner(res.Body); lines.Scan(); {
		sample, value, ok := strings.Cut(lines.Text(), " ")
		if base, _, _ := strings.Cut(sample, "{"); !ok || base != name {
			continue
		}
		v, err := strconv.ParseFloat(value, 64)
		if err != nil {
			b.Fatal(err)
		}
		sum += v
	}
	return sum
}

// BenchmarkClusterStatusToSocket is BenchmarkStatusToSocket with the sockets on two other nodes than the changes.
func BenchmarkClusterStatusToSocket(b *testing.B) {
	c := newClusterRig(b, sockets)
	var before time.Duration
	var published float64
	c.begin = func() { before, published = c.redisCPU(), metric(b, c.serve, "doorbell_bus_published_total") }
	c.statusToSocket()
	used, n := c.redisCPU()-before, metric(b, c.serve, "doorbell_bus_published_total")-published
	b.ReportMetric(float64(used.Microseconds())/n, "redis-µs/event")
}

// BenchmarkClusterChanges changes orders through REST as fast as 64 callers can, each change durable in Postgres.
func BenchmarkClusterChanges(b *testing.B) {
	const callers = 64
	c := newClusterRig(b, callers*8)
	merchant, payment := c.token(orders.RoleMerchant, "mer_1", "res_1"), c.token(orders.RolePayment, "pay_1")
	var group errgroup.Group
	group.SetLimit(callers)
	for _, line := range c.lines {
		group.Go(func() error {
			if err := c.post(payment, orderID(line)+"/pay", `{"amount":5000,"transactionId":"tx"}`); err != nil {
				return err
			}
			return c.post(merchant, orderID(line)+"/confirm", `{"prepMinutes":20}`)
		})
	}
	if err := group.Wait(); err != nil {
		b.Fatal(err)
	}
	n, start := 0, time.Now()
	for b.Loop() {
		minutes := 21 + n%2
		for _, line := range c.lines {
			n++
			group.Go(func() error {
				return c.post(merchant, orderID(line)+"/delay", fmt.Sprintf(`{"prepMinutes":%d}`, minutes))
			})
		}
		if err := group.Wait(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(n)/time.Since(start).Seconds(), "changes/s")
}

// BenchmarkClusterKilledHub kills the node on which 10,000 clients are, and measures until all are whole on the other.
func BenchmarkClusterKilledHub(b *testing.B) {
	c := newClusterRig(b, sockets)
	dead, alive := c.hubNodes[0], c.hubNodes[1]
	c.hubs = []string{dead.addr}
	open, _ := c.connect(c.lines, 1, nil)
	c.hubs = []string{alive.addr}
	reads := metric(b, alive, "doorbell_store_reads_total")
	if err := dead.cmd.Process.Signal(syscall.SIGKILL); err != nil {
		b.Fatal(err)
	}
	for _, s := range open { // what a client does with a dead socket
		_ = s.Close()
	}
	_, took := c.connect(c.lines, 1, nil)
	b.ReportMetric(took.Seconds(), "whole-s")
	b.ReportMetric(metric(b, alive, "doorbell_store_reads_total")-reads, "database-reads")
}
