package wsconn

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"doorbell/hub"
	"doorbell/hub/wire"
	"doorbell/orders"
)

// The other side of these tests is coder/websocket, which our clients use.

// pair is a session's socket and the client at its other end.
func pair(t *testing.T) (*Socket, *websocket.Conn) {
	t.Helper()
	h := hub.New(hub.Config{})
	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- h.Run(ctx) }()
	made := make(chan *Socket, 1)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := CheckHandshake(r); err != nil {
			t.Error(err)
		}
		place, err := h.Admit(hub.Identity{Caller: orders.Caller{Actor: orders.Actor{Role: orders.RoleOps, ID: "ops_1"}}})
		if err != nil {
			t.Error(err)
			return
		}
		c := &Socket{}
		if err := c.upgrade(ctx, w, r, place); err != nil {
			t.Error(err)
		}
		made <- c
	}))
	dialCtx, stop := context.WithTimeout(ctx, 10*time.Second)
	defer stop()
	client, res, err := websocket.Dial(dialCtx, "ws"+strings.TrimPrefix(srv.URL, "http"), &websocket.DialOptions{
		Subprotocols: []string{wire.Subprotocol}, CompressionMode: websocket.CompressionContextTakeover,
	})
	if err != nil {
		t.Fatal(err, res)
	}
	if client.Subprotocol() != wire.Subprotocol || res.Header.Get("Sec-WebSocket-Extensions") != "" {
		t.Errorf("negotiated %q, extensions %q", client.Subprotocol(), res.Header.Get("Sec-WebSocket-Extensions"))
	}
	client.SetReadLimit(1 << 20)
	t.Cleanup(func() {
		_ = client.CloseNow()
		cancel()
		<-ran
		srv.Close()
	})
	c := <-made
	if _, hello, err := client.Read(dialCtx); err != nil || !strings.Contains(string(hello), `"op":"hello"`) {
		t.Fatalf("%s %v", hello, err)
	}
	return c, client
}

func TestFramesOfEverySize(t *testing.T) {
	c, client := pair(t)
	sizes := []int{126, 127, 128, 4095, 4096, 65534, 65535, 65536, 65537, 200_000}
	for n := range 126 {
		sizes = append(sizes, n)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	for _, n := range sizes {
		want := strings.Repeat("x", n)
		wrote := make(chan error, 1)
		go func() { wrote <- c.Write([]*hub.Message{{Frame: []byte(want + "\n")}}) }()
		typ, got, err := client.Read(ctx)
		if err != nil || typ != websocket.MessageText || string(got) != want {
			t.Fatalf("%d bytes became %d, %v, %v", n, len(got), typ, err)
		}
		if err := <-wrote; err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Write([]*hub.Message{{Frame: []byte("a\n")}, {Frame: []byte("b\n")}}); err != nil {
		t.Fatal(err)
	}
	if _, got, err := client.Read(ctx); string(got) != "a\nb" || err != nil {
		t.Fatalf("%q %v", got, err)
	}
}

// TestFramesDoNotMix has everybody who writes to a connection write at once: the pump's messages and pings, and the
// reader's pongs.
func TestFramesDoNotMix(t *testing.T) {
	c, client := pair(t)
	const messages, pings = 3000, 300
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	var group sync.WaitGroup
	group.Go(func() {
		for i := range messages {
			line := strconv.Itoa(i) + strings.Repeat("x", i%700) + "\n"
			if err := c.Write([]*hub.Message{{Frame: []byte(line)}}); err != nil {
				t.Error(err)
				return
			}
		}
	})
	group.Go(func() {
		for range pings {
			if err := c.Ping(); err != nil {
				t.Error(err)
				return
			}
		}
	})
	pinged := make(chan struct{})
	group.Go(func() {
		defer close(pinged)
		for range pings {
			if err := client.Ping(ctx); err != nil {
				t.Error(err)
				return
			}
		}
	})
	for i := range messages {
		_, got, err := client.Read(ctx)
		if want := strconv.Itoa(i) + strings.Repeat("x", i%700); string(got) != want || err != nil {
			t.Fatalf("message %d is %.20q, %v", i, got, err)
		}
	}
	go func() { // client.Ping needs somebody who reads
		_, _, _ = client.Read(ctx)
	}()
	<-pinged
	group.Wait()
}

func TestEndings(t *testing.T) {
	for _, e := range []hub.Ending{
		hub.GoingAway, hub.TooBig, hub.BadMessage, hub.TokenEnded, hub.TokenRevoked, hub.OtherToken, hub.Silent, hub.Failed, hub.SourceAway,
		{Code: 4000, Reason: strings.Repeat("r", 123), Label: "x"},
	} {
		t.Run(e.Label, func(t *testing.T) {
			c, client := pair(t)
			stop, stopped := make(chan struct{}), make(chan struct{})
			go func() { // nothing may follow the close frame, and the end waits for nobody who writes
				defer close(stopped)
				for c.Write([]*hub.Message{{Frame: []byte("x\n")}}) == nil {
				}
				<-stop
			}()
			c.session.End(e)
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
			defer cancel()
			var err error
			for err == nil {
				_, _, err = client.Read(ctx)
			}
			var ce websocket.CloseError
			if !errors.As(err, &ce) || int(ce.Code) != e.Code || ce.Reason != e.Reason {
				t.Errorf("the client was told %v, want %d %q", err, e.Code, e.Reason)
			}
			close(stop)
			<-stopped
			if err := c.Ping(); err == nil {
				t.Error("a ping went out behind the close frame")
			}
		})
	}
}
