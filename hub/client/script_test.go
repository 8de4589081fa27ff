package client_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"

	"doorbell/hub/client"
	"doorbell/hub/wire"
)

// script is a hub that says what a test tells it to, over net.Pipe: time is virtual. It is an http.RoundTripper, so
// that a client's HTTPClient leads to it.
type script struct {
	t      testing.TB
	dials  chan *scripted // one for each socket that was opened; roomy
	refuse func(w http.ResponseWriter) bool
	tokens []string // of the handshakes, in order
}

// scripted is the hub's side of one socket.
type scripted struct {
	*websocket.Conn
	t     testing.TB
	lines []wire.Request // read and not yet taken
	msgs  []int          // length of every message
	since time.Time
}

func newScript(t testing.TB) *script {
	s := &script{t: t, dials: make(chan *scripted, 1000)}
	t.Cleanup(func() {
		close(s.dials)
		for c := range s.dials { // opened as the test ended
			_ = c.CloseNow()
		}
	})
	return s
}

func (s *script) RoundTrip(r *http.Request) (*http.Response, error) {
	s.tokens = append(s.tokens, strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))
	here, there := net.Pipe()
	rec := &hijackable{httptest.NewRecorder(), there}
	if s.refuse != nil && s.refuse(rec) {
		_, _ = here.Close(), there.Close()
		return rec.Result(), nil
	}
	ws, err := websocket.Accept(rec, r, &websocket.AcceptOptions{Subprotocols: []string{wire.Subprotocol}})
	if err != nil {
		return rec.Result(), nil
	}
	ws.SetReadLimit(wire.MaxMessage)
	s.dials <- &scripted{Conn: ws, t: s.t, since: time.Now()}
	res := rec.Result()
	res.Body = body{here}
	return res, nil
}

type body struct{ net.Conn }

func (b body) Read(p []byte) (int, error) {
	n, err := b.Conn.Read(p)
	if err == io.ErrClosedPipe {
		err = net.ErrClosed
	}
	return n, err
}

type hijackable struct {
	*httptest.ResponseRecorder
	conn net.Conn
}

func (h *hijackable) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return h.conn, bufio.NewReadWriter(bufio.NewReader(h.conn), bufio.NewWriter(h.conn)), nil
}

// accept waits for the client's next socket and says hello on it.
func (s *script) accept() *scripted {
	s.t.Helper()
	select {
	case c := <-s.dials:
		c.say(`{"op":"hello","session":"s1","heartbeatSeconds":25}`)
		return c
	case <-time.After(time.Hour):
		s.t.Fatal("no socket was opened")
		return nil
	}
}

func (c *scripted) say(lines ...string) {
	c.t.Helper()
	if err := c.Write(context.Background(), websocket.MessageText, []byte(strings.Join(lines, "\n"))); err != nil {
		c.t.Errorf("say %s: %v", lines, err)
	}
}

func (c *scripted) sayEvent(topic string, seq int64) {
	c.t.Helper()
	c.say(eventLine(topic, seq))
}

func eventLine(topic string, seq int64) string {
	return fmt.Sprintf(`{"op":"event","topic":%q,"seq":%d,"event":{"eventType":"order.delayed","occurredAt":"2026-08-01T12:00:00.000Z","payload":{"status":"PREPARING"}}}`, topic, seq)
}

func snapshotLine(topic string, seq int64) string {
	return fmt.Sprintf(`{"op":"snapshot","topic":%q,"seq":%d,"order":{"seq":%d}}`, topic, seq, seq)
}

// hear waits for the client's next line.
func (c *scripted) hear() wire.Request {
	c.t.Helper()
	r, err := c.tryHear()
	if err != nil {
		c.t.Fatalf("hear: %v", err)
	}
	return r
}

func (c *scripted) tryHear() (wire.Request, error) {
	for len(c.lines) == 0 {
		_, b, err := c.Read(context.Background())
		if err != nil {
			return wire.Request{}, err
		}
		c.msgs = append(c.msgs, len(b))
		for line := range bytes.Lines(b) {
			r, err := wire.ParseRequest(bytes.TrimSpace(line))
			if err != nil {
				c.t.Errorf("the client said %s: %v", line, err)
			}
			c.lines = append(c.lines, r)
		}
	}
	r := c.lines[0]
	c.lines = c.lines[1:]
	return r, nil
}

// hearOp is hear, which must be this op.
func (c *scripted) hearOp(op wire.Op) wire.Request {
	c.t.Helper()
	r := c.hear()
	if r.Op != op {
		c.t.Fatalf("heard %+v, want %s", r, op)
	}
	return r
}

func (c *scripted) ok(r wire.Request) {
	c.t.Helper()
	c.say(fmt.Sprintf(`{"op":"ok","id":%d}`, *r.ID))
}

// inBubble runs a test in virtual time against a script.
func inBubble(t *testing.T, f func(t *testing.T, s *script)) {
	synctest.Test(t, func(t *testing.T) { f(t, newScript(t)) })
}

// watch starts a client of the script.
func (s *script) watch(change func(*client.Config), topics ...string) *watcher {
	s.t.Helper()
	cfg := client.Config{URL: "http://bell.example", Token: fixed("opaque"), HTTPClient: &http.Client{Transport: s}}
	if change != nil {
		change(&cfg)
	}
	w := startWatcher(s.t, cfg, topics...)
	w.patience = time.Hour
	return w
}

// jwt is a token that says when it ends, with nothing to prove it.
func jwt(exp time.Time) string {
	return "e30." + base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, `{"exp":%d}`, exp.Unix())) + ".sig"
}
