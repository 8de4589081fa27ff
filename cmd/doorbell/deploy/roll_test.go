package deploy

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"doorbell/hub/client"
)

// witness is a client of the live protocol that holds what it hears against P2: of an order, seq rises by one each time,
// or a snapshot replaces all up to a higher one, as a node that has just begun sends it where it may have missed something.
type witness struct {
	t *testing.T
	*client.Client

	mu     sync.Mutex // guards the following
	seq    map[string]int64
	healed int // snapshots of what it knew already
	cuts   int // times that it had no socket
}

func (w *witness) hear(m client.Message) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch m := m.(type) {
	case client.Snapshot:
		if was, again := w.seq[m.OrderID]; again {
			w.healed++
			if m.Seq <= was {
				w.t.Errorf("a snapshot of %d after %d", m.Seq, was)
			}
		}
		w.seq[m.OrderID] = m.Seq
	case client.Event:
		if m.Seq != w.seq[m.OrderID]+1 {
			w.t.Errorf("event %d after %d", m.Seq, w.seq[m.OrderID])
		}
		w.seq[m.OrderID] = m.Seq
	case client.Current:
		if m.Seq != w.seq[m.OrderID] {
			w.t.Errorf("current at %d after %d", m.Seq, w.seq[m.OrderID])
		}
	case client.Disconnected:
		w.cuts++
	case client.Problem:
		w.t.Errorf("%+v", m)
	}
}

func (w *witness) at(id string) int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.seq[id]
}

// handshakes notes when sockets are opened.
type handshakes struct {
	http.RoundTripper
	mu sync.Mutex // guards the following
	at []time.Time
}

func (h *handshakes) RoundTrip(r *http.Request) (*http.Response, error) {
	h.mu.Lock()
	h.at = append(h.at, time.Now())
	h.mu.Unlock()
	return h.RoundTripper.RoundTrip(r)
}

// most is the largest number in any second from a moment on.
func (h *handshakes) most(from time.Time) (most int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for i, a := range h.at {
		if a.Before(from) {
			continue
		}
		n := 0
		for _, b := range h.at[i:] {
			if b.Sub(a) < time.Second {
				n++
			}
		}
		most = max(most, n)
	}
	return most
}

// TestP8_ARollingRestartThroughTheGateway replaces every node of an installation, one after the other, under load: no
// request fails, no watcher misses an event or hears one twice, none is without a socket for a moment, and they move at
// a steady pace.
func TestP8_ARollingRestartThroughTheGateway(t *testing.T) {
	t.Parallel()
	const (
		watchers = 60
		drain    = 6 * time.Second
	)
	in := install(t, 2, 2, "--drain", drain.String())
	who := in.open()
	var ids []string
	for range 12 {
		ids = append(ids, in.place(who))
	}
	shakes := &handshakes{RoundTripper: in.gate.client(false).Transport}
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	var witnesses []*witness
	for i := range watchers {
		w := &witness{t: t, seq: map[string]int64{}}
		token := []string{who.customer, who.merchant, who.ops}[i%3]
		w.Client = client.New(client.Config{
			URL: in.gate.secure, Token: func(context.Context) (string, error) { return token, nil }, Handle: w.hear,
			HTTPClient: &http.Client{Transport: shakes}, MinBackoff: 50 * time.Millisecond,
		})
		for _, id := range ids {
			w.Watch("order/"+id, 0)
		}
		running.Go(func() {
			if err := w.Run(ctx); err != nil {
				t.Error(err)
			}
		})
		witnesses = append(witnesses, w)
	}
	defer running.Wait()
	defer cancel()
	whole := func() {
		t.Helper()
		for _, id := range ids {
			seq := in.seq(who, id)
			for _, w := range witnesses {
				eventually(t, func() (bool, string) {
					return w.at(id) >= seq, fmt.Sprintf("a watcher is at %d of an order at %d", w.at(id), seq)
				})
			}
		}
	}
	whole()

	start := time.Now()
	stop := in.load(who, 4, ids...)
	old := slices.Clone(in.nodes)
	for _, n := range old {
		n.leave()
		left := map[string]int{"api": 2, "hub": 2}
		left[n.role]--
		in.gate.has(left["api"], left["hub"]) // or its place would be taken for a node that is there
		in.join(n.role)
		in.gate.has(2, 2)
	}
	good := new(atomic.Int64)
	noneFailed(t, 500, func() (int64, []string) { g, bad := stop(); good.Store(g); return g, bad })
	whole()
	cuts, healed := 0, 0
	for _, w := range witnesses {
		w.mu.Lock()
		cuts, healed = cuts+w.cuts, healed+w.healed
		w.mu.Unlock()
	}
	// A node's clients move within the middle half of the drain.
	steady := float64(watchers) / (drain / 2).Seconds()
	most := shakes.most(start)
	t.Logf("%d nodes replaced in %v, %d requests, %d snapshots instead of events; at most %d handshakes in a second, evenly it would be %.0f",
		len(old), time.Since(start).Round(time.Second), good.Load(), healed, most, steady)
	if cuts > 0 {
		t.Errorf("watchers were without a socket %d times", cuts)
	}
	if float64(most) > 2*steady+5 {
		t.Errorf("%d handshakes in one second: a spike", most)
	}
	for _, n := range old {
		if strings.Contains(n.log(), `"level":"error"`) {
			t.Errorf("%s had an error", n.name)
		}
	}
}
