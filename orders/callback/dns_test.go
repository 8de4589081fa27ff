package callback

import (
	"context"
	"encoding/binary"
	"net"
	"sync"
	"sync/atomic"
	"testing"
)

// names is a name server on loopback: answer says which address a look-up of IPv4 gets, by how many there were before.
// nil: it never answers.
func names(t *testing.T, answer func(n int) net.IP) *net.Resolver {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	var mu sync.Mutex
	var asking []net.Conn
	t.Cleanup(func() {
		_ = conn.Close()
		<-ended
		mu.Lock()
		defer mu.Unlock()
		for _, c := range asking { // a resolver goes on for seconds when nobody waits for it any more
			_ = c.Close()
		}
	})
	var asked atomic.Int64
	go func() {
		defer close(ended)
		b := make([]byte, 1500)
		for {
			n, from, err := conn.ReadFrom(b)
			if err != nil {
				return
			}
			if answer == nil {
				continue
			}
			_, _ = conn.WriteTo(dnsAnswer(b[:n], func() net.IP { return answer(int(asked.Add(1)) - 1) }), from)
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		c, err := d.DialContext(ctx, "udp", conn.LocalAddr().String())
		if err == nil {
			mu.Lock()
			defer mu.Unlock()
			asking = append(asking, c)
		}
		return c, err
	}}
}

// dnsAnswer answers a question (RFC 1035, section 4): an A record of no lifetime, or nothing for other types.
func dnsAnswer(q []byte, ip func() net.IP) []byte {
	end := 12
	for q[end] != 0 { // labels
		end += int(q[end]) + 1
	}
	end += 5 // the root label, type and class
	a := append([]byte{q[0], q[1], 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0}, q[12:end]...)
	if binary.BigEndian.Uint16(q[end-4:]) == 1 {
		a[7] = 1
		a = append(a, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4)
		a = append(a, ip().To4()...)
	}
	return a
}
