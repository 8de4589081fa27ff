package deploy

import (
	"encoding/binary"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
)

// dns answers questions for addresses, as the one in a container network does: a name is all nodes of a role.
type dns struct {
	conn net.PacketConn
	done chan struct{}

	mu    sync.Mutex // guards the following
	names map[string][]netip.Addr
}

func startDNS(t testing.TB) *dns {
	t.Helper()
	conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d := &dns{conn: conn, done: make(chan struct{}), names: map[string][]netip.Addr{}}
	go d.serve()
	t.Cleanup(func() { _ = conn.Close(); <-d.done })
	return d
}

func (d *dns) addr() string { return d.conn.LocalAddr().String() }

func (d *dns) add(name string, a netip.Addr) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.names[name] = append(d.names[name], a)
}

func (d *dns) remove(name string, a netip.Addr) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.names[name] = slices.DeleteFunc(d.names[name], func(b netip.Addr) bool { return a == b })
}

func (d *dns) serve() {
	defer close(d.done)
	b := make([]byte, 1500)
	for {
		n, from, err := d.conn.ReadFrom(b)
		if err != nil {
			return
		}
		if answer := d.answer(b[:n]); answer != nil {
			_, _ = d.conn.WriteTo(answer, from)
		}
	}
}

// Of RFC 1035 section 4: a message begins with 12 bytes of header, then the question: labels, each behind its length, up
// to one of length 0, then type and class.
const (
	headerSize = 12
	typeA      = 1
	classIN    = 1
	nameError  = 3
)

// answer makes the answer to one question, with the question's own bytes in front; nil for what is none.
func (d *dns) answer(q []byte) []byte {
	var labels []string
	at := headerSize
	for at < len(q) && q[at] != 0 {
		end := at + 1 + int(q[at])
		if end >= len(q) {
			return nil
		}
		labels, at = append(labels, string(q[at+1:end])), end
	}
	if at += 5; at > len(q) { // the last label, type, class
		return nil
	}
	d.mu.Lock()
	addrs := slices.Clone(d.names[strings.ToLower(strings.Join(labels, "."))])
	d.mu.Unlock()
	out := slices.Clone(q[:at])
	out[2], out[3] = 0x85, 0x80 // an answer with authority, recursion available
	if len(addrs) == 0 {
		out[3] |= nameError
	}
	if binary.BigEndian.Uint16(q[at-4:]) != typeA {
		addrs = nil
	}
	clear(out[6:headerSize])
	binary.BigEndian.PutUint16(out[6:], uint16(len(addrs)))
	for _, a := range addrs {
		out = append(out, 0xc0, headerSize)                 // the name of the question
		out = append(out, 0, typeA, 0, classIN, 0, 0, 0, 1) // to be kept 1 s
		out = append(append(out, 0, 4), a.AsSlice()...)
	}
	return out
}
