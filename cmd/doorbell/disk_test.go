package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
)

// TestFullDisk: when the disk is full, changes answer 503 with a problem body and Retry-After, reads go on, nothing is half
// written, and once there is room it writes again by itself.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	t.Run("a small disk", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=3m"); err != nil {
			t.Skipf("needs the right to mount a tmpfs (%v); the other subtest stands in for it", err)
		}
		t.Cleanup(func() {
			if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
				t.Error(err)
			}
		})
		filler := filepath.Join(dir, "somebody else's file")
		fullDisk(t, dir, func(*server) {
			f, err := os.OpenFile(filler, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			if _, err := io.Copy(f, zeros{}); !errors.Is(err, syscall.ENOSPC) {
				t.Fatalf("filling the disk: %v", err)
			}
		}, func(*server) {
			if err := os.Remove(filler); err != nil {
				t.Fatal(err)
			}
		})
	})
	t.Run("a limit on the size of files", func(t *testing.T) {
		t.Parallel()
		limit := func(s *server, bytes string) {
			out, err := exec.Command("prlimit", "--pid", strconv.Itoa(s.cmd.Process.Pid), "--fsize="+bytes+":").CombinedOutput()
			if err != nil {
				t.Fatalf("prlimit: %v %s", err, out)
			}
		}
		if _, err := exec.LookPath("prlimit"); err != nil {
			t.Fatal("no prlimit: apt-get install util-linux")
		}
		fullDisk(t, t.TempDir(), func(s *server) { limit(s, "1024") }, func(s *server) { limit(s, "unlimited") })
	})
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// fullDisk runs a server on dir through a time without room.
func fullDisk(t *testing.T, dir string, fill, free func(*server)) {
	s := serve(t, dir, "--unpaid-orders", "0", "--customer-rate", "0")
	c := s.cast()
	s.open(c)
	var last answer
	told := map[string]int64{} // by order: the seq that was answered
	place := func(note string) bool {
		a, err := s.try("POST", "/v1/orders", c.customer, wish(note), "Idempotency-Key", note)
		if err != nil {
			t.Fatalf("%v\n%s", err, tail(s.log(), 20))
		}
		if last = a; a.code == 201 {
			o := a.order(t)
			told[o.OrderID] = o.Seq
			return true
		}
		if a.code != 503 {
			t.Fatalf("answered %d: %s", a.code, a.raw)
		}
		return false
	}
	for i := range 20 {
		if !place(fmt.Sprint("before-", i)) {
			t.Fatalf("the disk is full already: %s", last.raw)
		}
	}
	for round := range 2 {
		fill(s)
		n := 0 // what is left of pages that were there already is used first
		eventually(t, func() (bool, string) { n++; return !place(fmt.Sprint("full-", round, "-", n)), "still writes" })
		var p struct {
			Type, Title, Detail, Kind string
			Status                    int
		}
		last.into(t, &p)
		if after, err := strconv.Atoi(last.header.Get("Retry-After")); err != nil || after < 1 || p.Kind != "unavailable" || p.Status != 503 || p.Detail == "" ||
			last.header.Get("Content-Type") != "application/problem+json" || last.header.Get("Cache-Control") != "no-store" {
			t.Errorf("%v %s", last.header, last.raw)
		}
		for id, seq := range told {
			if o := s.do(200, "GET", "/v1/orders/"+id, c.customer, nil).order(t); o.Seq != seq {
				t.Errorf("%s was answered at seq %d and reads %d", id, seq, o.Seq)
			}
			a, err := s.try("POST", "/v1/orders/"+id+"/pay", c.payment, js{"amount": 3000, "transactionId": "t"})
			if err != nil || a.code != 503 && a.code != 200 {
				t.Errorf("paying answered %d %s %v", a.code, a.raw, err)
			}
			if a.code == 200 {
				told[id] = a.order(t).Seq
			}
		}
		s.all(c)
		s.do(200, "GET", "/livez", "", nil)
		if a, err := s.try("GET", "/readyz", "", nil); err != nil || a.code != 503 && a.code != 200 { // 200: a page was left after all
			t.Errorf("/readyz: %d %s %v", a.code, a.raw, err)
		}
		free(s)
		eventually(t, func() (bool, string) {
			return place(fmt.Sprint("again-", round)), fmt.Sprintf("does not write again: %s", last.raw)
		})
		s.do(200, "GET", "/readyz", "", nil)
	}
	check := func(s *server) {
		t.Helper()
		stored := map[string]order{}
		for _, o := range s.all(c) {
			s.events(c, o)
			stored[o.OrderID] = o
		}
		for id, seq := range told {
			if stored[id].Seq < seq {
				t.Errorf("%s was answered at seq %d and is at %d", id, seq, stored[id].Seq)
			}
		}
		notes := map[string]bool{}
		for _, o := range stored {
			if notes[o.Items[0].Note] {
				t.Errorf("two orders under the key %s", o.Items[0].Note)
			}
			notes[o.Items[0].Note] = true
		}
	}
	check(s)
	s.kill()
	s = serve(t, dir)
	check(s)
	for id := range told { // every order can go on
		s.do(200, "POST", "/v1/orders/"+id+"/cancel", c.customer, js{"reason": "CUSTOMER_CANCELLED"})
	}
	check(s)
	s.stop()
}
