package client

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"

	"doorbell/hub/wire"
	"doorbell/orders"
)

// Limits of a socket.
const (
	readLimit    = 1 << 20          // bytes of a message: snapshots of the largest orders are far below it
	dialTimeout  = 15 * time.Second // for the token and the handshake
	helloTimeout = 10 * time.Second // for the hub's first word
	writeTimeout = 10 * time.Second
	closeTimeout = time.Second // for the hub's answer to our goodbye
	pingGrace    = 5 * time.Second
	pongTimeout  = 10 * time.Second
)

// link is one socket. A goroutine reads from it and one writes to it; everything but what is atomic is owned by Run's.
type link struct {
	conn  *websocket.Conn
	ctx   context.Context // of reads and writes: its end breaks the connection
	abort context.CancelFunc
	quit  chan struct{} // closed when nobody listens to the reader any more
	out   chan []byte   // messages for the writer, unbuffered: one is made when the one before is on its way
	heard atomic.Int64  // last sign of life, as a UnixNano

	since     time.Time
	session   string        // "" before hello
	heartbeat time.Duration // of the hub's word
	answerBy  time.Time     // of a socket we move to: when it must have answered for every topic

	head    []byte // a message that is made and not taken by the writer
	dirty   bool   // something may have to be said about topics
	lastID  int64
	on      map[string]*watch
	acked   map[int64]ack // sent and not answered, by request id
	pinging time.Time     // when a ping was asked for; zero = none since anything was heard
	ping    bool          // a ping is to be sent

	token   string    // a fresh one, to be sent
	tokenID int64     // of the request that carries it, 0 = none on its way
	expires time.Time // of the token that the hub knows; zero = not known
	offered time.Time // expiry of the one on its way
	renewAt time.Time // zero = not, or being fetched
}

// watch is what one socket knows of one topic.
type watch struct {
	asked    bool      // a watch request is on its way or answered
	id       int64     // of that request
	answered bool      // it was: with all pages, where it is a board
	leave    bool      // an unwatch is to be sent first
	barrier  int64     // an unwatch with this id is on its way: what comes before its answer is of an older watch
	deaf     bool      // another socket has this topic
	again    time.Time // not to be asked before

	last int64 // of an order: the last seq heard on this socket, or asked from
	gaps int   // gaps in a row
	more bool  // of a board: the page to come continues the one before
}

// hears reports whether what comes now belongs to the watch that stands.
func (w *watch) hears() bool {
	return w != nil && w.asked && !w.leave && w.barrier == 0 && !w.deaf
}

// renew has the topic asked for anew. What is still on its way of the old watch is told from the new by the answer to
// the unwatch in between: the hub says nothing more of a topic behind it.
func (w *watch) renew() {
	w.leave = w.leave || w.asked
	w.asked, w.answered, w.deaf, w.more = false, false, false, false
}

// dialer opens sockets.
type dialer struct {
	url   string
	http  *http.Client
	token func(ctx context.Context) (string, error)
	now   func() time.Time
}

// liveURL is where an installation's live protocol is. Error: Invalid.
func liveURL(base string) (string, error) {
	u, err := url.Parse(base)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return "", orders.Errorf(orders.Invalid, "Config.URL must be http(s)://host[:port]")
	}
	switch u.Scheme {
	case "http", "https":
	default:
		return "", orders.Errorf(orders.Invalid, "Config.URL must begin with http:// or https://")
	}
	return u.JoinPath("v1", "live").String(), nil
}

// ownHTTPClient speaks HTTP/1.1 and keeps no connection: whatever is left of a handshake ends with it.
func ownHTTPClient() *http.Client {
	return &http.Client{Transport: &http.Transport{
		Proxy:             http.ProxyFromEnvironment,
		DialContext:       (&net.Dialer{Timeout: dialTimeout, KeepAlive: 30 * time.Second}).DialContext,
		DisableKeepAlives: true,
	}}
}

