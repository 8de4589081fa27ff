package wsconn

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
)

// Buffers of a connection after the upgrade. What we read is short; the library writes only the answer to the
// handshake, pongs and the close frame, each of which must fit so that it is one write.
const (
	readBuffer  = 256
	writeBuffer = 512
)

// slimWriter hands the WebSocket library a connection with small buffers, in place of the 4 KiB + 4 KiB that net/http
// would leave it with for the connection's life.
type slimWriter struct {
	http.ResponseWriter
	conn *patientConn // after Hijack
}

// Hijack takes the connection over. Bytes that the client sent right behind its handshake are kept.
func (s *slimWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	c, rw, err := http.NewResponseController(s.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	early, _ := rw.Reader.Peek(rw.Reader.Buffered()) // what is buffered can always be peeked
	s.conn = newPatientConn(c)
	r := bufio.NewReaderSize(io.MultiReader(bytes.NewReader(bytes.Clone(early)), s.conn), max(readBuffer, len(early)))
	_, _ = r.Peek(len(early)) // the library keeps what is buffered and reads the rest from the connection
	return s.conn, bufio.NewReadWriter(r, bufio.NewWriterSize(s.conn, writeBuffer)), nil
}
