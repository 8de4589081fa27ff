package wsconn_test

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// Opcodes of RFC 6455 section 5.2.
const (
	opContinue = 0x0
	opText     = 0x1
	opBinary   = 0x2
	opClose    = 0x8
	opPing     = 0x9
	opPong     = 0xa
)

// raw is a WebSocket client without a library: it sends what no library would, and holds every byte of the hub against
// the RFC.
type raw struct {
	net.Conn
	r *bufio.Reader
}

// handshakeText is a handshake as it stands on the wire. lines are further headers.
func handshakeText(host, token string, lines ...string) string {
	lines = append(lines, "Sec-WebSocket-Protocol: doorbell.v1")
	if token != "" {
		lines = append(lines, "Authorization: Bearer "+token)
	}
	return "GET /v1/live HTTP/1.1\r\nHost: " + host + "\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" + strings.Join(lines, "\r\n") + "\r\n\r\n"
}

// dialRaw opens a socket by hand. behind is sent in one packet with the handshake. The reader is small, so that the
// kernel holds what the test does not read.
func dialRaw(addr, token string, behind []byte, lines ...string) (*raw, *http.Response, error) {
	d := net.Dialer{Control: smallReceiveBuffer}
	c, err := d.DialContext(context.Background(), "tcp", addr)
	if err != nil {
		return nil, nil, err
	}
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := c.Write(append([]byte(handshakeText(addr, token, lines...)), behind...)); err != nil {
		_ = c.Close()
		return nil, nil, err
	}
	s := &raw{c, bufio.NewReaderSize(c, 256)}
	res, err := http.ReadResponse(s.r, &http.Request{Method: http.MethodGet})
	if err == nil && res.StatusCode != http.StatusSwitchingProtocols {
		err = fmt.Errorf("answered %s", res.Status)
	}
	if err != nil {
		_ = c.Close()
		return nil, res, err
	}
	return s, res, c.SetDeadline(time.Time{})
}

// frame is one frame as a client sends it: masked, with the bits of head as they are given.
func clientFrame(head byte, payload []byte) []byte {
	mask := [4]byte{0xa1, 0xb2, 0xc3, 0xd4}
	b := []byte{head}
	switch n := len(payload); {
	case n < 126:
		b = append(b, 0x80|byte(n))
	case n <= 0xffff:
		b = binary.BigEndian.AppendUint16(append(b, 0x80|126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 0x80|127), uint64(n))
	}
	b = append(b, mask[:]...)
	for i, x := range payload {
		b = append(b, x^mask[i%4])
	}
	return b
}

// text is a whole text message.
func text(lines ...string) []byte {
	return clientFrame(0x80|opText, []byte(strings.Join(lines, "\n")))
}

func (c *raw) send(b []byte) error {
	_, err := c.Write(b)
	return err
}

// serverFrame is one frame of the hub.
type serverFrame struct {
	op      byte
	payload []byte
}

// code is the status of a close frame, 0 without one.
func (f serverFrame) code() int {
	if f.op != opClose || len(f.payload) < 2 {
		return 0
	}
	return int(binary.BigEndian.Uint16(f.payload))
}

// next reads a frame and refuses what a server must not send: parts, reserved bits, masks, lengths not in their
// shortest form, long control frames.
func (c *raw) next() (serverFrame, error) {
	var h [8]byte
	if _, err := io.ReadFull(c.r, h[:2]); err != nil {
		return serverFrame{}, err
	}
	f := serverFrame{op: h[0] & 0xf}
	n := uint64(h[1] & 0x7f)
	switch {
	case h[0]&0xf0 != 0x80:
		return f, fmt.Errorf("first byte %#x", h[0])
	case h[1]&0x80 != 0:
		return f, fmt.Errorf("a masked frame of a server")
	case f.op != opText && f.op != opClose && f.op != opPing && f.op != opPong:
		return f, fmt.Errorf("opcode %d", f.op)
	case f.op >= opClose && n > 125:
		return f, fmt.Errorf("a control frame of %d bytes", n)
	}
	switch n {
	case 126:
		if _, err := io.ReadFull(c.r, h[:2]); err != nil {
			return f, err
		}
		if n = uint64(binary.BigEndian.Uint16(h[:])); n < 126 {
			return f, fmt.Errorf("%d bytes in the longer form", n)
		}
	case 127:
		if _, err := io.ReadFull(c.r, h[:8]); err != nil {
			return f, err
		}
		if n = binary.BigEndian.Uint64(h[:]); n <= 0xffff || n > 1<<24 {
			return f, fmt.Errorf("%d bytes in the longest form", n)
		}
	}
	f.payload = make([]byte, n)
	_, err := io.ReadFull(c.r, f.payload)
	return f, err
}
