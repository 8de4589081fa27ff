package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rsc.io/qr"

	"doorbell/web/api"
)

// TestDeviceCommand: it asks the server as ops, and prints each app's settings with a code that says the same.
func TestDeviceCommand(t *testing.T) {
	t.Parallel()
	made := api.NewDevice{DeviceID: "dev_1", Token: "dvc_secret", Apps: []api.AppSettings{
		{App: "traccar", Link: "https://bell.example/v1/ingest/osmand/dvc_secret?id=cou_1"},
		{App: "gpslogger", Link: "https://bell.example/v1/ingest/gpslogger", Username: "cou_1", Password: "dvc_secret", File: api.AppFile{Text: "all=of it"}},
	}}
	var asked, token string
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked, token = r.Method+" "+r.URL.Path, strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
		if strings.Contains(r.URL.Path, "cou_9") {
			w.WriteHeader(429)
			_, _ = w.Write([]byte(`{"detail":"this courier has 10 devices"}`))
			return
		}
		w.WriteHeader(201)
		_ = json.NewEncoder(w).Encode(made)
	}))
	defer srv.Close()
	dir := t.TempDir()
	run := func(args ...string) (string, error) {
		var out bytes.Buffer
		cmd := deviceCommand(map[string]string{})
		cmd.SetArgs(append([]string{"--server", srv.URL + "/", "--data", dir}, args...))
		cmd.SetOut(&out)
		cmd.SetErr(&out)
		cmd.SilenceUsage, cmd.SilenceErrors = true, true
		err := cmd.ExecuteContext(t.Context())
		return out.String(), err
	}
	out, err := run("--courier", "cou_1", "--name", "old phone")
	if err != nil || asked != "POST /v1/couriers/cou_1/devices" || strings.Count(token, ".") != 2 {
		t.Fatal(out, err, asked)
	}
	for _, want := range []string{"dev_1", "dvc_secret", made.Apps[0].Link, drawn(t, made.Apps[0].Link), "user cou_1, password dvc_secret", drawn(t, "all=of it")} {
		if !strings.Contains(out, want) {
			t.Errorf("no %s in\n%s", want, out)
		}
	}
	if out, err = run("--courier", "cou_1", "--app", "gpslogger"); err != nil || strings.Contains(out, "osmand") || !strings.Contains(out, "gpslogger") {
		t.Error(out, err)
	}
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte("a.b.c\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err = run("--courier", "cou_1", "--token-file", file); err != nil || token != "a.b.c" {
		t.Error(err, token)
	}
	for _, bad := range []struct {
		args []string
		want string
	}{
		{nil, "courier"},
		{[]string{"--courier", "cou_1", "--app", "waze"}, "none of owntracks"},
		{[]string{"--courier", "cou_9"}, "this courier has 10 devices"},
		{[]string{"--courier", "cou_1", "--token-file", file + "x"}, "--token-file"},
		{[]string{"--courier", "cou_1", "--server", "http://127.0.0.1:1"}, "is doorbell serve running there?"},
	} {
		if out, err := run(bad.args...); err == nil || !strings.Contains(err.Error(), bad.want) {
			t.Errorf("%v: %v\n%s", bad.args, err, out)
		}
	}
}

// drawn is a code as the terminal shows it.
func drawn(t *testing.T, text string) string {
	t.Helper()
	code, err := qr.Encode(text, qr.L)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	drawCode(&out, code)
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if want := (code.Size + 9) / 2; len(lines) != want {
		t.Errorf("%d lines, want %d", len(lines), want)
	}
	return out.String()
}
