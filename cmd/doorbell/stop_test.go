package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"
)

// slowRequest is a POST /orders whose body has not come whole.
type slowRequest struct {
	conn net.Conn
	rest string
}

// slow begins a POST /orders and keeps half of its body back.
func (s *server) slow(c cast, note string) slowRequest {
	s.t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.base, "http://"))
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = conn.Close() })
	body, err := json.Marshal(wish(note))
	if err != nil {
		s.t.Fatal(err)
	}
	half := len(body) / 2
	_, err = fmt.Fprintf(conn, "POST /v1/orders HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
		c.customer, len(body), body[:half])
	if err != nil {
		s.t.Fatal(err)
	}
	return slowRequest{conn, string(body[half:])}
}

// finish sends the rest and reads the answer.
func (r slowRequest) finish(t *testing.T) *http.Response {
	t.Helper()
	if _, err := r.conn.Write([]byte(r.rest)); err != nil {
		t.Fatal(err)
	}
	_ = r.conn.SetReadDeadline(time.Now().Add(patience))
	res, err := http.ReadResponse(bufio.NewReader(r.conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// flying waits until so many requests are under way.
func (s *server) flying(n int) {
	s.t.Helper()
	want := fmt.Sprintf("\ndoorbell_web_requests_in_flight %d\n", n)
	eventually(s.t, func() (bool, string) {
		text := s.scrape()
		return strings.Contains(text, want), "not in flight: " + want
	})
}

// scrape reads /metrics.
func (s *server) scrape() string {
	s.t.Helper()
	return string(s.onAdmin().do(200, "GET", "/metrics", "", nil).raw)
}

// TestTermEndsCleanly: at SIGTERM no new connection is taken, the request under way is finished, the long-poll is answered
// at once, and the process ends with 0 well before the drain is over.
func TestTermEndsCleanly(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := serve(t, dir, "--admin", "127.0.0.1:0", "--drain", "15s")
	c := s.cast()
	s.open(c)
	path := s.place(c, "waiting")
	poll := make(chan answer, 1)
	go func() {
		a, err := s.try("GET", path, c.customer, nil, "If-None-Match", `"1"`, "Prefer", "wait=60")
		if err != nil {
			t.Error(err)
		}
		poll <- a
	}()
	slow := s.slow(c, "slow")
	s.flying(2)
	told := time.Now()
	s.signal(syscall.SIGTERM)
	if a := <-poll; a.code != 304 {
		t.Errorf("the long-poll was answered %d %s", a.code, a.raw)
	}
	eventually(t, func() (bool, string) {
		conn, err := net.Dial("tcp", strings.TrimPrefix(s.base, "http://"))
		if err == nil {
			_ = conn.Close()
		}
		return err != nil, "new connections are still taken"
	})
	select {
	case <-s.exited:
		t.Fatalf("ended with a request under way:\n%s", s.log())
	default:
	}
	res := slow.finish(t)
	if res.StatusCode != 201 {
		t.Errorf("the request under way was answered %s", res.Status)
	}
	if code := s.exit(); code != 0 {
		t.Errorf("ended with %d:\n%s", code, s.log())
	}
	if took := time.Since(told); took > 10*time.Second {
		t.Errorf("it took %v", took)
	}
	if strings.Contains(s.log(), `"level":"error"`) {
		t.Errorf("an error was logged:\n%s", s.log())
	}
	back := serve(t, dir)
	back.do(200, "GET", res.Header.Get("Location"), c.customer, nil)
	back.do(200, "GET", path, c.customer, nil)
}

// TestInterruptEndsCleanly: Ctrl-C does the same, and an idle server ends at once.
func TestInterruptEndsCleanly(t *testing.T) {
	t.Parallel()
	s := serve(t, t.TempDir())
	c := s.cast()
	s.open(c)
	s.place(c, "x") // leaves an idle kept connection
	told := time.Now()
	s.signal(syscall.SIGINT)
	if code := s.exit(); code != 0 || time.Since(told) > 5*time.Second {
		t.Errorf("ended with %d after %v:\n%s", code, time.Since(told), s.log())
	}
}

// TestSecondSignalEndsAtOnce: whatever is under way.
func TestSecondSignalEndsAtOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := serve(t, dir, "--admin", "127.0.0.1:0", "--drain", "5m")
	c := s.cast()
	s.open(c)
	path := s.place(c, "x")
	s.slow(c, "never finished")
	s.flying(1)
	s.signal(syscall.SIGTERM)
	eventually(t, func() (bool, string) {
		_, err := net.DialTimeout("tcp", strings.TrimPrefix(s.base, "http://"), time.Second)
		return err != nil, "not draining"
	})
	select {
	case <-s.exited:
		t.Fatal("the first signal ended it with a request under way")
	default:
	}
	eventually(t, func() (bool, string) { // a signal between the first one and its handling would be the same one
		_ = s.cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-s.exited:
			return true, ""
		default:
			return false, "the second signal does not end it"
		}
	})
	serve(t, dir).do(200, "GET", path, c.customer, nil)
}