// dial asks for a token and opens a socket with it. The failure's err is nil when there is a link.
func (d dialer) dial(ctx context.Context) (*link, failure) {
	ctx, cancel := context.WithTimeoutCause(ctx, dialTimeout, context.DeadlineExceeded)
	defer cancel()
	token, err := d.token(ctx)
	if err != nil {
		return nil, failure{err: err}
	}
	l := &link{
		quit: make(chan struct{}), out: make(chan []byte), on: map[string]*watch{}, acked: map[int64]ack{},
		heartbeat: defaultHeartbeat, dirty: true,
	}
	conn, res, err := websocket.Dial(ctx, d.url, &websocket.DialOptions{
		HTTPClient: d.http, HTTPHeader: http.Header{"Authorization": {"Bearer " + token}},
		Subprotocols: []string{wire.Subprotocol},
		OnPingReceived: func(context.Context, []byte) bool {
			l.hear()
			return true
		},
		OnPongReceived: func(context.Context, []byte) { l.hear() },
	})
	switch {
	case err != nil && res != nil && res.StatusCode != http.StatusSwitchingProtocols:
		return nil, ofAnswer(res, d.now(), err)
	case err != nil:
		return nil, failure{err: &orders.Error{Kind: orders.Unavailable, Text: "no connection", Err: err}}
	case conn.Subprotocol() != wire.Subprotocol:
		_ = conn.CloseNow()
		return nil, ofKind(orders.Invalid, "the other side does not speak "+wire.Subprotocol, nil)
	}
	conn.SetReadLimit(readLimit)
	l.conn = conn
	l.since = time.Now()
	l.hear()
	l.ctx, l.abort = context.WithCancel(context.WithoutCancel(ctx))
	if l.expires = expiry(token); !l.expires.IsZero() {
		if left := l.expires.Sub(d.now()); left > 0 { // else the clocks differ: the hub will say
			l.renewAt = l.since.Add(untilRenewal(left))
		}
	}
	return l, failure{}
}

// defaultHeartbeat stands in until the hub has said hello.
const defaultHeartbeat = 25 * time.Second

func (l *link) hear() { l.heard.Store(time.Now().UnixNano()) }

func (l *link) nextID() int64 {
	l.lastID++
	return l.lastID
}

// incoming is what a reader hands over: a message, or the error that ended it.
type incoming struct {
	link *link
	text []byte
	err  error
}

// read hands over what the hub says, one message at a time, until the socket ends. Once nobody listens it goes on
// reading, so that the closing handshake comes to its end.
func (l *link) read(to chan<- incoming) {
	for {
		typ, b, err := l.conn.Read(l.ctx)
		if err == nil && typ != websocket.MessageText {
			continue // not of this protocol's version: passed over, like an unknown op
		}
		l.hear()
		select {
		case to <- incoming{l, b, err}:
		case <-l.quit:
		}
		if err != nil {
			_ = l.conn.CloseNow()
			return
		}
	}
}

// write writes what it is handed until nobody listens any more. After an error the reader finds out by itself what the
// socket ended with: a close frame may still be waiting to be read.
func (l *link) write() {
	for {
		select {
		case b := <-l.out:
			ctx, cancel := context.WithTimeout(l.ctx, writeTimeout)
			err := l.conn.Write(ctx, websocket.MessageText, b)
			cancel()
			if err != nil {
				return
			}
		case <-l.quit:
			return
		}
	}
}

// leave says goodbye and waits a moment for the answer. Nobody listens to the link any more.
func (l *link) leave(code websocket.StatusCode, reason string) {
	t := time.AfterFunc(closeTimeout, l.abort)
	defer t.Stop()
	_ = l.conn.Close(code, reason)
	l.abort()
}

// lastOf is the last seq of an order that this socket was heard to say, 0 = none. t is what is known of all topics.
func (l *link) lastOf(orderID string, topics map[string]*topic) (last int64) {
	if w := l.on[string(wire.TopicOrder)+"/"+orderID]; w != nil && w.answered && w.hears() {
		last = w.last
	}
	for _, t := range topics {
		if t.board && l.on[t.name].hears() {
			last = max(last, t.orders[orderID])
		}
	}
	return last
}

func orderOf(topic string) string { return strings.TrimPrefix(topic, string(wire.TopicOrder)+"/") }
