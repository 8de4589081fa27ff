package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// TestSecondProcessIsRefused: one data folder belongs to one server, whatever way the first one ends.
func TestSecondProcessIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := serve(t, dir)
	c := s.cast()
	s.open(c)
	path := s.place(c, "x")
	_, stderr, code := cli(t, nil, "serve", "--listen", "127.0.0.1:0", "--admin", "", "--data", dir)
	if code != 1 || !strings.Contains(stderr, "in use by another doorbell") || !strings.Contains(stderr, dir) || strings.Count(stderr, "\n") != 1 {
		t.Errorf("%d %q", code, stderr)
	}
	s.do(200, "GET", path, c.customer, nil) // the first did not notice
	s.place(c, "y")
	s.kill()
	serve(t, dir).do(200, "GET", path, c.customer, nil)
}

// TestBackupAndRestore: a backup of a running server holds every order that was answered before it began, whole. It
// serves the same orders from another folder.
func TestBackupAndRestore(t *testing.T) {
	t.Parallel()
	dir, spare := t.TempDir(), t.TempDir()
	s := serve(t, dir, "--unpaid-orders", "0", "--customer-rate", "0")
	c := s.cast()
	s.open(c)
	for i := range 20 {
		path := s.place(c, fmt.Sprint("before-", i))
		s.do(200, "POST", path+"/pay", c.payment, js{"amount": 3000, "transactionId": "t"})
	}
	before := s.all(c)
	file := filepath.Join(spare, "backup.db")

	stop, load := make(chan struct{}), sync.WaitGroup{}
	for w := range 4 { // the server goes on meanwhile
		load.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				if a, err := s.try("POST", "/v1/orders", c.customer, wish(fmt.Sprint("during-", w, "-", i))); err != nil || a.code != 201 {
					t.Errorf("during the backup: %d %s %v", a.code, a.raw, err)
					return
				}
			}
		})
	}
	stdout, stderr, code := cli(t, nil, "backup", "--data", dir, file)
	close(stop)
	load.Wait()
	if code != 0 || !strings.Contains(stdout, file) {
		t.Fatalf("%d %q %q", code, stdout, stderr)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the backup: %v %v", info.Mode(), err)
	}

	t.Run("refusals", func(t *testing.T) {
		for name, args := range map[string][]string{
			"a backup overwrites nothing":         {"backup", "--data", dir, file},
			"a backup of nothing":                 {"backup", "--data", filepath.Join(spare, "none"), filepath.Join(spare, "x.db")},
			"a backup into a folder that is none": {"backup", "--data", dir, filepath.Join(spare, "none", "x.db")},
			"a backup without a name":             {"backup", "--data", dir},
			"a restore into a running server":     {"restore", "--data", dir, file},
			"a restore of nothing":                {"restore", "--data", filepath.Join(spare, "fresh"), filepath.Join(spare, "none.db")},
			"a restore without a name":            {"restore", "--data", filepath.Join(spare, "fresh")},
		} {
			t.Run(name, func(t *testing.T) { refused(t, nil, args...) })
		}
		if _, err := os.Stat(filepath.Join(spare, "x.db")); err == nil {
			t.Error("a failed backup left a file")
		}
		s.place(c, "after the refusals")
	})

	t.Run("into a fresh folder", func(t *testing.T) {
		fresh := filepath.Join(spare, "node2")
		if stdout, stderr, code := cli(t, nil, "restore", "--data", fresh, file); code != 0 || !strings.Contains(stdout, file) {
			t.Fatalf("%d %q %q", code, stdout, stderr)
		}
		two := serve(t, fresh)
		c2 := two.cast() // another folder, another secret
		stored := map[string]order{}
		for _, o := range two.all(c2) {
			stored[o.OrderID] = o
			two.events(c2, o)
		}
		for _, o := range before {
			if got := stored[o.OrderID]; got.Seq != o.Seq || got.Status != o.Status || got.Items[0].Note != o.Items[0].Note {
				t.Errorf("%+v was restored as %+v", o, got)
			}
			was := s.do(200, "GET", "/v1/orders/"+o.OrderID+"/events", c.ops, nil)
			if is := two.do(200, "GET", "/v1/orders/"+o.OrderID+"/events", c2.ops, nil); !bytes.Equal(is.raw, was.raw) {
				t.Errorf("events %s were restored as %s", was.raw, is.raw)
			}
		}
		two.do(200, "POST", "/v1/orders/"+before[0].OrderID+"/confirm", c2.merchant, js{"prepMinutes": 5})
	})

	t.Run("over the old one", func(t *testing.T) {
		s.stop()
		if _, stderr, code := cli(t, nil, "restore", "--data", dir, file); code != 0 {
			t.Fatal(stderr)
		}
		kept, err := filepath.Glob(filepath.Join(dir, "orders.db.before-restore-*"))
		if err != nil || len(kept) != 1 {
			t.Errorf("the old database is kept as %v %v", kept, err)
		}
		back := serve(t, dir)
		if n := len(back.all(c)); n < len(before) { // the tokens still work: the secret is not part of the database
			t.Errorf("%d orders came back, %d were there before the backup", n, len(before))
		}
		for _, o := range back.all(c) {
			if o.Items[0].Note == "after the refusals" {
				t.Error("an order placed after the backup came back")
			}
		}
	})
}

// TestRestoreOfGarbageLeavesTheOldDatabase: whatever is wrong with the file, the orders that were there stay.
func TestRestoreOfGarbageLeavesTheOldDatabase(t *testing.T) {
	t.Parallel()
	dir, spare := t.TempDir(), t.TempDir()
	s := serve(t, dir)
	c := s.cast()
	s.open(c)
	path := s.place(c, "x")
	good := filepath.Join(spare, "good.db")
	if _, stderr, code := cli(t, nil, "backup", "--data", dir, good); code != 0 {
		t.Fatal(stderr)
	}
	s.kill() // with a WAL that is not folded in
	was := listing(t, dir)
	whole, err := os.ReadFile(good)
	if err != nil {
		t.Fatal(err)
	}
	damaged := bytes.Clone(whole)
	for i := len(damaged) / 3; i < len(damaged); i += 97 {
		damaged[i] ^= 0xff
	}
	for name, content := range map[string][]byte{
		"nothing": {}, "text": []byte("these are not the orders"), "zeros": make([]byte, 1<<16), "half": whole[:len(whole)/2], "damaged": damaged,
		"only the head": whole[:100], "only the first page": whole[:4096],
	} {
		file := filepath.Join(spare, "bad.db")
		if err := os.WriteFile(file, content, 0o600); err != nil {
			t.Fatal(err)
		}
		stdout, stderr, code := cli(t, nil, "restore", "--data", dir, file)
		if code != 1 || stdout != "" || !strings.Contains(stderr, file) {
			t.Errorf("%s: %d %q %q", name, code, stdout, stderr)
		}
		if is := listing(t, dir); is != was {
			t.Errorf("%s: the folder was %s and is %s", name, was, is)
		}
	}
	if _, _, code := cli(t, nil, "restore", "--data", dir, spare); code != 1 {
		t.Error("a folder was restored")
	}
	s = serve(t, dir)
	s.do(200, "GET", path, c.customer, nil)
	s.events(c, s.all(c)[0])
}

// listing is the database's files with their sizes and contents in short.
func listing(t *testing.T, dir string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "orders.db*"))
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		var sum uint64
		for _, x := range b {
			sum = sum*1099511628211 + uint64(x)
		}
		fmt.Fprintf(&out, "%s %d %x; ", filepath.Base(f), len(b), sum)
	}
	return out.String()
}
