package proxytest_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"doorbell/hub/bus/proxytest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	patience = 10 * time.Second
	moment   = 50 * time.Millisecond // long enough for a byte that should not come to come
)

// listen runs a server that does the same with every connection, and ends with the test.
func listen(t *testing.T, each func(net.Conn)) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() { defer c.Close(); each(c) })
		}
	})
	t.Cleanup(func() { _ = l.Close(); all.Wait() })
	return l.Addr().String()
}

// echo sends back each line with a name before it.
func echo(name string) func(net.Conn) {
	return func(c net.Conn) {
		for r := bufio.NewScanner(c); r.Scan(); {
			if _, err := fmt.Fprintf(c, "%s %s\n", name, r.Text()); err != nil {
				return
			}
		}
	}
}

type conn struct {
	t *testing.T
	net.Conn
	r *bufio.Reader
}

func dial(t *testing.T, p *proxytest.Proxy) *conn {
	t.Helper()
	c, err := net.Dial("tcp", p.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return &conn{t, c, bufio.NewReader(c)}
}

func (c *conn) say(line string) {
	c.t.Helper()
	if _, err := io.WriteString(c, line+"\n"); err != nil {
		c.t.Fatal(err)
	}
}

func (c *conn) hear(want string) {
	c.t.Helper()
	_ = c.SetReadDeadline(time.Now().Add(patience))
	if got, err := c.r.ReadString('\n'); got != want+"\n" {
		c.t.Fatalf("heard %q, %v, want %q", got, err, want)
	}
}

// silent fails the test if anything comes, the end of the connection included.
func (c *conn) silent() {
	c.t.Helper()
	_ = c.SetReadDeadline(time.Now().Add(moment))
	if got, err := c.r.ReadString('\n'); !errors.Is(err, os.ErrDeadlineExceeded) {
		c.t.Fatalf("heard %q, %v, want nothing", got, err)
	}
}

// ended waits for the connection's end.
func (c *conn) ended() error {
	c.t.Helper()
	_ = c.SetReadDeadline(time.Now().Add(patience))
	_, err := io.ReadAll(c.r)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		c.t.Fatal("still open")
	}
	return err
}

func gone(t *testing.T, p *proxytest.Proxy) {
	t.Helper()
	for end := time.Now().Add(patience); p.Conns() > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d connections are left", p.Conns())
		}
	}
}

func TestForward(t *testing.T) {
	p := proxytest.New(t, listen(t, echo("a")))
	c := dial(t, p)
	c.say("1")
	c.hear("a 1")

	p.SetTarget(listen(t, echo("b")))
	d := dial(t, p)
	d.say("2")
	d.hear("b 2")
	c.say("3") // stays where it was
	c.hear("a 3")
	if p.Made() != 2 || p.Conns() != 2 {
		t.Errorf("%d made, %d open", p.Made(), p.Conns())
	}
	_ = c.Close()
	if err := d.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if err := d.ended(); err != nil {
		t.Error(err)
	}
	gone(t, p)
}

func (c *conn) CloseWrite() error { return c.Conn.(*net.TCPConn).CloseWrite() }

// The end of one half leaves the other half alone, and what is on its way comes before the end.
func TestHalfClose(t *testing.T) {
	p := proxytest.New(t, listen(t, func(c net.Conn) {
		all, _ := io.ReadAll(c)
		_, _ = fmt.Fprintf(c, "%d\n", len(all))
	}))
	p.Delay(moment)
	c := dial(t, p)
	if _, err := c.Write(make([]byte, 1<<20)); err != nil {
		t.Fatal(err)
	}
	_ = c.CloseWrite()
	c.hear("1048576")
	if err := c.ended(); err != nil {
		t.Error(err)
	}
	gone(t, p)
}

func TestNobodyIsThere(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	p := proxytest.New(t, l.Addr().String())
	refused(t, p)
}

// refused wants a connection that is reset, be it before the dial is over or after.
func refused(t *testing.T, p *proxytest.Proxy) {
	t.Helper()
	c, err := net.Dial("tcp", p.Addr())
	if err == nil {
		defer c.Close()
		_ = c.SetDeadline(time.Now().Add(patience))
		_, err = io.ReadAll(c)
	}
	if !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("ended with %v", err)
	}
}

func TestCut(t *testing.T) {
	p := proxytest.New(t, listen(t, echo("a")))
	c := dial(t, p)
	c.say("1")
	c.hear("a 1")
	p.Cut()
	_ = c.ended()
	refused(t, p)
	p.Heal()
	d := dial(t, p)
	d.say("2")
	d.hear("a 2")
}

func TestReset(t *testing.T) {
	server := make(chan error, 1)
	p := proxytest.New(t, listen(t, func(c net.Conn) {
		_, err := io.Copy(c, c)
		select {
		case server <- err:
		default:
		}
	}))
	c := dial(t, p)
	c.say("1")
	c.hear("1")
	p.Reset()
	if err := c.ended(); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the client's end: %v", err)
	}
	if err := <-server; !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the server's end: %v", err)
	}
	d := dial(t, p)
	d.say("2")
	d.hear("2")
}

