package main

import (
	"bytes"
	"context"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"

	"doorbell/hub/wire"
)

// TestP8_AStopMovesItsClientsAway sends SIGTERM to a server with live sockets: /readyz turns red, every client is told a
// moment of its own, a newcomer is taken and told to move at once, who does as told loses nothing, and who does not is
// closed with 1012. It is over within --drain, exit code 0.
func TestP8_AStopMovesItsClientsAway(t *testing.T) {
	t.Parallel()
	const window = 4 * time.Second
	s := serve(t, t.TempDir(), "--drain", window.String())
	c := s.cast()
	s.open(c)
	path := s.place(c, "drain")
	id := strings.TrimPrefix(path, "/v1/orders/")
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()

	dial := func() *websocket.Conn {
		t.Helper()
		ws, _, err := websocket.Dial(ctx, "ws"+strings.TrimPrefix(s.base, "http")+"/v1/live", &websocket.DialOptions{
			Subprotocols: []string{wire.Subprotocol}, HTTPHeader: http.Header{"Authorization": {"Bearer " + c.customer}},
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = ws.CloseNow() })
		watch := wire.Request{Op: wire.OpWatch, Watch: []wire.Watch{{Topic: "order/" + id}}}
		if err := ws.Write(ctx, websocket.MessageText, watch.Append(nil)); err != nil {
			t.Fatal(err)
		}
		return ws
	}
	// until reads frames up to the one with this op.
	until := func(ws *websocket.Conn, op wire.Op) wire.Frame {
		t.Helper()
		for {
			_, b, err := ws.Read(ctx)
			if err != nil {
				t.Fatalf("waiting for %s: %v", op, err)
			}
			for line := range bytes.Lines(b) {
				if f, err := wire.ParseFrame(bytes.TrimSpace(line)); err == nil && f.Op == op {
					return f
				}
			}
		}
	}
	var sockets []*websocket.Conn
	for range 6 {
		ws := dial()
		until(ws, wire.OpSnapshot)
		sockets = append(sockets, ws)
	}

	start := time.Now()
	s.signal(syscall.SIGTERM)
	var moments []int64
	for _, ws := range sockets {
		moments = append(moments, until(ws, wire.OpGoaway).ReconnectInMs)
	}
	spread := map[int64]bool{}
	for _, m := range moments {
		spread[m/100] = true
	}
	if len(spread) < len(moments)-1 {
		t.Errorf("moments after %v ms are no spread", moments)
	}
	if a, err := s.try("GET", "/readyz", "", nil); err != nil || a.code != 503 {
		t.Errorf("/readyz answers %d, %v", a.code, err)
	}
	newcomer := dial()
	if f := until(newcomer, wire.OpGoaway); f.ReconnectInMs != 0 {
		t.Errorf("a newcomer may stay %d ms", f.ReconnectInMs)
	}

	// The API still takes a change, and a client that has not moved yet hears of it.
	s.do(200, "POST", path+"/pay", c.payment, js{"amount": 3000, "transactionId": "tx"})
	if f := until(sockets[len(sockets)-1], wire.OpEvent); f.Seq != 2 {
		t.Errorf("heard of seq %d", f.Seq)
	}
	_ = sockets[0].Close(websocket.StatusNormalClosure, "") // as told
	for _, ws := range append(sockets[1:], newcomer) {      // not as told
		var err error
		for err == nil {
			_, _, err = ws.Read(ctx)
		}
		if code := websocket.CloseStatus(err); code != websocket.StatusServiceRestart {
			t.Errorf("closed with %d: %v", code, err)
		}
	}
	if code := s.exit(); code != 0 {
		t.Errorf("ended with %d", code)
	}
	if took := time.Since(start); took > window+drainRest {
		t.Errorf("took %v", took)
	}
}
