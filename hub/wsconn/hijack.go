package wsconn

import (
	"bufio"
	"bytes"
	"net"
	"net/http"
)

// Buffers of a connection after the upgrade. What we read is short; the library writes only the answer to the
// handshake, pongs and the close frame, each of which must fit, so that it is one write.
const (
	readBuffer  = 128
	writeBuffer = 160
)

// slimWriter hands the WebSocket library a connection with small buffers, in place of the 4 KiB + 4 KiB that net/http
// would leave it with for the connection's life.
type slimWriter struct {
	http.ResponseWriter
	socket *Socket // whose connection it becomes
}

// Hijack takes the connection over. Bytes that the client sent right behind its handshake are kept.
func (s *slimWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	c, rw, err := http.NewResponseController(s.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	early, _ := rw.Reader.Peek(rw.Reader.Buffered()) // what is buffered can always be peeked
	conn := &s.socket.raw
	conn.init(c)
	conn.early = bytes.Clone(early) // a copy: net/http's buffer is 4 KiB
	r := bufio.NewReaderSize(conn, readBuffer)
	s.socket.ahead = r
	return conn, bufio.NewReadWriter(r, bufio.NewWriterSize(conn, writeBuffer)), nil
}
