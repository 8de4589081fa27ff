package wsconn_test

import (
	"context"
	"net"
	"net/http"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/coder/websocket"
	"github.com/rs/zerolog"

	"doorbell/hub"
	"doorbell/hub/wire"
	"doorbell/hub/wsconn"
	"doorbell/orders"
	"doorbell/web"
)

// connections is how many idle connections BenchmarkConnectionMemory holds at a time.
const connections = 2_000

// BenchmarkConnectionMemory measures what an idle connection costs the server: heap and stacks after a collection, and
// resident memory once what is free was given back. The slim way is ours; the usual way is the one of tutorials: the
// library on net/http's own buffers, a read loop in the handler, a writer with a channel. The clients are another
// process. BenchmarkServeRSS measures the same on a whole server as it runs.
func BenchmarkConnectionMemory(b *testing.B) {
	for name, upgrade := range map[string]func(context.Context, http.ResponseWriter, *http.Request, *hub.Place){
		"Slim": func(ctx context.Context, w http.ResponseWriter, r *http.Request, place *hub.Place) {
			if err := wsconn.Upgrade(ctx, w, r, place); err != nil {
				b.Error(err)
			}
		},
		"Usual": func(ctx context.Context, w http.ResponseWriter, r *http.Request, place *hub.Place) {
			if err := usual(ctx, w, r, place); err != nil {
				b.Error(err)
			}
		},
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				heap, stack, resident := measure(b, upgrade)
				b.ReportMetric(heap, "heap-B/conn")
				b.ReportMetric(stack, "stack-B/conn")
				b.ReportMetric(resident, "RSS-B/conn")
			}
		})
	}
}

// measure is what each of some idle connections adds, in bytes.
func measure(b *testing.B, upgrade func(context.Context, http.ResponseWriter, *http.Request, *hub.Place)) (heap, stack, resident float64) {
	b.Helper()
	h := hub.New(hub.Config{})
	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- h.Run(ctx) }()
	id := hub.Identity{Caller: orders.Caller{Actor: orders.Actor{Role: orders.RoleOps, ID: "ops_1"}}}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	srv := web.NewHTTPServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		place, err := h.Admit(id)
		if err != nil {
			b.Error(err)
			return
		}
		upgrade(ctx, w, r, place)
	}), zerolog.Nop())
	served := make(chan error, 1)
	go func() { served <- srv.Serve(l) }()

	before := memory(b)
	stop := startClients(b, l.Addr().String(), slices.Repeat([]string{"- "}, connections))
	after := memory(b)
	stop()
	cancel()
	<-ran
	_ = srv.Close()
	<-served
	return float64(after.heap-before.heap) / connections, float64(after.stack-before.stack) / connections,
		float64(after.resident-before.resident) / connections
}

type memoryUse struct{ heap, stack, resident int64 }

// memory is what this process uses once everything free was given back.
func memory(b *testing.B) memoryUse {
	b.Helper()
	for range 4 { // each collection halves stacks that are too large
		runtime.GC()
	}
	debug.FreeOSMemory()
	s := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/memory/classes/heap/stacks:bytes"}}
	metrics.Read(s)
	return memoryUse{int64(s[0].Value.Uint64()), int64(s[1].Value.Uint64()), residentOf(b, os.Getpid())}
}

// usualConn is a hub.Conn as tutorials have it.
type usualConn struct {
	ws    *websocket.Conn
	out   chan []byte
	ended atomic.Bool
}

func usual(ctx context.Context, w http.ResponseWriter, r *http.Request, place *hub.Place) error {
	ws, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{wire.Subprotocol}})
	if err != nil {
		place.Release()
		return err
	}
	c := &usualConn{ws: ws, out: make(chan []byte, 64)}
	s := place.Connect(c, false)
	go func() {
		for b := range c.out {
			if ws.Write(ctx, websocket.MessageText, b) != nil {
				return
			}
		}
	}()
	for {
		_, line, err := ws.Read(ctx)
		if err != nil {
			s.End(hub.Left)
			return nil
		}
		s.Handle(ctx, line)
	}
}

func (c *usualConn) Write(batch []*hub.Message) error {
	if c.ended.Load() {
		return net.ErrClosed
	}
	for _, m := range batch {
		c.out <- m.Frame
	}
	return nil
}

func (c *usualConn) Ping() error { return nil }

func (c *usualConn) Close(hub.Ending) {
	if !c.ended.Swap(true) {
		close(c.out)
	}
	go func() { _ = c.ws.CloseNow() }()
}
