package faults

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/coder/websocket"

	"doorbell/hub/wire"
	"doorbell/orders"
)

// raw is a client that knows nothing but the protocol: it takes every frame as it comes and resumes from the last seq.
type raw struct {
	w    *watcher
	http *http.Client

	mu     sync.Mutex // guards the following
	topics map[string]bool
	conn   *websocket.Conn // nil while there is none
	ctx    context.Context // of the connection
}

// newRaw makes a watcher without the product's client.
func newRaw(b *balancer, o *oracle, p person) *watcher {
	w := newWatcher(o, p, "bare socket", false)
	w.socketClient = &raw{w: w, http: httpClient(b, &w.tap), topics: map[string]bool{}}
	return w.atWork()
}

func (r *raw) run(ctx context.Context) error {
	for wait := backoffMin; ctx.Err() == nil; wait = min(2*wait, backoffMax) {
		if r.listen(ctx) {
			wait = backoffMin
		}
		select {
		case <-ctx.Done():
		case <-time.After(rand.N(wait)):
		}
	}
	return nil
}

const handshakeTimeout = 5 * time.Second

// listen is one connection. It reports whether there was one.
func (r *raw) listen(ctx context.Context) (connected bool) {
	dialing, cancel := context.WithTimeout(ctx, handshakeTimeout)
	defer cancel()
	conn, _, err := websocket.Dial(dialing, "http://hub.test/v1/live", &websocket.DialOptions{
		HTTPClient: r.http, Subprotocols: []string{wire.Subprotocol}, HTTPHeader: http.Header{"Authorization": {"Bearer " + r.w.token}},
	})
	if err != nil {
		r.w.other(err.Error())
		return false
	}
	defer conn.CloseNow()
	r.w.other("connected")
	conn.SetReadLimit(1 << 20)
	r.mu.Lock()
	r.conn, r.ctx = conn, ctx
	topics := slices.Collect(maps.Keys(r.topics))
	r.mu.Unlock()
	defer func() {
		r.mu.Lock()
		r.conn = nil
		r.mu.Unlock()
	}()
	r.ask(ctx, conn, topics)
	paging := false
	for {
		_, b, err := conn.Read(ctx)
		if err != nil {
			r.w.other(err.Error())
			return true
		}
		for line := range bytes.Lines(b) {
			f, err := wire.ParseFrame(bytes.TrimSpace(line))
			if err == nil {
				paging = r.frame(ctx, conn, f, paging)
			}
		}
	}
}

// frame takes one line; paging says that a page of the board came and another will.
func (r *raw) frame(ctx context.Context, conn *websocket.Conn, f wire.Frame, paging bool) bool {
	id := orderOf(f.Topic)
	switch f.Op {
	case wire.OpEvent:
		r.w.event(id, f.Seq)
	case wire.OpSnapshot:
		if id == "" {
			r.w.page(!paging, f.More, listed(f.Orders))
			return f.More
		}
		r.w.snapshot(id, f.Seq)
	case wire.OpGone:
		r.w.gone(id)
	case wire.OpGoaway: // a bare client knows no second socket: it leaves, and comes back
		r.w.other(fmt.Sprint("goaway ", f.ReconnectInMs))
		time.AfterFunc(time.Duration(f.ReconnectInMs)*time.Millisecond, func() { _ = conn.Close(websocket.StatusNormalClosure, "") })
	case wire.OpError:
		r.w.other(f.Detail)
		switch {
		case f.Kind == orders.Unavailable || f.Kind == orders.Internal:
			time.AfterFunc(time.Second/2+rand.N(time.Second/2), func() { r.ask(ctx, conn, []string{f.Topic}) })
		case f.Kind == orders.NotFound && r.w.oracle.mayGo(id):
			r.w.gone(id)
		default:
			r.w.oracle.note(1, 0, "%s was refused %s: %s %s", r.w.view.name, f.Topic, f.Kind, f.Detail)
		}
	}
	return paging
}

// ask asks for topics from where the view is.
func (r *raw) ask(ctx context.Context, conn *websocket.Conn, topics []string) {
	if len(topics) == 0 {
		return
	}
	q := wire.Request{Op: wire.OpWatch}
	for _, t := range topics {
		seq, _, _ := r.w.at(orderOf(t))
		q.Watch = append(q.Watch, wire.Watch{Topic: t, After: seq})
	}
	_ = conn.Write(ctx, websocket.MessageText, q.Append(nil))
}

func (r *raw) watch(topic string) {
	r.mu.Lock()
	r.topics[topic] = true
	conn, ctx := r.conn, r.ctx
	r.mu.Unlock()
	if conn != nil {
		r.ask(ctx, conn, []string{topic})
	}
}

func (r *raw) unwatch(topic string) {
	r.mu.Lock()
	delete(r.topics, topic)
	conn, ctx := r.conn, r.ctx
	r.mu.Unlock()
	if conn != nil {
		q := wire.Request{Op: wire.OpUnwatch, Topics: []string{topic}}
		_ = conn.Write(ctx, websocket.MessageText, q.Append(nil))
	}
}
