package main

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"doorbell/orders"
	"doorbell/web/auth"
)

// binary is the program under test, built once by TestMain, with the race detector if the tests have it.
var binary string

func TestMain(m *testing.M) { os.Exit(buildAndRun(m)) }

func buildAndRun(m *testing.M) int {
	dir, err := os.MkdirTemp("", "doorbell-test-*")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	binary = filepath.Join(dir, "doorbell")
	args := []string{"build", "-o", binary}
	if raced {
		args = append(args, "-race")
	}
	if out, err := exec.Command("go", append(args, ".")...).CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "go build: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// patience is how long a test waits for what should take milliseconds.
const patience = 20 * time.Second

// eventually polls until ok says so, and fails the test after patience with what it says last.
func eventually(t testing.TB, ok func() (bool, string)) {
	t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		yes, why := ok()
		if yes {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("waited %v: %s", patience, why)
		}
	}
}

// cli runs the program to its end and returns what it wrote.
func cli(t testing.TB, env []string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	cmd := exec.Command(binary, args...)
	cmd.Env = append(cleanEnv(), env...)
	cmd.Dir = t.TempDir()
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	late := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	err := cmd.Wait()
	if !late.Stop() {
		t.Fatalf("doorbell %q did not end: %s", args, errs.String())
	}
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// cleanEnv is this process's environment without the program's own variables.
func cleanEnv() (out []string) {
	for _, kv := range os.Environ() {
		if !strings.HasPrefix(kv, envPrefix) {
			out = append(out, kv)
		}
	}
	return out
}

// server is a running `doorbell serve`.
type server struct {
	t      testing.TB
	dir    string
	cmd    *exec.Cmd
	base   string // of the public port
	admin  string // of the admin port, "" = none
	client *http.Client
	exited chan struct{} // closed when the process is gone

	mu    sync.Mutex // guards the following
	lines []string   // of its log
	part  []byte     // of the line being written
}

// Write takes the process's log.
func (s *server) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.part = append(s.part, p...)
	for {
		line, rest, ok := bytes.Cut(s.part, []byte("\n"))
		if !ok {
			return len(p), nil
		}
		s.lines, s.part = append(s.lines, string(line)), bytes.Clone(rest)
	}
}

func (s *server) log() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.lines, "\n")
}

// serve starts a server on a data folder and waits until it listens. Later flags win over the ones it sets.
func serve(t testing.TB, dir string, args ...string) *server {
	t.Helper()
	return serveEnv(t, dir, nil, args...)
}

func serveEnv(t testing.TB, dir string, env []string, args ...string) *server {
	t.Helper()
	s := startEnv(t, dir, env, args...)
	s.await()
	return s
}

// start starts a server and waits for nothing.
func start(t testing.TB, dir string, args ...string) *server {
	t.Helper()
	return startEnv(t, dir, nil, args...)
}

func startEnv(t testing.TB, dir string, env []string, args ...string) *server {
	t.Helper()
	s := &server{t: t, dir: dir, exited: make(chan struct{})}
	s.cmd = exec.Command(binary, append([]string{"serve", "--listen", "127.0.0.1:0", "--admin", "", "--data", dir}, args...)...)
	s.cmd.Env, s.cmd.Dir = append(cleanEnv(), env...), t.TempDir()
	s.cmd.Stdout, s.cmd.Stderr = s, s
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} // a test that panics leaves no process behind
	started := make(chan error)
	go func() {
		runtime.LockOSThread() // Pdeathsig is about the thread
		defer runtime.UnlockOSThread()
		defer close(s.exited)
		err := s.cmd.Start()
		started <- err
		if err == nil {
			_ = s.cmd.Wait()
		}
	}()
	if err := <-started; err != nil {
		t.Fatal(err)
	}
	s.client = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}, Timeout: patience}
	t.Cleanup(func() {
		s.kill()
		s.client.CloseIdleConnections()
		if t.Failed() {
			t.Logf("log of the server on %s:\n%s", dir, tail(s.log(), 60))
		}
		if raced && strings.Contains(s.log(), "WARNING: DATA RACE") {
			t.Errorf("the server has a data race:\n%s", s.log())
		}
	})
	return s
}

