package main

import (
	"bytes"
	"context"
	"net/http"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// testConfig is the default configuration with every port free and the data in a folder of the test's.
func testConfig(t *testing.T) *config {
	t.Helper()
	cfg, err := configFrom(nil)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Listen, cfg.Admin, cfg.Data = "127.0.0.1:0", "127.0.0.1:0", t.TempDir()
	return cfg
}

// TestAppLeavesNothingBehind: neither goroutines nor a locked folder or a taken port, however it ends. Not parallel: it
// counts this process's goroutines.
func TestAppLeavesNothingBehind(t *testing.T) {
	before := goleak.IgnoreCurrent()
	cfg := testConfig(t)
	for range 2 { // the second finds folder and ports free
		ctx, cancel := context.WithCancel(context.Background())
		a, err := newApp(ctx, cfg, newLog(t.Output()))
		if err != nil {
			t.Fatal(err)
		}
		cfg.Listen, cfg.Admin = a.addr(), a.adminAddr()
		ended := make(chan error)
		go func() { ended <- a.run(ctx) }()
		client := &http.Client{Transport: &http.Transport{}, Timeout: patience}
		for _, url := range []string{"http://" + a.addr() + "/readyz", "http://" + a.adminAddr() + "/metrics"} {
			res, err := client.Get(url)
			if err != nil {
				t.Fatal(err)
			}
			_ = res.Body.Close()
			if res.StatusCode != 200 {
				t.Errorf("%s answered %s", url, res.Status)
			}
		}
		client.CloseIdleConnections()
		cancel()
		select {
		case err := <-ended:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(patience):
			t.Fatal("does not end")
		}
	}
	t.Run("when it cannot start", func(t *testing.T) {
		a, err := newApp(context.Background(), cfg, newLog(t.Output()))
		if err != nil {
			t.Fatal(err)
		}
		defer a.close()
		other := *cfg
		other.Data = t.TempDir()
		var log bytes.Buffer
		if _, err := newApp(context.Background(), &other, newLog(&log)); err == nil { // its port is taken
			t.Fatal("took a port in use")
		}
		other.Listen, other.Admin = "127.0.0.1:0", "127.0.0.1:0"
		b, err := newApp(context.Background(), &other, newLog(&log)) // and its folder is free again
		if err != nil {
			t.Fatal(err)
		}
		b.close()
		b.close()
	})
	goleak.VerifyNone(t, before)
}
