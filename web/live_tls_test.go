package web_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"doorbell/hub/wire"
)

// TestLiveOverTLS: the same over TLS, whose records cannot be cut in two.
func TestLiveOverTLS(t *testing.T) {
	n, c := start(t), newCast(t)
	n.restaurant(c, "res_1", nil)
	const many = 25
	for range many { // a board of several pages, each longer than what is written at once
		n.order(c, "paid", nil)
	}
	path := n.order(c, "paid", nil)
	secure, trust := n.serveTLS()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	ws, _, err := websocket.Dial(ctx, "wss"+strings.TrimPrefix(secure, "https")+"/v1/live", &websocket.DialOptions{
		HTTPClient: over(t, trust, func(p *http.Protocols) { p.SetHTTP1(true) }),
		HTTPHeader: http.Header{"Authorization": {"Bearer " + c.merchant}}, Subprotocols: []string{wire.Subprotocol},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer ws.CloseNow()
	ws.SetReadLimit(1 << 20)
	s := &socket{t: t, ws: ws}
	s.watch("restaurant/res_1", 0)
	for shown := 0; shown < many+1; {
		shown += len(s.want(wire.OpSnapshot).Orders)
	}
	n.post(path+"/confirm", c.merchant, map[string]any{"prepMinutes": 10}).want(200)
	if f := s.want(wire.OpEvent); f.Seq != 3 || f.Board != "restaurant/res_1" {
		t.Errorf("%+v", f)
	}
	s.alive()
	n.post("/v1/revocations", c.ops, map[string]any{"sub": "mer_1"}).want(200)
	s.wantClosed(4401)
	eventually(t, "the session's end", func() bool { return n.hub.Sessions() == 0 })
}
