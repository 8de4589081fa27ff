package wsconn_test

import (
	"testing"
	"time"

	"doorbell/hub/wire"
	"doorbell/orders"
)

// TestP5_APingDoesNotShortenThePatience: a client that pings has the same 10 s to take what waits for it.
func TestP5_APingDoesNotShortenThePatience(t *testing.T) {
	t.Parallel()
	n := startNode(t, nil)
	ids := []string{n.order(), n.order(), n.order()}
	s := watching(n, n.token(orders.RoleOps, "ops_1"), ids...)
	noise := 0
	until(t, 8*time.Second, "an overflow", func() bool {
		noise++
		n.delay(ids[noise%len(ids)], noise)
		return n.metric("doorbell_hub_messages_thrown_away_total", "overflow") > 0
	})
	if err := s.send(clientFrame(0x80|opPing, []byte("there?"))); err != nil {
		t.Fatal(err)
	}
	time.Sleep(6500 * time.Millisecond) // the client's own time, not ours: it is away that long
	_ = s.SetReadDeadline(time.Now().Add(10 * time.Second))
	for pong := false; !pong; {
		f, err := s.next()
		if err != nil {
			t.Fatalf("it came back within 10 s and found: %v", err)
		}
		pong = f.op == opPong && string(f.payload) == "there?"
	}
	if err := s.send(text(`{"op":"ping"}`)); err != nil {
		t.Fatal(err)
	}
	s.until(t, wire.OpPong)
}
