package wsconn_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"strings"
	"syscall"
	"testing"
	"time"

	"doorbell/hub/wire"
	"doorbell/orders"
)

// code is a close frame's payload.
func code(n int, reason string) []byte {
	return append(binary.BigEndian.AppendUint16(nil, uint16(n)), reason...)
}

// closedWithoutAWord is a connection that ended with no close frame.
const closedWithoutAWord = -1

// closed reads up to the hub's close frame, and holds that nothing comes behind it.
func (c *raw) closed(t testing.TB) (status int, reason string) {
	t.Helper()
	_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
	for {
		f, err := c.next()
		if errors.Is(err, io.EOF) {
			return closedWithoutAWord, ""
		}
		if err != nil {
			t.Fatalf("instead of a close frame: %v", err)
		}
		if f.op != opClose {
			continue
		}
		if len(f.payload) > 2 {
			reason = string(f.payload[2:])
		}
		_ = c.send(clientFrame(0x80|opClose, f.payload))
		// What the hub never read of a client that broke the protocol may make the end a reset; the reason came before it.
		if b, err := io.ReadAll(c.r); len(b) > 0 || err != nil && !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("behind the close frame: %x, %v", b, err)
		}
		return f.code(), reason
	}
}

// TestBrokenFrames sends what RFC 6455 forbids. Each is answered with a close frame that the client gets to read.
func TestBrokenFrames(t *testing.T) {
	n := startNode(t, nil)
	token := n.token(orders.RoleOps, "ops_1")
	big := bytes.Repeat([]byte(" "), wire.MaxMessage+1)
	half := big[:len(big)/2+1]
	unmasked := append([]byte{0x81, 0x02}, "{}"...)
	for _, v := range []struct {
		name   string
		send   [][]byte
		code   int
		reason string
	}{
		{"ABinaryMessage", [][]byte{clientFrame(0x80|opBinary, []byte("x"))}, 4400, "binary messages are not understood"},
		{"ABinaryMessageInParts", [][]byte{clientFrame(opBinary, []byte("x"))}, 4400, "binary messages are not understood"},
		{"AnOversizedMessage", [][]byte{clientFrame(0x80|opText, big)}, 1009, "a message may have 32 KiB"},
		{"AnOversizedMessageInParts", [][]byte{clientFrame(opText, half), clientFrame(0x80|opContinue, half)}, 1009, "a message may have 32 KiB"},
		{"AMessageOfExabytes", [][]byte{{0x81, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4}, big}, 1009, "a message may have 32 KiB"},
		{"MegabytesBehindTheEnd", [][]byte{clientFrame(0x80|opText, bytes.Repeat([]byte(" "), 4<<20))}, 1009, "a message may have 32 KiB"},
		{"NoMask", [][]byte{unmasked}, closedWithoutAWord, ""}, // RFC 6455 section 5.1 asks for no more
		{"ACompressedFrame", [][]byte{clientFrame(0xc0|opText, []byte("x"))}, 1002, ""},
		{"AnUnknownOpcode", [][]byte{clientFrame(0x83, []byte("x"))}, 1002, ""},
		{"AnUnknownControlOpcode", [][]byte{clientFrame(0x8b, nil)}, 1002, ""},
		{"ALongPing", [][]byte{clientFrame(0x80|opPing, make([]byte, 126))}, 1002, ""},
		{"APingInParts", [][]byte{clientFrame(opPing, []byte("x"))}, 1002, ""},
		{"AContinuationOfNothing", [][]byte{clientFrame(0x80|opContinue, []byte("x"))}, 1002, ""},
		{"AMessageWithinAMessage", [][]byte{clientFrame(opText, []byte("x")), clientFrame(0x80|opText, []byte("x"))}, 1002, ""},
		{"HalfACloseCode", [][]byte{clientFrame(0x80|opClose, []byte{3})}, 1002, ""},
		{"ACloseCodeThatIsNeverSent", [][]byte{clientFrame(0x80|opClose, code(1006, ""))}, 1002, ""},
		{"AClose", [][]byte{clientFrame(0x80|opClose, code(1000, "bye"))}, 1000, ""},
		{"ACloseWithAPrivateCode", [][]byte{clientFrame(0x80|opClose, code(4123, ""))}, 4123, ""},
		{"ACloseWithoutACode", [][]byte{clientFrame(0x80|opClose, nil)}, 0, ""},
	} {
		t.Run(v.name, func(t *testing.T) {
			s, _, err := dialRaw(n.addr, token, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			done := make(chan struct{})
			go func() { // as it comes: the hub need not read all of it
				defer close(done)
				for _, b := range v.send {
					_ = s.send(b)
				}
			}()
			got, reason := s.closed(t)
			if got != v.code || v.reason != "" && reason != v.reason {
				t.Errorf("closed with %d %q, want %d %q", got, reason, v.code, v.reason)
			}
			<-done
		})
	}
	until(t, 10*time.Second, "the end of every session", func() bool { return n.hub.Sessions() == 0 })
}

// TestUnusualFrames sends what RFC 6455 allows and few clients do.
func TestUnusualFrames(t *testing.T) {
	n := startNode(t, nil)
	token := n.token(orders.RoleOps, "ops_1")
	const line = `{"op":"ping"}`
	ping := func(p string) []byte { return clientFrame(0x80|opPing, []byte(p)) }
	parts := func(split ...string) (b []byte) {
		for i, p := range split {
			head := byte(opContinue)
			if i == 0 {
				head = opText
			}
			if i == len(split)-1 {
				head |= 0x80
			}
			b = append(b, clientFrame(head, []byte(p))...)
		}
		return b
	}
	full := line + strings.Repeat(" ", wire.MaxMessage-len(line))
	for _, v := range []struct {
		name  string
		send  []byte
		pongs int // answers to the line
		pings []string
	}{
		{"AMessageInParts", parts(line[:3], "", line[3:7], line[7:]), 1, nil},
		{"APingWithinAMessage", slicesOf(clientFrame(opText, []byte(line[:5])), ping("in between"), clientFrame(0x80|opContinue, []byte(line[5:]))), 1, []string{"in between"}},
		{"PingsOfEverySize", slicesOf(ping(""), ping("x"), ping(strings.Repeat("y", 125)), text(line)), 1, []string{"", "x", strings.Repeat("y", 125)}},
		{"APongNobodyAskedFor", slicesOf(clientFrame(0x80|opPong, []byte("z")), text(line)), 1, nil},
		{"ManyLinesAndBlankOnes", text("", line, "\r", "  "+line+"  \r", line, ""), 3, nil},
		{"AnEmptyMessage", slicesOf(text(), text(line)), 1, nil},
		{"TheLargestMessage", text(full), 1, nil},
		{"TheLargestMessageInParts", parts(full[:1], full[1:30000], full[30000:]), 1, nil},
		{"ManyMessagesAtOnce", bytes.Repeat(text(line), 50), 50, nil},
		{"LengthsInTheLongestForm", slicesOf([]byte{0x81, 0xff, 0, 0, 0, 0, 0, 0, 0, byte(len(line)), 0, 0, 0, 0}, []byte(line)), 1, nil},
	} {
		for _, way := range []string{"AtOnce", "ByteByByte", "BehindTheHandshake"} {
			if way == "ByteByByte" && len(v.send) > 1000 {
				continue
			}
			t.Run(v.name+"/"+way, func(t *testing.T) {
				var behind []byte
				if way == "BehindTheHandshake" {
					behind = v.send
				}
				s, _, err := dialRaw(n.addr, token, behind)
				if err != nil {
					t.Fatal(err)
				}
				defer s.Close()
				switch way {
				case "AtOnce":
					err = s.send(v.send)
				case "ByteByByte":
					for i := range v.send {
						err = errors.Join(err, s.send(v.send[i:i+1]))
					}
				}
				if err != nil {
					t.Fatal(err)
				}
				_ = s.SetReadDeadline(time.Now().Add(10 * time.Second))
				pongs, pings := 0, v.pings
				for pongs < v.pongs || len(pings) > 0 {
					f, err := s.next()
					if err != nil {
						t.Fatal(err)
					}
					switch f.op {
					case opText:
						pongs += bytes.Count(f.payload, []byte(`{"op":"pong"}`))
						if bytes.Contains(f.payload, []byte(`"op":"error"`)) {
							t.Fatalf("%s", f.payload)
						}
					case opPong:
						if len(pings) == 0 || string(f.payload) != pings[0] {
							t.Fatalf("pong %q", f.payload)
						}
						pings = pings[1:]
					default:
						t.Fatalf("%+v", f)
					}
				}
				if err := s.send(clientFrame(0x80|opClose, code(1001, ""))); err != nil {
					t.Fatal(err)
				}
				if got, _ := s.closed(t); got != 1001 || pongs != v.pongs {
					t.Errorf("closed with %d after %d answers, want %d", got, pongs, v.pongs)
				}
			})
		}
	}
}

func slicesOf(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

// TestBadLines sends what is framed well and says nothing that the hub understands: each is answered, none ends.
func TestBadLines(t *testing.T) {
	n := startNode(t, nil)
	s := watching(n, n.token(orders.RoleOps, "ops_1"))
	s.until(t, wire.OpHello)
	for _, line := range []string{
		`{`, `}`, `null`, `[]`, `7`, `"watch"`, `{}`, `{"op":null}`, `{"op":"WATCH"}`, `{"op":"shout","id":7}`, `{"op":"ping"}{"op":"ping"}`,
		`{"op":"ping","extra":1}`, `{"op":"watch"}`, `{"op":"watch","topics":[]}`, `{"op":"watch","topics":["order/ord_1"]}`,
		`{"op":"watch","topics":[{"topic":"order/ord_1","after":-1}]}`, `{"op":"watch","topics":[{"topic":"order/ord_1","after":1e99}]}`,
		`{"op":"watch","id":"seven","topics":[{"topic":"order/ord_1"}]}`, `{"op":"watch","id":7.5,"topics":[{"topic":"order/ord_1"}]}`,
		`{"op":"unwatch","topics":"order/ord_1"}`, `{"op":"ack","topic":"order/ord_1"}`, `{"op":"ack","topic":"order/ord_1","seq":0}`,
		`{"op":"ack","topic":7,"seq":1}`, `{"op":"token"}`, `{"op":"token","token":7}`, "\x00\xff\xfe", strings.Repeat("[", 10000), strings.Repeat("x", 20000),
	} {
		if err := s.send(text(line)); err != nil {
			t.Fatal(err)
		}
		if f := s.until(t, wire.OpError); f.Kind != orders.Invalid || f.Detail == "" {
			t.Errorf("%.60q: %+v", line, f)
		}
	}
	if err := s.send(text(`{"op":"ping"}`)); err != nil {
		t.Fatal(err)
	}
	s.until(t, wire.OpPong)
}
