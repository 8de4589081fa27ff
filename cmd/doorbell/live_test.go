package main

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"doorbell/hub/wire"
)

// witness is a live client that takes nothing on trust: it writes down what it was told of each order and holds every
// frame against what it has.
type witness struct {
	name  string
	t     testing.TB
	token string
	ids   []string

	mu     sync.Mutex // guards the following
	seq    map[string]int64
	frames int
	resets int // connections
}

// run connects to the address of the moment, resumes, listens and comes back until ctx ends.
func (w *witness) run(ctx context.Context, addr func() string) {
	for ctx.Err() == nil {
		session, cancel := context.WithCancel(ctx)
		if rand.IntN(3) == 0 { // some leave by themselves
			time.AfterFunc(time.Duration(rand.IntN(400))*time.Millisecond, cancel)
		}
		w.listen(session, addr())
		cancel()
		time.Sleep(time.Duration(5+rand.IntN(30)) * time.Millisecond) // the backoff of a client in a hurry
	}
}

func (w *witness) listen(ctx context.Context, addr string) {
	ws, _, err := websocket.Dial(ctx, "ws://"+addr+"/v1/live", &websocket.DialOptions{
		Subprotocols: []string{wire.Subprotocol}, HTTPHeader: http.Header{"Authorization": {"Bearer " + w.token}},
	})
	if err != nil {
		return
	}
	defer ws.CloseNow()
	ws.SetReadLimit(1 << 20)
	r := wire.Request{Op: wire.OpWatch}
	w.mu.Lock()
	w.resets++
	for _, id := range w.ids {
		r.Watch = append(r.Watch, wire.Watch{Topic: "order/" + id, After: w.seq[id]})
	}
	w.mu.Unlock()
	if ws.Write(ctx, websocket.MessageText, r.Append(nil)) != nil {
		return
	}
	for {
		_, b, err := ws.Read(ctx)
		if err != nil {
			return
		}
		for line := range bytes.Lines(b) {
			w.hear(line)
		}
	}
}

// hear is P2: seq rises by one, or a snapshot replaces all up to its own; never a gap, a repeat or a step back.
func (w *witness) hear(line []byte) {
	f, err := wire.ParseFrame(bytes.TrimSpace(line))
	if err != nil {
		w.t.Errorf("%s: %v: %s", w.name, err, line)
		return
	}
	id, ok := strings.CutPrefix(f.Topic, "order/")
	if !ok {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.frames++
	last := w.seq[id]
	switch f.Op {
	case wire.OpEvent:
		if f.Seq != last+1 {
			w.t.Errorf("%s: %s told event %d after %d", w.name, id, f.Seq, last)
		}
		w.seq[id] = f.Seq
	case wire.OpSnapshot:
		if f.Seq < last {
			w.t.Errorf("%s: %s told a snapshot of %d after %d", w.name, id, f.Seq, last)
		}
		w.seq[id] = f.Seq
	case wire.OpCurrent:
		if f.Seq != last {
			w.t.Errorf("%s: %s is current at %d for a client at %d", w.name, id, f.Seq, last)
		}
	case wire.OpError, wire.OpGone:
		w.t.Errorf("%s: %s", w.name, line)
	}
}

// at is the last seq the witness was told.
func (w *witness) at(id string) int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.seq[id]
}

// churn changes orders as fast as it can until the server is gone or ctx ends.
func churn(ctx context.Context, s *server, c cast, ids []string) {
	for i := 0; ctx.Err() == nil; i++ {
		path := "/v1/orders/" + ids[rand.IntN(len(ids))]
		var err error
		switch rand.IntN(6) {
		case 0:
			_, err = s.try("POST", path+"/pay", c.payment, js{"amount": 3000, "transactionId": fmt.Sprint("tx_", rand.Int64())})
		case 1:
			_, err = s.try("POST", path+"/confirm", c.merchant, js{"prepMinutes": 10})
		default:
			_, err = s.try("POST", path+"/delay", c.merchant, js{"prepMinutes": 1 + rand.IntN(400)})
		}
		if err != nil {
			return
		}
	}
}

// TestP2_WatchersSeeEverySeqInOrder kills the server again and again under load while witnesses watch, leave and come
// back. What a socket told must be there after the kill, too.
func TestP2_WatchersSeeEverySeqInOrder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l, err := net.Listen("tcp", "127.0.0.1:0") // an address that stays the same over the kills
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	_ = l.Close()
	flags := []string{"--listen", addr, "--customer-rate", "0", "--unpaid-orders", "0", "--sockets-per-subject", "0"}
	s := serve(t, dir, flags...)
	c := s.cast()
	s.open(c)
	var ids []string
	for i := range 24 {
		ids = append(ids, strings.TrimPrefix(s.place(c, fmt.Sprint(i)), "/v1/orders/"))
	}
	watching, stop := context.WithCancel(context.Background())
	defer stop()
	var watchers sync.WaitGroup
	var all []*witness
	for i, token := range []string{c.customer, c.customer, c.ops, c.ops, c.ops, c.customer} {
		w := &witness{name: fmt.Sprint("witness ", i), t: t, token: token, ids: ids, seq: map[string]int64{}}
		all = append(all, w)
		watchers.Go(func() { w.run(watching, func() string { return addr }) })
	}
	for round := range killRounds(t) {
		var load sync.WaitGroup
		for range 6 {
			load.Go(func() { churn(watching, s, c, ids) })
		}
		time.Sleep(time.Duration(200+rand.IntN(500)) * time.Millisecond) // the random moment
		s.kill()
		load.Wait()
		told := map[string]int64{}
		for _, w := range all {
			for _, id := range ids {
				told[id] = max(told[id], w.at(id))
			}
		}
		s = serve(t, dir, flags...)
		for _, id := range ids {
			o := s.do(200, "GET", "/v1/orders/"+id, c.ops, nil).order(t)
			if o.Seq < told[id] {
				t.Errorf("round %d: a socket told seq %d of %s, which is at %d after the kill", round+1, told[id], id, o.Seq)
			}
			for _, w := range all { // everybody is whole again
				eventually(t, func() (bool, string) {
					return w.at(id) == o.Seq, fmt.Sprintf("%s is at %d of %s, which is at %d", w.name, w.at(id), id, o.Seq)
				})
			}
		}
		if t.Failed() {
			return
		}
	}
	stop()
	watchers.Wait()
	frames, resets := 0, 0
	for _, w := range all {
		frames, resets = frames+w.frames, resets+w.resets
	}
	t.Logf("%d frames over %d connections", frames, resets)
	if frames < 1000 || resets < len(all)*2 {
		t.Errorf("only %d frames over %d connections: there was no load", frames, resets)
	}
}
