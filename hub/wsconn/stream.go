package wsconn

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"sync"
	"time"

	"doorbell/hub"
	"doorbell/hub/wire"
	"doorbell/orders"
)

// Stream carries a session's events as server-sent events (the HTML standard, section 9.2): id is the bare seq, event
// the eventType, data the envelope.
type Stream struct {
	w    http.ResponseWriter
	ctl  *http.ResponseController
	done chan struct{} // closed by Close

	mu     sync.Mutex // guards the following, and the writer: it is not touched once the handler has returned
	gone   bool
	slow   bool  // the client took nothing for 10 s
	stopAt int64 // the seq behind which the stream ends, since the order has; 0 = it runs
	end    func(hub.Ending)
}

var _ hub.Conn = (*Stream)(nil)

// retrySpread is how long clients that are sent away wait before they come back, at random, so that they do not come
// together.
const retrySpread = 3 * time.Second

type connKey struct{}

// WithConn is the ConnContext of the http.Server behind Serve: a stream limits what the kernel keeps for its client.
func WithConn(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, c)
}

// Serve streams one order's events after a seq (0 = the whole history) on an admitted place, until the order ends, the
// client leaves or the hub lets go. own is the order as it was found visible. begun is called once the session is there
// to be revoked. An error means that nothing was answered yet.
func Serve(w http.ResponseWriter, r *http.Request, place *hub.Place, own orders.Ownership, after int64, begun func()) error {
	c := &Stream{w: w, ctl: http.NewResponseController(w), done: make(chan struct{})}
	if !own.EndedAt.IsZero() {
		c.stopAt = own.Seq
	}
	if err := c.ctl.SetWriteDeadline(time.Time{}); err != nil { // the server's own would end a quiet stream
		return err
	}
	if conn, ok := r.Context().Value(connKey{}).(net.Conn); ok && r.ProtoMajor == 1 { // HTTP/2 has windows of its own
		limitSendBuffer(conn)
	}
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // some gateways collect an answer before they pass it on
	w.WriteHeader(http.StatusOK)
	if c.ctl.Flush() != nil {
		return nil // the client is gone
	}
	s := place.Connect(c, true)
	c.mu.Lock()
	c.end = s.End
	c.mu.Unlock()
	begun()
	if err := s.Watch(r.Context(), wire.OrderTopic(own.ID), after); err != nil {
		e := hub.EndingOf(err)
		if r.Context().Err() != nil {
			e = hub.Left
		}
		s.End(e)
	}
	select {
	case <-c.done:
	case <-r.Context().Done():
		s.End(c.endingOfContext())
	}
	c.mu.Lock()
	c.gone = true
	c.mu.Unlock()
	return nil
}

// endingOfContext is how a stream ends with its request: net/http ends that when the client leaves, but also when a write
// fails, before the write returns.
func (c *Stream) endingOfContext() hub.Ending {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.slow {
		return hub.TooSlow
	}
	return hub.Left
}

// Write sends events, positions and arrivals. What else there is is for sockets only, but for the word that the order is
// gone.
func (c *Stream) Write(batch []*hub.Message) error {
	var b []byte
	ended := false
	for _, m := range batch {
		switch e := m.Event; {
		case e != nil:
			b = fmt.Appendf(b, "id: %d\nevent: %s\ndata: %s\n\n", e.Seq, e.Type, e.Envelope)
			c.note(e)
			ended = c.stopAt > 0 && e.Seq >= c.stopAt
		case m.Latest != "": // no id: it is nothing to come back to
			b = fmt.Appendf(b, "event: %s\ndata: %s\n\n", m.Latest, m.Value)
		case m.Gone:
			b = append(b, "event: gone\ndata: {}\n\n"...)
			ended = true
		}
	}
	if err := c.send(b); err != nil {
		return err
	}
	if ended {
		c.mu.Lock()
		end := c.end
		c.mu.Unlock()
		end(hub.Finished)
	}
	return nil
}

// note has the stream end behind the event that ended the order.
func (c *Stream) note(e *orders.Event) {
	switch e.Type {
	case orders.OrderCompleted, orders.OrderCancelled, orders.OrderFailed:
		c.stopAt = max(c.stopAt, e.Seq)
	}
}

// Ping sends a comment, which keeps gateways from closing a quiet stream and finds dead clients.
func (c *Stream) Ping() error { return c.send([]byte(":\n\n")) }

// streamPart is how many bytes of a stream have 10 s to be taken.
const streamPart = 4 << 10

func (c *Stream) send(b []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.gone {
		return errOver
	}
	defer c.ctl.SetWriteDeadline(time.Time{})
	for part := range slices.Chunk(b, streamPart) {
		_ = c.ctl.SetWriteDeadline(time.Now().Add(writeStep * writeStalls))
		_, err := c.w.Write(part)
		if err == nil {
			err = c.flush()
		}
		if errors.Is(err, os.ErrDeadlineExceeded) {
			c.slow = true
			return hub.ErrNoProgress
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// flush is the writer's Flush with its error, which middleware between us and net/http does not hand on.
func (c *Stream) flush() error {
	for w := c.w; ; {
		if f, ok := w.(interface{ FlushError() error }); ok {
			return f.FlushError()
		}
		u, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			return c.ctl.Flush()
		}
		w = u.Unwrap()
	}
}

// Close ends the stream. Who is sent to another node is told when to come back.
func (c *Stream) Close(e hub.Ending) {
	go func() {
		if e == hub.GoingAway {
			_ = c.send([]byte("retry: " + strconv.Itoa(int(rand.N(retrySpread).Milliseconds())) + "\n\n"))
		}
		close(c.done)
	}()
}
