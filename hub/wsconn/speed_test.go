package wsconn_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"doorbell/orders"
	"doorbell/web/auth"
)

// The speed of a real `doorbell serve` process, seen by clients on the same cores.

// sockets is how many live sockets these benchmarks hold.
const sockets = 10_000

// rig is a server with orders, and tokens for it.
type rig struct {
	*serve
	b      *testing.B
	secret []byte
	lines  []string // "token topic" per order
	hubs   []string // addresses that take live sockets
	begin  func()   // called when the sockets are there and the load begins; nil = nothing
	http   *http.Client
}

func newRig(b *testing.B, n int) *rig {
	b.Helper()
	data := b.TempDir()
	r := emptyRig(b, data)
	r.serve = startServe(b, program(b), data)
	r.hubs = []string{r.addr}
	r.lines = placeOrders(b, r.addr, r.secret, n)
	return r
}

// program is the program that is measured.
func program(b *testing.B) string {
	b.Helper()
	bin := os.Getenv("DOORBELL_BIN")
	if bin == "" {
		bin = filepath.Join(b.TempDir(), "doorbell")
		if out, err := exec.Command("go", "build", "-o", bin, "doorbell/cmd/doorbell").CombinedOutput(); err != nil {
			b.Fatalf("%v\n%s", err, out)
		}
	}
	return bin
}

func emptyRig(b *testing.B, data string) *rig {
	b.Helper()
	r := &rig{b: b, secret: bytes.Repeat([]byte("k"), auth.MinSecret), http: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 256}}}
	if err := os.WriteFile(filepath.Join(data, "key"), r.secret, 0o600); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(r.http.CloseIdleConnections)
	return r
}

func (r *rig) token(role orders.Role, sub string, restaurants ...string) string {
	s, err := auth.Mint(r.secret, auth.Claims{Subject: sub, Role: role, Restaurants: restaurants, ExpiresAt: time.Now().Add(time.Hour)})
	if err != nil {
		r.b.Fatal(err)
	}
	return s
}

// orderID is the order that a line watches.
func orderID(line string) string {
	_, topic, _ := strings.Cut(line, " ")
	return strings.TrimPrefix(topic, "order/")
}

func (r *rig) post(token, path, body string) error {
	req, err := http.NewRequest(http.MethodPost, "http://"+r.addr+"/v1/orders/"+path, strings.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/json")
	res, err := r.http.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s %s", res.Status, raw)
	}
	return err
}

// watch opens a socket for a line, resumed after a seq, and returns once it has its first answer. heard is called with
// every event's seq after that.
func (r *rig) watch(addr, line string, after int64, heard func(seq int64)) (*raw, error) {
	token, topic, _ := strings.Cut(line, " ")
	ask := text(fmt.Sprintf(`{"op":"watch","topics":[{"topic":"%s","after":%d}]}`, topic, after))
	c, _, err := dialRaw(addr, token, ask)
	if err != nil {
		return nil, err
	}
	for {
		f, err := c.next()
		if err != nil {
			return nil, err
		}
		if bytes.Contains(f.payload, []byte(`"op":"snapshot"`)) || bytes.Contains(f.payload, []byte(`"op":"current"`)) {
			break
		}
		if bytes.Contains(f.payload, []byte(`"op":"error"`)) {
			return nil, fmt.Errorf("%s", f.payload)
		}
	}
	go func() {
		for {
			f, err := c.next()
			if err != nil {
				return
			}
			if f.op == opPing {
				_ = c.send(clientFrame(0x80|opPong, f.payload))
				continue
			}
			for l := range bytes.Lines(f.payload) {
				if heard != nil && bytes.HasPrefix(l, []byte(`{"op":"event"`)) {
					heard(seqOf(l))
				}
			}
		}
	}()
	return c, nil
}

// seqOf is the seq of an event's frame, found without parsing it: the client is not what is measured.
func seqOf(frame []byte) (seq int64) {
	_, rest, _ := bytes.Cut(frame, []byte(`,"seq":`))
	for _, d := range rest {
		if d < '0' || d > '9' {
			break
		}
		seq = 10*seq + int64(d-'0')
	}
	return seq
}

