package wsconn

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
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
	stopAt int64 // the seq behind which the stream ends, since the order has; 0 = it runs
	end    func(hub.Ending)
}

var _ hub.Conn = (*Stream)(nil)

// retrySpread is how long clients that are sent away wait before they come back, at random, so that they do not come
// together.
const retrySpread = 3 * time.Second

// Serve streams one order's events after a seq (0 = the whole history) on an admitted place, until the order ends, the
// client leaves or the hub lets go. own is the order as it was found visible.
func Serve(ctx context.Context, w http.ResponseWriter, place *hub.Place, own orders.Ownership, after int64) error {
	c := &Stream{w: w, ctl: http.NewResponseController(w), done: make(chan struct{})}
	if !own.EndedAt.IsZero() {
		c.stopAt = own.Seq
	}
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // some gateways collect an answer before they pass it on
	w.WriteHeader(http.StatusOK)
	_ = c.ctl.SetWriteDeadline(time.Time{}) // the server's own would end a quiet stream; each write has its own
	if err := c.ctl.Flush(); err != nil {
		return err
	}
	s := place.Connect(c, true)
	c.mu.Lock()
	c.end = s.End
	c.mu.Unlock()
	if err := s.Watch(ctx, wire.OrderTopic(own.ID), after); err != nil {
		s.End(hub.EndingOf(err))
	}
	select {
	case <-c.done:
	case <-ctx.Done():
		s.End(hub.Left)
	}
	c.mu.Lock()
	c.gone = true
	c.mu.Unlock()
	return nil
}

// Write sends events. What has no event in it is for sockets only, but for the word that the order is gone.
func (c *Stream) Write(batch []*hub.Message) error {
	var b []byte
	ended := false
	for _, m := range batch {
		switch e := m.Event; {
		case e != nil:
			b = fmt.Appendf(b, "id: %d\nevent: %s\ndata: %s\n\n", e.Seq, e.Type, e.Envelope)
			c.note(e)
			ended = c.stopAt > 0 && e.Seq >= c.stopAt
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

func (c *Stream) send(b []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.gone {
		return errClosing
	}
	if len(b) == 0 {
		return nil
	}
	_ = c.ctl.SetWriteDeadline(time.Now().Add(writeStep * writeStalls))
	defer c.ctl.SetWriteDeadline(time.Time{})
	if _, err := c.w.Write(b); err != nil {
		return err
	}
	return c.ctl.Flush()
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
