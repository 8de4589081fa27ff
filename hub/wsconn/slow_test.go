package wsconn_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"doorbell/hub"
	"doorbell/hub/wire"
	"doorbell/orders"
)

// queueLimit is what may wait for one client: 32 KiB of events.
const queueLimit = 32 << 10

// onlooker is a client that reads as fast as it can and tells when an event came.
type onlooker struct {
	*raw
	seen func(seq int64)
}

func (o *onlooker) run() {
	for {
		f, err := o.next()
		if err != nil {
			return
		}
		for line := range bytes.Lines(f.payload) {
			if l, err := wire.ParseFrame(line); err == nil && l.Op == wire.OpEvent {
				o.seen(l.Seq)
			}
		}
	}
}

// crowd is clients that watch one order, and what they saw of it.
type crowd struct {
	n     *node
	order string

	mu    sync.Mutex // guards the following
	left  map[int64]int
	all   map[int64]chan struct{} // closed when everybody saw a seq
	began map[int64]time.Time
	took  []time.Duration
	size  int
}

// gather connects size clients, who go when the test ends.
func gather(n *node, order string, size int) *crowd {
	n.t.Helper()
	c := &crowd{n: n, order: order, size: size, left: map[int64]int{}, all: map[int64]chan struct{}{}, began: map[int64]time.Time{}}
	token := n.token(orders.RoleOps, "ops_1")
	var group sync.WaitGroup
	n.t.Cleanup(group.Wait)
	for range size {
		s := watching(n, token, order)
		group.Go((&onlooker{s, c.seen}).run)
		n.t.Cleanup(func() { _ = s.Close() })
	}
	return c
}

// watching is a client that has had the snapshot of each order.
func watching(n *node, token string, ids ...string) *raw {
	n.t.Helper()
	s, _, err := dialRaw(n.addr, token, nil)
	if err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(func() { _ = s.Close() })
	for _, id := range ids {
		if err := s.send(text(`{"op":"watch","topics":[{"topic":"order/` + id + `"}]}`)); err != nil {
			n.t.Fatal(err)
		}
		s.until(n.t, wire.OpSnapshot)
	}
	return s
}

// until reads to a line with this op.
func (c *raw) until(t testing.TB, op wire.Op) wire.Frame {
	t.Helper()
	_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
	defer c.SetReadDeadline(time.Time{})
	for {
		f, err := c.next()
		if err != nil {
			t.Fatalf("waiting for %s: %v", op, err)
		}
		if f.op != opText {
			continue
		}
		for line := range bytes.Lines(f.payload) {
			if l, err := wire.ParseFrame(line); err == nil && l.Op == op {
				return l
			}
		}
	}
}

func (c *crowd) seen(seq int64) {
	now := time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.took = append(c.took, now.Sub(c.began[c.next(seq)]))
	if c.left[seq]++; c.left[seq] == c.size {
		close(c.all[seq])
	}
}

// next prepares for a seq. Called with mu held.
func (c *crowd) next(seq int64) int64 {
	if c.all[seq] == nil {
		c.all[seq] = make(chan struct{})
	}
	return seq
}

