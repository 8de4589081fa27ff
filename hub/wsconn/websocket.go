package wsconn

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"

	"doorbell/hub"
	"doorbell/hub/wire"
)

// Socket carries a session's messages over a WebSocket. The library has the handshake and takes what the client says
// apart; what the hub says is written here, as whole frames straight to the connection.
type Socket struct {
	ws      *websocket.Conn
	raw     patientConn
	session *hub.Session
	ends    atomic.Int32 // of the two halves, how many have ended: what we say, what we hear. The second closes

	// The following is owned by the goroutine that reads, and lent to the one that carries out a message.

	ahead   *bufio.Reader  // the library's: what it has read beyond the message it gave
	first   [128]byte      // what came first: all of most messages
	hearing sync.WaitGroup // a message is being carried out
	deaf    bool           // nothing more will be carried out
}

var _ hub.Conn = (*Socket)(nil)

// Upgrade turns a request that CheckHandshake accepts into a session on an admitted place, and returns: the session
// lives on in goroutines of its own until the client leaves or the hub ends it. What the client asks for is carried out
// under ctx. After an error the answer was written, and the place is the caller's to release.
func Upgrade(ctx context.Context, w http.ResponseWriter, r *http.Request, place *hub.Place) error {
	return new(Socket).upgrade(ctx, w, r, place)
}

func (c *Socket) upgrade(ctx context.Context, w http.ResponseWriter, r *http.Request, place *hub.Place) (err error) {
	c.ws, err = websocket.Accept(&slimWriter{w, c}, r, &websocket.AcceptOptions{
		Subprotocols:       []string{wire.Subprotocol},
		InsecureSkipVerify: true, // the origin was checked before, with the API's own list
		CompressionMode:    websocket.CompressionDisabled,
		OnPingReceived: func(_ context.Context, payload []byte) bool {
			c.pong(payload)
			return false // the library would give a slow client less time than we do
		},
	})
	if err != nil {
		return err
	}
	c.ws.SetReadLimit(-1) // hear keeps to wire.MaxMessage itself, and says so in our words
	c.session = place.Connect(c, false)
	go c.read(ctx) // fresh: this one's stack has grown with the handler's depth and would stay so for the session's life
	return nil
}

// read hears the client until the connection ends.
//
// Its stack is much of what an idle connection costs, and hardly ever gets smaller again: so it only waits, and what has
// come is taken apart and carried out by a goroutine that ends with it.
func (c *Socket) read(ctx context.Context) {
	defer c.half()
	for !c.deaf {
		if len(c.raw.early) == 0 { // else it came right behind the handshake
			n, err := c.raw.Conn.Read(c.first[:])
			if n == 0 {
				c.session.End(endingOfRead(err))
				return
			}
			c.session.Heard()
			if c.raw.early = c.controls(c.first[:n]); len(c.raw.early) == 0 {
				continue
			}
		}
		c.hearing.Add(1)
		go c.hear(ctx)
		c.hearing.Wait()
	}
}

// controls answers the pings and passes over the pongs that stand whole at the beginning of b, where a frame begins,
// and returns what follows. The library would do the same, but then wait for a message where it costs more to wait.
func (c *Socket) controls(b []byte) []byte {
	for len(b) >= 6 && (b[0] == final|opPing || b[0] == final|opPong) && b[1]&masked != 0 {
		n := int(b[1] &^ masked)
		if n > maxControl || len(b) < 6+n {
			break
		}
		mask, payload := b[2:6], b[6:6+n]
		if b[0] == final|opPing {
			for i := range payload {
				payload[i] ^= mask[i%4]
			}
			c.pong(payload)
		}
		b = b[6+n:]
	}
	return b
}

// pong answers a ping. Who pings and takes nothing is not waited for longer than others.
func (c *Socket) pong(payload []byte) {
	if _, err := c.raw.Write(controlFrame(opPong, payload)); errors.Is(err, hub.ErrNoProgress) {
		c.session.End(hub.TooSlow)
	}
}