// await waits until the server listens.
func (s *server) await() {
	s.t.Helper()
	eventually(s.t, func() (bool, string) {
		select {
		case <-s.exited:
			s.t.Fatalf("serve ended: %s", s.log())
		default:
		}
		line, ok := s.said("serving")
		if !ok {
			return false, "not serving: " + s.log()
		}
		s.base, s.admin = "http://"+line["listen"].(string), ""
		if a, _ := line["admin"].(string); a != "" {
			s.admin = "http://" + a
		}
		return true, ""
	})
}

func tail(text string, n int) string {
	lines := strings.Split(text, "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

// said finds the log line with this message.
func (s *server) said(message string) (map[string]any, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.lines {
		var line map[string]any
		if json.Unmarshal([]byte(l), &line) == nil && line["message"] == message {
			return line, true
		}
	}
	return nil, false
}

// kill ends the process at once, as kill -9 does, and waits for its end.
func (s *server) kill() {
	_ = s.cmd.Process.Kill()
	<-s.exited
}

// signal sends a signal.
func (s *server) signal(sig os.Signal) {
	s.t.Helper()
	if err := s.cmd.Process.Signal(sig); err != nil {
		s.t.Fatal(err)
	}
}

// exit waits for the process's end and returns its code, -1 for one that a signal ended.
func (s *server) exit() int {
	s.t.Helper()
	select {
	case <-s.exited:
	case <-time.After(patience):
		s.t.Fatalf("still running %v later:\n%s", patience, s.log())
	}
	return s.cmd.ProcessState.ExitCode()
}

// stop ends the server as an operator does.
func (s *server) stop() {
	s.t.Helper()
	s.signal(syscall.SIGTERM)
	if code := s.exit(); code != 0 {
		s.t.Errorf("ended with %d:\n%s", code, s.log())
	}
}

// token mints a token with the server's own secret.
func (s *server) token(role orders.Role, sub string, restaurants ...string) string {
	s.t.Helper()
	secret, err := auth.EnsureSecret(s.dir)
	if err != nil {
		s.t.Fatal(err)
	}
	text, err := auth.Mint(secret, auth.Claims{Subject: sub, Role: role, Restaurants: restaurants, ExpiresAt: time.Now().Add(time.Hour)})
	if err != nil {
		s.t.Fatal(err)
	}
	return text
}

type cast struct{ customer, merchant, courier, payment, ops string }

func (s *server) cast() cast {
	s.t.Helper()
	return cast{
		s.token(orders.RoleCustomer, "cus_1"), s.token(orders.RoleMerchant, "mer_1", "res_1"), s.token(orders.RoleCourier, "cou_1"),
		s.token(orders.RolePayment, "pay_1"), s.token(orders.RoleOps, "ops_1"),
	}
}

type js = map[string]any

// answer is what a server said.
type answer struct {
	code   int
	header http.Header
	raw    []byte
}

// order is an answer's body as far as these tests look at it.
type order struct {
	OrderID, Status, TrackingURL, Reason string
	Seq                                  int64
	CreatedAt                            time.Time
	Items                                []struct{ Note string }
	Payment                              struct {
		Status string
		PayBy  time.Time
	}
	Timeline []struct {
		Seq       int64
		EventType string
		At        time.Time
	}
}

func (a answer) into(t testing.TB, v any) {
	t.Helper()
	if err := json.Unmarshal(a.raw, v); err != nil {
		t.Fatalf("%v: %s", err, a.raw)
	}
}

func (a answer) order(t testing.TB) (o order) { t.Helper(); a.into(t, &o); return o }

// try sends a request; it fails when no whole answer came, with what did.
func (s *server) try(method, path, token string, body any, headers ...string) (answer, error) {
	var payload io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return answer{}, err
		}
		payload = bytes.NewReader(b)
	}
	req, err := http.NewRequest(method, s.base+path, payload)
	if err != nil {
		return answer{}, err
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Add(headers[i], headers[i+1])
	}
	res, err := s.client.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	return answer{res.StatusCode, res.Header, raw}, err
}