// watchEvents makes n events, one when everybody saw the one before, and returns the slowest hundredth's latency, from
// before the request that made the event until a client had it.
func (c *crowd) watchEvents(n int, also func()) time.Duration {
	c.n.t.Helper()
	c.mu.Lock()
	c.took = nil
	c.mu.Unlock()
	for i := range n {
		also()
		c.mu.Lock()
		next := c.next(c.lastSeq() + 1)
		c.began[next] = time.Now()
		all := c.all[next]
		c.mu.Unlock()
		if seq := c.n.delay(c.order, i); seq != next {
			c.n.t.Fatalf("the event is %d, want %d", seq, next)
		}
		select {
		case <-all:
		case <-time.After(10 * time.Second):
			c.n.t.Fatalf("event %d did not reach everybody", next)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	slices.Sort(c.took)
	return c.took[len(c.took)*99/100]
}

// lastSeq is the order's seq before the first event, or the last one made. Called with mu held.
func (c *crowd) lastSeq() int64 {
	last := int64(3) // placed, paid, confirmed: see node.order
	for seq := range c.began {
		last = max(last, seq)
	}
	return last
}

func TestP5_SlowWatchersCostTheOthersNothing(t *testing.T) {
	t.Parallel()
	size := 1000
	if testing.Short() || raceEnabled {
		size = 150
	}
	n := startNode(t, nil)
	id := n.order()
	busy := make([]string, 8) // what only the slow ones watch, so that they fall behind soon
	for i := range busy {
		busy[i] = n.order()
	}
	c := gather(n, id, size)
	before := c.watchEvents(50, func() {})

	const each = 4
	ops := n.token(orders.RoleOps, "ops_2")
	var never []*raw
	for range each {
		never = append(never, watching(n, ops, append(busy, id)...)) // never reads again
		dribble(t, watching(n, ops, append(busy, id)...))
		vanish(t, n, ops, append(busy, id)...)
	}
	noise, peak := 0, 0.0
	after := c.watchEvents(50, func() {
		for _, b := range busy {
			noise++
			n.delay(b, noise)
		}
		peak = max(peak, n.metric("doorbell_hub_queue_bytes"))
	})
	t.Logf("%d clients: p99 %v without slow ones, %v with %d", size, before, after, 3*each)
	if after > 4*before+50*time.Millisecond {
		t.Errorf("the others' p99 went from %v to %v", before, after)
	}
	if n.metric("doorbell_hub_messages_thrown_away_total", "overflow") == 0 {
		t.Error("nobody was slow enough to have anything thrown away: the test proves nothing")
	}
	if limit := float64(3 * each * queueLimit); peak == 0 || peak > limit {
		t.Errorf("%.0f bytes waited for %d slow clients, at most %.0f may", peak, 3*each, limit)
	}

	until(t, 20*time.Second, "the slow ones' end", func() bool {
		noise++
		n.delay(append(busy, id)[noise%(len(busy)+1)], noise)                             // something to say, always
		return n.metric("doorbell_hub_sessions_ended_total", hub.TooSlow.Label) >= 2*each // those that take nothing at all
	})
	for _, s := range never { // not read from, which would be progress
		until(t, 10*time.Second, "the end of a client that took nothing for 10 s", func() bool {
			return s.send(clientFrame(0x80|opPong, nil)) != nil
		})
	}
	if left := n.hub.Sessions(); left > size+each {
		t.Errorf("%d sessions are left of %d and %d", left, size, each)
	}
}

// dribble reads a byte a second until the test ends or the connection does.
func dribble(t testing.TB, s *raw) {
	stop, done := make(chan struct{}), make(chan struct{})
	t.Cleanup(func() { close(stop); <-done })
	go func() {
		defer close(done)
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for b := make([]byte, 1); ; {
			select {
			case <-stop:
				return
			case <-tick.C:
			}
			_ = s.SetReadDeadline(time.Now().Add(time.Millisecond))
			if _, err := s.Conn.Read(b); err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
				return
			}
		}
	}()
}

// vanish connects by way of a proxy that stops to carry anything once the client watches: no FIN, no RST, as when a
// phone leaves its network.
func vanish(t testing.TB, n *node, token string, ids ...string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var gone atomic.Bool
	hubAddr := n.addr
	go func() {
		client, err := l.Accept()
		if err != nil {
			return
		}
		d := net.Dialer{Control: smallReceiveBuffer}
		server, err := d.Dial("tcp", hubAddr)
		if err != nil {
			_ = client.Close()
			return
		}
		t.Cleanup(func() { _ = client.Close(); _ = server.Close() })
		go func() { _, _ = io.Copy(server, client) }()
		for b := make([]byte, 1024); !gone.Load(); {
			k, err := server.Read(b)
			if err != nil {
				return
			}
			_, _ = client.Write(b[:k])
		}
	}()
	through := *n
	through.addr = l.Addr().String()
	_ = watching(&through, token, ids...)
	gone.Store(true)
}

func TestP5_WhoReadsAgainGetsOneSnapshotPerOrder(t *testing.T) {
	t.Parallel()
	n := startNode(t, nil)
	var ids []string
	for range 4 {
		ids = append(ids, n.order())
	}
	s := watching(n, n.token(orders.RoleOps, "ops_1"), ids...)
	noise := 0
	last := map[string]int64{}
	round := func() {
		for _, id := range ids {
			noise++
			last["order/"+id] = n.delay(id, noise)
		}
	}
	until(t, 8*time.Second, "an overflow", func() bool {
		round()
		return n.metric("doorbell_hub_messages_thrown_away_total", "overflow") > 0
	})
	for range 40 { // and once more, while it is behind
		round()
	}
	if q := n.metric("doorbell_hub_queue_bytes"); q > queueLimit {
		t.Errorf("%.0f bytes wait", q)
	}
	at, snapshots := map[string]int64{}, map[string]int{}
	for _, id := range ids {
		at["order/"+id] = 3
	}
	read := func() {
		for _, f := range s.lines(t) {
			switch f.Op {
			case wire.OpSnapshot:
				if snapshots[f.Topic]++; f.Seq <= at[f.Topic] {
					t.Fatalf("%s: a snapshot at %d behind %d", f.Topic, f.Seq, at[f.Topic])
				}
			case wire.OpEvent:
				if f.Seq != at[f.Topic]+1 {
					t.Fatalf("%s: %d follows %d", f.Topic, f.Seq, at[f.Topic])
				}
			default:
				continue
			}
			at[f.Topic] = f.Seq
		}
	}
	caughtUp := func() bool {
		for topic, seq := range last {
			if at[topic] != seq {
				return false
			}
		}
		return true
	}
	for !caughtUp() {
		read()
	}
	for topic := range last {
		if snapshots[topic] != 1 {
			t.Errorf("%s: %d snapshots, want one", topic, snapshots[topic])
		}
	}
	round()
	for !caughtUp() {
		read()
	}
	for topic := range last {
		if snapshots[topic] != 1 {
			t.Errorf("%s: %d snapshots and not live again", topic, snapshots[topic])
		}
	}
}

// lines reads one frame and returns its lines.
func (c *raw) lines(t testing.TB) (out []wire.Frame) {
	t.Helper()
	_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
	defer c.SetReadDeadline(time.Time{})
	f, err := c.next()
	if err != nil {
		t.Fatal(err)
	}
	if f.op != opText {
		return nil
	}
	for line := range bytes.Lines(f.payload) {
		l, err := wire.ParseFrame(line)
		if err != nil {
			t.Fatal(fmt.Errorf("%q: %w", line, err))
		}
		out = append(out, l)
	}
	return out
}
