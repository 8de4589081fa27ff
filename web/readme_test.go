package web_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"doorbell/orders"
	"doorbell/web"
)

// snippet is the README's JavaScript, as a reader copies it.
func snippet(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(b), "```js\n")
	code, _, ended := strings.Cut(rest, "```")
	if !found || !ended {
		t.Fatal("the README has no JavaScript")
	}
	if n := strings.Count(code, "\n"); n > 60 {
		t.Errorf("the snippet has %d lines, more than the 60 that somebody reads", n)
	}
	return code
}

// browserPage shows an order with the snippet and tells the test what it shows.
const browserPage = `<!doctype html><meta charset="utf-8"><script type="module">
%s
watchOrder(%q, () => %q, %q, shown => fetch('/shown', {method: 'POST', body: JSON.stringify(shown)}))
</script>`

func TestReadmeBrowserSnippet(t *testing.T) {
	chromium, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatal("no browser: apt-get install chromium")
	}
	code := snippet(t)
	type seen struct {
		Seq     int64         `json:"seq"`
		Status  orders.Status `json:"status"`
		Payload struct {
			Status orders.Status `json:"status"`
		} `json:"payload"`
	}
	shown := make(chan seen, 64)
	mux := http.NewServeMux()
	page := httptest.NewServer(mux)
	defer page.Close()
	n, c := start(t, func(w *web.Config, _ *orders.Config) { w.Origins = []string{page.URL} }), newCast(t)
	n.restaurant(c, "res_1", nil)
	path := n.order(c, "paid", nil)
	id := strings.TrimPrefix(path, "/v1/orders/")
	mux.HandleFunc("/{$}", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, browserPage, code, n.srv.URL, c.customer, id)
	})
	mux.HandleFunc("POST /shown", func(_ http.ResponseWriter, r *http.Request) {
		var s seen
		if err := json.NewDecoder(r.Body).Decode(&s); err != nil {
			t.Error(err)
		}
		shown <- s
	})

	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	profile, err := os.MkdirTemp("", "doorbell-browser-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(profile) // best effort: the browser's children may still be writing
	cmd := exec.CommandContext(ctx, chromium, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
		"--remote-debugging-port=0", "--user-data-dir="+profile, page.URL)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		cancel()
		_ = cmd.Wait()
	}()

	want := func(seq int64, status orders.Status) {
		t.Helper()
		select {
		case s := <-shown:
			if s.Seq != seq || s.Status != status && s.Payload.Status != status {
				t.Fatalf("the page shows %+v, want seq %d, %s", s, seq, status)
			}
		case <-time.After(30 * time.Second):
			t.Fatalf("the page never shows seq %d", seq)
		}
	}
	acked := func(seq int64) {
		t.Helper()
		for {
			select {
			case got := <-n.acks:
				if got == seq {
					return
				}
			case <-time.After(10 * time.Second):
				t.Fatalf("the page never acknowledges seq %d", seq)
			}
		}
	}
	want(2, orders.Pending)
	n.post(path+"/confirm", c.merchant, map[string]any{"prepMinutes": 10}).want(200)
	want(3, orders.Confirmed)
	acked(3)

	// The node sends the page to another socket (here to itself, since it takes newcomers for some seconds).
	before := n.hub.Sessions()
	drained := make(chan struct{})
	drainCtx, stopDrain := context.WithTimeout(ctx, 2500*time.Millisecond)
	defer stopDrain()
	go func() { defer close(drained); n.hub.Drain(drainCtx, 8*time.Second, 0) }()
	n.post(path+"/prepare", c.merchant, nil).want(200)
	want(4, orders.Preparing)
	<-drained
	if before != 1 || n.hub.Sessions() == 0 {
		t.Errorf("%d sockets before the goaway, %d after: the page was without one", before, n.hub.Sessions())
	}
	n.post(path+"/ready", c.merchant, nil).want(200)
	want(5, orders.Preparing)
	acked(5)
}