// do is try where an answer must come, with this code.
func (s *server) do(code int, method, path, token string, body any, headers ...string) answer {
	s.t.Helper()
	a, err := s.try(method, path, token, body, headers...)
	if err != nil {
		s.t.Fatalf("%s %s: %v\n%s", method, path, err, tail(s.log(), 30))
	}
	if a.code != code {
		s.t.Fatalf("%s %s answered %d, want %d: %s", method, path, a.code, code, a.raw)
	}
	return a
}

// open registers res_1.
func (s *server) open(c cast) {
	s.t.Helper()
	if a, err := s.try("PUT", "/v1/restaurants/res_1", c.ops, js{"name": "Golden Wok", "lat": 31.23, "lon": 121.47}); err != nil || a.code/100 != 2 {
		s.t.Fatalf("%d %s %v", a.code, a.raw, err)
	}
}

// wish is an order of 3000 whose line carries this note.
func wish(note string) js {
	return js{
		"restaurantId": "res_1", "paymentMethod": "WECHAT",
		"items":   []js{{"itemId": "rice", "name": "Rice", "unitPrice": 1500, "quantity": 2, "note": note}},
		"address": js{"line": "1 Century Ave", "lat": 31.24, "lon": 121.48},
	}
}

// place places an order and returns its path.
func (s *server) place(c cast, note string) string {
	s.t.Helper()
	return s.do(201, "POST", "/v1/orders", c.customer, wish(note)).header.Get("Location")
}

// all reads every order, as ops.
func (s *server) all(c cast) []order { s.t.Helper(); return s.list(c, "") }

// list reads every order that fits a query such as "&status=PENDING", as ops.
func (s *server) list(c cast, query string) (out []order) {
	s.t.Helper()
	for cursor := ""; ; {
		var page struct {
			Items []order
			Next  string
		}
		s.do(200, "GET", "/v1/orders?limit=200&cursor="+cursor+query, c.ops, nil).into(s.t, &page)
		out = append(out, page.Items...)
		if cursor = page.Next; cursor == "" {
			return out
		}
	}
}

type event struct {
	EventID, EventType string
	Seq                int64
	OccurredAt         time.Time
}

// events reads an order's events and fails the test unless they go from 1 to the order's seq without a gap, each under
// its own id.
func (s *server) events(c cast, o order) (out []event) {
	s.t.Helper()
	var page struct {
		Items []event
		Next  string
	}
	s.do(200, "GET", "/v1/orders/"+o.OrderID+"/events?limit=200", c.ops, nil).into(s.t, &page)
	for i, e := range page.Items {
		if e.Seq != int64(i+1) || e.EventID != fmt.Sprintf("%s:%d", o.OrderID, i+1) {
			s.t.Errorf("event %d of %s is %s with seq %d", i+1, o.OrderID, e.EventID, e.Seq)
		}
	}
	if int64(len(page.Items)) != o.Seq || len(o.Timeline) != len(page.Items) || page.Next != "" {
		s.t.Errorf("%s is at seq %d with %d events and %d in its timeline", o.OrderID, o.Seq, len(page.Items), len(o.Timeline))
	}
	return page.Items
}

// onAdmin is the server's admin port.
func (s *server) onAdmin() *server { return &server{t: s.t, base: s.admin, client: s.client} }

// secure makes the server's client speak TLS, believing this configuration.
func (s *server) secure(cfg *tls.Config, http2 bool) {
	s.client.CloseIdleConnections()
	s.base = strings.Replace(s.base, "http://", "https://", 1)
	var p http.Protocols
	p.SetHTTP1(!http2)
	p.SetHTTP2(http2)
	s.client = &http.Client{Transport: &http.Transport{TLSClientConfig: cfg.Clone(), Protocols: &p}, Timeout: patience}
}
