package web_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"doorbell/hub/wire"
	"doorbell/hub/wire/wiretest"
)

// socket is a live client that keeps every frame it was sent, in order.
type socket struct {
	t      testing.TB
	ws     *websocket.Conn
	frames []wire.Frame // read and not yet taken
}

// dial opens a socket with a token.
func (n *node) dial(token string) *socket {
	n.t.Helper()
	s, res, err := n.tryDial(token)
	if err != nil {
		n.t.Fatalf("dial: %v (%v)", err, res)
	}
	if f := s.next(); f.Op != wire.OpHello || f.Session == "" || f.HeartbeatSeconds == 0 {
		n.t.Fatalf("the first frame is %+v", f)
	}
	return s
}

func (n *node) tryDial(token string, headers ...string) (*socket, *http.Response, error) {
	h := http.Header{}
	if token != "" {
		h.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		h.Add(headers[i], headers[i+1])
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	ws, res, err := websocket.Dial(ctx, "ws"+strings.TrimPrefix(n.srv.URL, "http")+"/v1/live", &websocket.DialOptions{
		HTTPHeader: h, Subprotocols: []string{wire.Subprotocol},
	})
	if err != nil {
		return nil, res, err
	}
	ws.SetReadLimit(1 << 20)
	n.t.Cleanup(func() { _ = ws.CloseNow() })
	return &socket{t: n.t, ws: ws}, res, nil
}

// say sends lines as one message.
func (s *socket) say(lines ...string) {
	s.t.Helper()
	if err := s.ws.Write(context.Background(), websocket.MessageText, []byte(strings.Join(lines, "\n"))); err != nil {
		s.t.Fatal(err)
	}
}

// watch asks for an order after a seq.
func (s *socket) watch(topic string, after int64) {
	s.t.Helper()
	s.say(string(wire.Request{Op: wire.OpWatch, ID: new(int64(7)), Watch: []wire.Watch{{Topic: topic, After: after}}}.Append(nil)))
}

// next is the next frame, in the order of the socket. It fails the test after five seconds without one.
func (s *socket) next() wire.Frame {
	s.t.Helper()
	f, err := s.tryNext(5 * time.Second)
	if err != nil {
		s.t.Fatal(err)
	}
	return f
}

func (s *socket) tryNext(wait time.Duration) (wire.Frame, error) {
	if len(s.frames) == 0 {
		ctx, cancel := context.WithTimeout(context.Background(), wait)
		defer cancel()
		_, b, err := s.ws.Read(ctx)
		if err != nil {
			return wire.Frame{}, err
		}
		wiretest.Check(s.t, b)
		for line := range bytes.Lines(b) {
			f, err := wire.ParseFrame(bytes.TrimSpace(line))
			if err != nil {
				return wire.Frame{}, err
			}
			s.frames = append(s.frames, f)
		}
	}
	f := s.frames[0]
	s.frames = s.frames[1:]
	return f, nil
}

// want takes frames until one has this op, and fails on an error frame in between.
func (s *socket) want(op wire.Op) wire.Frame {
	s.t.Helper()
	for {
		f := s.next()
		if f.Op == op {
			return f
		}
		if f.Op == wire.OpError {
			s.t.Fatalf("waiting for %s, got %+v", op, f)
		}
	}
}

func eventType(f wire.Frame) string {
	var e struct {
		EventType string `json:"eventType"`
	}
	_ = json.Unmarshal(f.Event, &e)
	return e.EventType
}

func TestLive(t *testing.T) {
	t.Run("a watcher gets a snapshot, then every change in order", func(t *testing.T) {
		n, c := start(t), newCast(t)
		n.restaurant(c, "res_1", nil)
		path := n.order(c, "paid", nil)
		id := strings.TrimPrefix(path, "/v1/orders/")
		s := n.dial(c.customer)
		s.watch("order/"+id, 0)
		if f := s.want(wire.OpSnapshot); f.Seq != 2 || !bytes.Contains(f.Order, []byte(`"trackingUrl"`)) {
			t.Fatalf("%+v %s", f, f.Order)
		}
		n.post(path+"/confirm", c.merchant, map[string]any{"prepMinutes": 10}).want(200)
		n.post(path+"/ready", c.merchant, nil).want(200)
		for i, want := range []string{"order.confirmed", "order.preparing", "order.ready"} {
			if f := s.want(wire.OpEvent); f.Seq != int64(3+i) || eventType(f) != want {
				t.Fatalf("%+v, want %s at %d", f, want, 3+i)
			}
		}
		s.say(`{"op":"ack","topic":"order/` + id + `","seq":5,"id":9}`)
		if f := s.want(wire.OpOK); *f.ID != 9 {
			t.Errorf("%+v", f)
		}
		s.say(`{"op":"ack","topic":"order/` + id + `","seq":6}`)
		if f := s.next(); f.Op != wire.OpError || f.Kind != "unprocessable" {
			t.Errorf("an ack for what was never sent: %+v", f)
		}
	})
}