// hear carries out what has come, to the end of a message.
func (c *Socket) hear(ctx context.Context) {
	defer c.hearing.Done()
	for more := true; more; more = len(c.raw.early) > 0 || c.ahead.Buffered() > 0 {
		end := c.message(ctx)
		if end == nil {
			continue
		}
		c.deaf = true
		c.session.End(*end)
		if end.Label != hub.Left.Label && end.Label != hub.Vanished.Label {
			_, _ = io.Copy(io.Discard, &c.raw) // closing on unread bytes would take our reason from the client's hands
		}
		return
	}
}

// messages are buffers for what clients say. A connection has one only while something comes.
var messages = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// message carries out one message, or returns how the session ends. The library is given a context that never ends: one
// that may would cost a goroutine a connection, and would break the connection instead of closing it.
func (c *Socket) message(ctx context.Context) *hub.Ending {
	typ, r, err := c.ws.Reader(context.Background())
	if err != nil {
		e := endingOfRead(err)
		return &e
	}
	if typ != websocket.MessageText {
		return &hub.BadMessage
	}
	buf := messages.Get().(*bytes.Buffer)
	defer messages.Put(buf)
	buf.Reset()
	n, err := io.Copy(buf, io.LimitReader(r, wire.MaxMessage+1))
	switch {
	case err != nil:
		e := endingOfRead(err)
		return &e
	case n > wire.MaxMessage:
		return &hub.TooBig
	}
	c.carryOut(ctx, buf.Bytes())
	return nil
}

// carryOut carries out a message: one object per line. What comes once we are closing is passed over.
func (c *Socket) carryOut(ctx context.Context, message []byte) {
	for line := range bytes.Lines(message) {
		if line = bytes.TrimSpace(line); len(line) > 0 && !c.raw.closing.Load() {
			c.session.Handle(ctx, line)
		}
	}
}

func endingOfRead(err error) hub.Ending {
	if websocket.CloseStatus(err) >= 0 {
		return hub.Left
	}
	return hub.Vanished
}

// frames are buffers for what is written at once.
var frames = sync.Pool{New: func() any { b := make([]byte, 0, 4<<10); return &b }}

// maxPooled is the largest buffer that is kept, in bytes.
const maxPooled = 64 << 10

// Write sends a batch as one text message, in one write to the connection; the library's own way would copy it through
// its small buffer and take two.
func (c *Socket) Write(batch []*hub.Message) error {
	p := frames.Get().(*[]byte)
	b := append((*p)[:0], make([]byte, maxHeader)...)
	for _, m := range batch {
		b = append(b, m.Frame...)
	}
	b = b[:len(b)-1] // without the last line break
	start := putHeader(b[:maxHeader], len(b)-maxHeader)
	_, err := c.raw.Write(b[start:])
	if cap(b) <= maxPooled {
		*p = b
		frames.Put(p)
	}
	return err
}

var pingFrame = []byte{final | opPing, 0}

// Ping sends an empty ping. The pong, like anything else the client sends, is a sign of life.
func (c *Socket) Ping() error {
	_, err := c.raw.Write(pingFrame)
	return err
}

// closeWait is how long a client may take to see why it was closed.
const closeWait = 5 * time.Second

// Close tells the client why, waits a moment until it has heard that, and closes. It does not block.
func (c *Socket) Close(e hub.Ending) {
	c.raw.closing.Store(true) // a write that waits for a dead client gives up
	go func() {
		defer c.half()
		switch e.Label {
		case hub.TooSlow.Label: // nobody there to be told
			c.raw.forget()
			_ = c.raw.Conn.Close()
		case hub.Vanished.Label, hub.Left.Label: // the library has said what there is to say
			_ = c.raw.Conn.Close()
		default:
			if _, err := c.raw.Write(closeFrame(e.Code, e.Reason)); err != nil {
				_ = c.raw.Conn.Close()
				return
			}
			_ = c.raw.Conn.SetReadDeadline(time.Now().Add(closeWait))
			c.raw.endWrites()
		}
	}()
}

// half notes that one of the connection's halves has ended.
func (c *Socket) half() {
	if c.ends.Add(1) == 2 {
		_ = c.ws.CloseNow()
	}
}
