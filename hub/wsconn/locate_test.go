package wsconn_test

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"doorbell/hub"
	"doorbell/hub/wire"
	"doorbell/hub/wire/wiretest"
	"doorbell/orders"
)

// TestLocate: a courier's batch as long as a message may be goes in over its socket, its answer comes back, and what is
// too long ends the session.
func TestLocate(t *testing.T) {
	took := make(chan int, 1)
	n := startNode(t, func(hc *hub.Config) {
		hc.Locate = func(_ context.Context, by orders.Caller, _ string, points []byte) ([]byte, error) {
			if by.ID != "cou_1" {
				return nil, fmt.Errorf("positions of %s", by.ID)
			}
			took <- bytes.Count(points, []byte("lat"))
			return []byte(`{"accepted":1,"dropped":[],"nextIntervalMs":5000}`), nil
		}
	})
	c, _, err := dialRaw(n.addr, n.token(orders.RoleCourier, "cou_1"), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
	answer := func() string {
		for {
			f, err := c.next()
			if err != nil {
				t.Fatal(err)
			}
			if f.op == opText {
				wiretest.Check(t, f.payload)
				if s := string(f.payload); !strings.Contains(s, `"op":"hello"`) {
					return s
				}
			}
		}
	}
	const point = `{"at":"2026-03-14T12:00:00.000Z","lat":31.2304,"lon":121.4737}`
	batch := func(bytes int) (line string, points int) {
		const head, tail = `{"op":"locate","id":9,"points":[`, `]}`
		points = (bytes - len(head) - len(tail) + 1) / (len(point) + 1)
		return head + strings.TrimSuffix(strings.Repeat(point+",", points), ",") + tail, points
	}
	for _, size := range []int{200, wire.MaxMessage} {
		line, points := batch(size)
		if err := c.send(text(line)); err != nil {
			t.Fatal(err)
		}
		if got := <-took; got != points {
			t.Errorf("%d points of %d were handed on", got, points)
		}
		if got := strings.TrimSpace(answer()); got != `{"op":"ok","id":9,"answer":{"accepted":1,"dropped":[],"nextIntervalMs":5000}}` {
			t.Errorf("answered %s", got)
		}
	}
	line, _ := batch(wire.MaxMessage + 200)
	if err := c.send(text(line)); err != nil {
		t.Fatal(err)
	}
	if code, reason := c.closed(t); code != 1009 {
		t.Errorf("closed with %d %s", code, reason)
	}
}
