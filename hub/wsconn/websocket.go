package wsconn

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net/http"
	"sync"

	"github.com/coder/websocket"

	"doorbell/hub"
	"doorbell/hub/wire"
)

// Socket carries a session's messages over a WebSocket.
type Socket struct {
	ws  *websocket.Conn
	raw *patientConn

	mu      sync.Mutex // one frame at a time, and none behind the close frame
	closing bool
}

var _ hub.Conn = (*Socket)(nil)

// Upgrade turns a request into a session on an admitted place, and returns: the session lives on in goroutines of its
// own until ctx ends or the client leaves. Whether the request may be upgraded at all is decided before. After an
// error, the answer was written and the place is the caller's to release.
func Upgrade(ctx context.Context, w http.ResponseWriter, r *http.Request, place *hub.Place) error {
	slim := &slimWriter{ResponseWriter: w}
	ws, err := websocket.Accept(slim, r, &websocket.AcceptOptions{
		Subprotocols:       []string{wire.Subprotocol},
		InsecureSkipVerify: true, // the origin was checked before, with the API's own list
		CompressionMode:    websocket.CompressionDisabled,
	})
	if err != nil {
		return err
	}
	ws.SetReadLimit(wire.MaxMessage)
	c := &Socket{ws: ws, raw: slim.conn}
	started := make(chan *hub.Session, 1)
	// A fresh goroutine: this one's stack has grown with the handler's depth and would stay so for the session's life.
	go func() { c.read(ctx, <-started) }()
	s := place.Connect(c, false)
	c.raw.heard = s.Heard
	started <- s
	return nil
}

// messages are buffers for what a client says. Only a connection that is being read from has one.
var messages = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// read carries out what the client says until the connection ends.
func (c *Socket) read(ctx context.Context, s *hub.Session) {
	for {
		typ, r, err := c.ws.Reader(context.WithoutCancel(ctx)) // a context that can end costs a goroutine and ends the connection
		if err != nil {
			s.End(endingOfRead(err))
			return
		}
		if typ != websocket.MessageText {
			s.End(hub.BadMessage)
			return
		}
		buf := messages.Get().(*bytes.Buffer)
		buf.Reset()
		_, err = io.Copy(buf, r)
		if err == nil {
			handle(ctx, s, buf.Bytes())
		}
		messages.Put(buf)
		if err != nil {
			s.End(endingOfRead(err))
			return
		}
	}
}

// handle carries out a message: one object per line.
func handle(ctx context.Context, s *hub.Session, message []byte) {
	for line := range bytes.Lines(message) {
		if line = bytes.TrimSpace(line); len(line) > 0 {
			s.Handle(ctx, line)
		}
	}
}

func endingOfRead(err error) hub.Ending {
	switch websocket.CloseStatus(err) {
	case websocket.StatusNormalClosure, websocket.StatusGoingAway, websocket.StatusNoStatusRcvd:
		return hub.Left
	}
	if errors.Is(err, websocket.ErrMessageTooBig) {
		return hub.TooBig
	}
	return hub.Vanished
}

// frames are buffers for what is written at once.
var frames = sync.Pool{New: func() any { b := make([]byte, 0, 4<<10); return &b }}

// maxPooled is the largest buffer that is kept, in bytes.
const maxPooled = 64 << 10

// maxHeader is the longest header of a frame that a server sends: no mask (RFC 6455 section 5.2).
const maxHeader = 10

// Write sends a batch as one text message, in one write to the connection: the library's own way would copy it through
// its small buffer and take two.
func (c *Socket) Write(batch []*hub.Message) error {
	p := frames.Get().(*[]byte)
	b := append((*p)[:0], make([]byte, maxHeader)...)
	for _, m := range batch {
		b = append(b, m.Frame...)
	}
	b = b[:len(b)-1] // without the last line break
	start := putHeader(b[:maxHeader], len(b)-maxHeader)
	err := c.write(b[start:])
	if cap(b) <= maxPooled {
		*p = b
		frames.Put(p)
	}
	return err
}

// putHeader writes the header of an unmasked, final text frame into the end of h and returns where it begins.
func putHeader(h []byte, payload int) (start int) {
	const finalText = 0x81
	switch {
	case payload < 126:
		start = maxHeader - 2
		h[start+1] = byte(payload)
	case payload <= 0xffff:
		start = maxHeader - 4
		h[start+1] = 126
		binary.BigEndian.PutUint16(h[start+2:], uint16(payload))
	default:
		start = 0
		h[start+1] = 127
		binary.BigEndian.PutUint64(h[start+2:], uint64(payload))
	}
	h[start] = finalText
	return start
}

var pingFrame = []byte{0x89, 0x00}

// Ping sends an empty ping. The pong, like anything else the client sends, is noted by the connection.
func (c *Socket) Ping() error { return c.write(pingFrame) }

func (c *Socket) write(frame []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closing {
		return errClosing
	}
	_, err := c.raw.Write(frame)
	return err
}

var errClosing = errors.New("wsconn: closing")

// Close tells the client why, waits a moment for its answer, and closes. It does not block.
func (c *Socket) Close(e hub.Ending) {
	c.raw.closing.Store(true) // a write that waits for a dead client gives up
	go func() {
		if e.Code == hub.Vanished.Code || e.Code == hub.TooSlow.Code && e.Label == hub.TooSlow.Label {
			_ = c.ws.CloseNow() // nobody there to be told
			return
		}
		c.mu.Lock()
		c.closing = true
		c.mu.Unlock()
		_ = c.ws.Close(websocket.StatusCode(e.Code), e.Reason)
	}()
}
