package wsconn_test

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"doorbell/hub"
	"doorbell/orders"
)

// slowStream opens a stream of events over a connection for which the kernel takes little.
func slowStream(n *node, token, order string) *bufio.Reader {
	n.t.Helper()
	d := net.Dialer{Control: smallReceiveBuffer}
	c, err := d.Dial("tcp", n.addr)
	if err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(func() { _ = c.Close() })
	_, err = fmt.Fprintf(c, "GET /v1/orders/%s/events HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nAccept: text/event-stream\r\n\r\n", order, n.addr, token)
	if err != nil {
		n.t.Fatal(err)
	}
	_ = c.SetReadDeadline(time.Now().Add(40 * time.Second))
	r := bufio.NewReaderSize(c, 256)
	res, err := http.ReadResponse(r, &http.Request{Method: http.MethodGet})
	if err != nil || res.StatusCode != http.StatusOK {
		n.t.Fatal(res, err)
	}
	return bufio.NewReader(res.Body)
}

// TestP5_AStreamThatIsReadLateMissesNothing: a stream cannot be given a snapshot, so what was thrown away is replayed.
func TestP5_AStreamThatIsReadLateMissesNothing(t *testing.T) {
	t.Parallel()
	n := startNode(t, nil)
	id := n.order()
	ops := n.token(orders.RoleOps, "ops_1")
	late := slowStream(n, ops, id)
	slowStream(n, ops, id) // and one that is never read
	last, noise := int64(0), 0
	until(t, 8*time.Second, "an overflow", func() bool {
		noise++
		last = n.delay(id, noise)
		return n.metric("doorbell_hub_messages_thrown_away_total", "overflow") > 0
	})
	for range 60 {
		noise++
		last = n.delay(id, noise)
	}
	if q := n.metric("doorbell_hub_queue_bytes"); q > 2*queueLimit {
		t.Errorf("%.0f bytes wait for two streams", q)
	}
	for want := int64(1); want <= last; {
		line, err := late.ReadString('\n')
		if err != nil {
			t.Fatalf("at %d of %d: %v", want, last, err)
		}
		if got, ok := strings.CutPrefix(line, "id: "); ok {
			if strings.TrimSpace(got) != strconv.FormatInt(want, 10) {
				t.Fatalf("event %s follows %d", got, want-1)
			}
			want++
		}
	}
	if noise > 400 {
		t.Errorf("it took %d events until one stream was full: the kernel takes too much", noise)
	}
	until(t, 15*time.Second, "the end of the stream that is never read", func() bool {
		return n.metric("doorbell_hub_sessions_ended_total", hub.TooSlow.Label) == 1
	})
	noise++
	last = n.delay(id, noise)
	for { // the other one is live again
		line, err := late.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		if line == fmt.Sprintf("id: %d\n", last) {
			return
		}
	}
}