// connect opens a socket for each line and returns how long it took until all were whole.
func (r *rig) connect(lines []string, after int64, heard func(i int, seq int64)) ([]*raw, time.Duration) {
	r.b.Helper()
	out, start := make([]*raw, len(lines)), time.Now()
	var group errgroup.Group
	group.SetLimit(512)
	for i, line := range lines {
		group.Go(func() (err error) {
			var tell func(int64)
			if heard != nil {
				tell = func(seq int64) { heard(i, seq) }
			}
			out[i], err = r.watch(r.hubs[i%len(r.hubs)], line, after, tell)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		r.b.Fatal(err)
	}
	took := time.Since(start)
	r.b.Cleanup(func() {
		for _, c := range out {
			_ = c.Close()
		}
	})
	return out, took
}

func report(b *testing.B, name string, took []time.Duration) {
	slices.Sort(took)
	at := func(p float64) float64 { return float64(took[min(len(took)-1, int(p*float64(len(took))))]) / 1e6 }
	b.ReportMetric(at(.5), name+"-p50-ms")
	b.ReportMetric(at(.99), name+"-p99-ms")
	b.ReportMetric(at(1), name+"-max-ms")
}

// BenchmarkStatusToSocket changes orders through REST at 600/s on an open-loop schedule, each change fsynced, with
// 10,000 sockets open, and measures from the moment a change was to be sent until its socket heard of it.
func BenchmarkStatusToSocket(b *testing.B) { newRig(b, sockets).statusToSocket() }

func (r *rig) statusToSocket() {
	const rate, seconds = 600, 10
	b := r.b
	payment := r.token(orders.RolePayment, "pay_1")
	planned := make([]atomic.Int64, sockets) // when a change was to be sent, ns since start
	took := make(chan time.Duration, sockets)
	start := time.Now()
	r.connect(r.lines, 0, func(i int, _ int64) {
		if at := planned[i].Load(); at > 0 {
			took <- time.Since(start) - time.Duration(at)
		}
	})
	if r.begin != nil {
		r.begin()
	}
	var group errgroup.Group
	begin := time.Now()
	for i := range rate * seconds {
		due := begin.Add(time.Duration(i) * time.Second / rate)
		time.Sleep(time.Until(due)) // the plan, not a wait for something to happen
		planned[i].Store(int64(due.Sub(start)))
		group.Go(func() error {
			return r.post(payment, orderID(r.lines[i])+"/pay", `{"amount":5000,"transactionId":"tx"}`)
		})
	}
	if err := group.Wait(); err != nil {
		b.Fatal(err)
	}
	all := make([]time.Duration, rate*seconds)
	for i := range all {
		select {
		case all[i] = <-took:
		case <-time.After(5 * time.Second):
			b.Fatalf("%d of %d changes were heard of", i, len(all))
		}
	}
	report(b, "socket", all)
}

// BenchmarkFanOutToSockets changes one order that 5,000 sockets watch, and measures from sending the change until the
// last of them heard of it.
func BenchmarkFanOutToSockets(b *testing.B) {
	const watchers = 5_000
	r := newRig(b, 1)
	id := orderID(r.lines[0])
	ops := r.token(orders.RoleOps, "ops_1")
	if err := r.post(r.token(orders.RolePayment, "pay_1"), id+"/pay", `{"amount":5000,"transactionId":"tx"}`); err != nil {
		b.Fatal(err)
	}
	merchant := r.token(orders.RoleMerchant, "mer_1", "res_1")
	if err := r.post(merchant, id+"/confirm", `{"prepMinutes":20}`); err != nil {
		b.Fatal(err)
	}
	var (
		heard atomic.Int64
		took  [watchers]time.Duration // by socket, of the event under way
		each  []time.Duration
		sent  time.Time
	)
	done := make(chan struct{}, 1)
	r.connect(slices.Repeat([]string{ops + " order/" + id}, watchers), 0, func(i int, _ int64) {
		took[i] = time.Since(sent)
		if heard.Add(1)%watchers == 0 {
			done <- struct{}{}
		}
	})
	var last []time.Duration
	for i := 0; b.Loop(); i++ {
		sent = time.Now()
		if err := r.post(merchant, id+"/delay", fmt.Sprintf(`{"prepMinutes":%d}`, 21+i%2)); err != nil {
			b.Fatal(err)
		}
		<-done
		last = append(last, slices.Max(took[:]))
		each = append(each, took[:]...)
	}
	report(b, "last", last)
	report(b, "each", each)
}

// BenchmarkReconnect cuts 10,000 sockets at once and measures until all have resumed.
func BenchmarkReconnect(b *testing.B) {
	r := newRig(b, sockets)
	open, _ := r.connect(r.lines, 1, nil)
	var all []time.Duration
	for b.Loop() {
		for _, c := range open {
			_ = c.Close()
		}
		var took time.Duration
		open, took = r.connect(r.lines, 1, nil)
		all = append(all, took)
	}
	report(b, "whole", all)
}