func TestBlackHole(t *testing.T) {
	p := proxytest.New(t, listen(t, echo("a")))
	c, left := dial(t, p), dial(t, p)
	for _, x := range []*conn{c, left} {
		x.say("1")
		x.hear("a 1")
	}
	p.BlackHole()
	c.say("2")
	c.silent()
	d := dial(t, p)
	d.say("3")
	d.silent()
	_ = left.Close()
	c.silent()
	if p.Conns() != 3 {
		t.Errorf("%d connections, want all three: an end does not pass either", p.Conns())
	}
	p.Heal()
	c.hear("a 2")
	d.hear("a 3")
	p.BlackHole()
	c.say("4")
	p.Cut() // from one fault into the next
	_ = c.ended()
}

func TestDelay(t *testing.T) {
	const delay = 60 * time.Millisecond
	p := proxytest.New(t, listen(t, echo("a")))
	p.Delay(delay)
	c := dial(t, p)
	start := time.Now()
	for i := range 50 {
		c.say(fmt.Sprint(i))
	}
	for i := range 50 {
		c.hear(fmt.Sprint("a ", i))
	}
	if took := time.Since(start); took < 2*delay || took > 20*delay {
		t.Errorf("took %v, want both ways once: %v", took, 2*delay)
	}
	p.Delay(time.Hour)
	c.say("x")
	c.silent()
	p.Heal()
	c.hear("a x")
}

// Replies of every kind, as a server writes them.
var replies = []string{
	"+OK\r\n", "-ERR no\r\n", ":12\r\n", "$-1\r\n", "*-1\r\n", "$0\r\n\r\n", "*0\r\n", "$5\r\na\r\nb\n\r\n",
	"*2\r\n*1\r\n:1\r\n$1\r\nx\r\n", "%1\r\n+k\r\n*1\r\n:2\r\n", "|1\r\n+k\r\n+v\r\n:3\r\n", "_\r\n", "#t\r\n", ",1.5\r\n",
	"*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$4\r\n1\r\n2\r\n", ">3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\n3\r\n",
}

func TestOnReply(t *testing.T) {
	p := proxytest.New(t, listen(t, func(c net.Conn) {
		for _, b := range []byte(strings.Join(replies, "")) { // in pieces as small as can be
			if _, err := c.Write([]byte{b}); err != nil {
				return
			}
		}
	}))
	var mu sync.Mutex // the test's own: got is read by it, too
	var got []string
	p.OnReply(func(reply []byte, conn int) [][]byte {
		mu.Lock()
		defer mu.Unlock()
		got = append(got, string(reply))
		switch _, payload, ok := proxytest.Message(reply); {
		case !ok:
			return nil // dropped
		case string(payload) == "3":
			return [][]byte{[]byte("3"), []byte(fmt.Sprint(conn)), []byte("\n")}
		}
		return [][]byte{reply, reply}
	})
	for n := range 2 {
		c := dial(t, p)
		message := replies[len(replies)-2]
		all, err := io.ReadAll(c)
		if want := fmt.Sprint(message, message, "3", n+1, "\n"); string(all) != want || err != nil {
			t.Errorf("the client heard %q, %v, want %q", all, err, want)
		}
		mu.Lock()
		if !slices.Equal(got, replies) {
			t.Errorf("cut into %q", got)
		}
		got = nil
		mu.Unlock()
	}
}

// A connection that went through Pass can be broken later; one from before cannot.
func TestOnReplyLater(t *testing.T) {
	p := proxytest.New(t, listen(t, func(c net.Conn) {
		for r := bufio.NewScanner(c); r.Scan(); {
			if _, err := fmt.Fprintf(c, "+%s\r\n", r.Text()); err != nil {
				return
			}
		}
	}))
	before := dial(t, p)
	before.say("1")
	before.hear("+1\r")
	p.OnReply(proxytest.Pass)
	c := dial(t, p)
	c.say("1")
	c.hear("+1\r")
	p.OnReply(func([]byte, int) [][]byte { return nil })
	c.say("2")
	c.silent()
	before.say("2")
	before.hear("+2\r")
	p.Heal()
	c.say("3")
	c.hear("+3\r")
}

func TestOtherProtocolIsClosed(t *testing.T) {
	p := proxytest.New(t, listen(t, func(c net.Conn) { _, _ = io.WriteString(c, "hello\n"); _, _ = io.ReadAll(c) }))
	p.OnReply(proxytest.Pass)
	if all, _ := io.ReadAll(dial(t, p)); len(all) > 0 {
		t.Errorf("passed %q", all)
	}
}

// Everything at once, for the race detector; and Close leaves nothing behind.
func TestRace(t *testing.T) {
	p, err := proxytest.Open(listen(t, echo("+a")))
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	end := time.Now().Add(300 * time.Millisecond)
	for range 8 {
		all.Go(func() {
			for time.Now().Before(end) {
				c, err := net.Dial("tcp", p.Addr())
				if err != nil {
					continue
				}
				_ = c.SetDeadline(time.Now().Add(20 * time.Millisecond))
				_, _ = io.WriteString(c, "x\n")
				_, _ = bufio.NewReader(c).ReadString('\n')
				_ = c.Close()
			}
		})
	}
	for time.Now().Before(end) {
		for _, f := range []func(){p.Reset, p.BlackHole, p.Heal, p.Cut, p.Heal, func() { p.Delay(time.Millisecond) }, func() { p.OnReply(proxytest.Pass) }} {
			f()
			time.Sleep(time.Millisecond)
		}
	}
	p.BlackHole()
	p.Close()
	all.Wait()
	if p.Conns() != 0 {
		t.Errorf("%d connections are left", p.Conns())
	}
}
