package wsconn_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"doorbell/orders"
	"doorbell/web/auth"
)

// maxPerConnection is what an idle watching connection may add to the server's resident memory, in bytes.
const maxPerConnection = 14 << 10

// BenchmarkServeRSS measures what 10,000 idle sockets, each watching the order of a customer of its own, add to the
// resident memory of a real `doorbell serve` process 20 s after the last one connected, with no collection forced.
// DOORBELL_BIN names the binary, DOORBELL_SOCKETS how many; without them it is built, and they are 10,000.
func BenchmarkServeRSS(b *testing.B) {
	n := 10_000
	if s := os.Getenv("DOORBELL_SOCKETS"); s != "" {
		n, _ = strconv.Atoi(s)
	}
	bin := os.Getenv("DOORBELL_BIN")
	if bin == "" {
		bin = filepath.Join(b.TempDir(), "doorbell")
		if out, err := exec.Command("go", "build", "-o", bin, "doorbell/cmd/doorbell").CombinedOutput(); err != nil {
			b.Fatalf("%v\n%s", err, out)
		}
	}
	data := b.TempDir()
	secret := bytes.Repeat([]byte("k"), auth.MinSecret)
	if err := os.WriteFile(filepath.Join(data, "key"), secret, 0o600); err != nil {
		b.Fatal(err)
	}
	first := startServe(b, bin, data)
	lines := placeOrders(b, first.addr, secret, n)
	first.stop()

	for b.Loop() {
		s := startServe(b, bin, data) // anew, so that nothing of placing the orders can be used again
		before := s.rss(b)
		stop := startClients(b, s.addr, lines)
		time.Sleep(20 * time.Second) // what is measured is the state some time after
		after := s.rss(b)
		per := float64(after-before) / float64(n)
		b.ReportMetric(per, "RSS-bytes/conn")
		b.ReportMetric(float64(before)/1e6, "RSS-MB-before")
		b.Logf("%.0f bytes a connection, %d MB before", per, before>>20)
		if at := os.Getenv("DOORBELL_PROFILE"); at != "" {
			s.profile(b, "/metrics", filepath.Join(at, "metrics.txt"))
			for _, name := range []string{"allocs", "goroutine", "heap?gc=1"} {
				s.profile(b, name, filepath.Join(at, strings.TrimSuffix(name, "?gc=1")+".pb.gz"))
			}
			s.profile(b, "/metrics", filepath.Join(at, "metrics-after-gc.txt"))
		}
		if per > maxPerConnection {
			b.Errorf("an idle watching connection adds %.0f bytes, more than %d", per, maxPerConnection)
		}
		stop()
		s.stop()
	}
}

// serve is a running server process.
type serve struct {
	cmd         *exec.Cmd
	addr, admin string
	stop        func()
}

func startServe(b testing.TB, bin, data string, flags ...string) *serve {
	b.Helper()
	admin := freeAddr(b)
	cmd := exec.Command(bin, append([]string{
		"serve", "--listen", "127.0.0.1:0", "--admin", admin, "--data", data,
		"--jwt-secret-file", filepath.Join(data, "key"), "--customer-rate", "0", "--unpaid-orders", "0", "--drain", "1s",
	}, flags...)...)
	log, err := cmd.StderrPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	s := &serve{cmd: cmd, admin: admin}
	s.stop = sync.OnceFunc(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
	})
	b.Cleanup(s.stop)
	r := bufio.NewReader(log)
	for s.addr == "" {
		line, err := r.ReadBytes('\n')
		if err != nil {
			b.Fatalf("serve ended: %v", err)
		}
		var said struct{ Message, Listen string }
		if json.Unmarshal(line, &said) == nil && said.Message == "serving" {
			s.addr = said.Listen
		}
	}
	go func() { _, _ = io.Copy(io.Discard, r) }()
	return s
}

// freeAddr is an address nobody listens on just now.
func freeAddr(b testing.TB) string {
	b.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// rss is the process's resident memory in bytes.
func (s *serve) rss(b testing.TB) int64 {
	b.Helper()
	return residentOf(b, s.cmd.Process.Pid)
}

// residentOf is VmRSS of a process, in bytes.
func residentOf(b testing.TB, pid int) int64 {
	b.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		b.Skip("no /proc on this system: ", err)
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kb, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			if err != nil {
				b.Fatal(err)
			}
			return kb << 10
		}
	}
	b.Fatal("no VmRSS")
	return 0
}

func (s *serve) profile(b testing.TB, name, file string) {
	b.Helper()
	path := "/debug/pprof/" + name
	if strings.HasPrefix(name, "/") {
		path = name
	}
	res, err := http.Get("http://" + s.admin + path)
	if err != nil {
		b.Log(err)
		return
	}
	defer res.Body.Close()
	body, _ := io.ReadAll(res.Body)
	if err := os.WriteFile(file, body, 0o600); err != nil {
		b.Log(err)
	}
}

// placeOrders has n customers place an order each, and returns their lines "token topic".
func placeOrders(b testing.TB, addr string, secret []byte, n int) []string {
	b.Helper()
	mint := func(role orders.Role, sub string) string {
		token, err := auth.Mint(secret, auth.Claims{Subject: sub, Role: role, ExpiresAt: time.Now().Add(time.Hour)})
		if err != nil {
			b.Fatal(err)
		}
		return token
	}
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	defer client.CloseIdleConnections()
	call := func(method, path, token, body string) ([]byte, error) {
		req, err := http.NewRequest(method, "http://"+addr+path, strings.NewReader(body))
		if err != nil {
			return nil, err
		}
		req.Header.Set("Authorization", "Bearer "+token)
		req.Header.Set("Content-Type", "application/json")
		res, err := client.Do(req)
		if err != nil {
			return nil, err
		}
		defer res.Body.Close()
		raw, err := io.ReadAll(res.Body)
		if err == nil && res.StatusCode/100 != 2 {
			err = fmt.Errorf("%s: %s", res.Status, raw)
		}
		return raw, err
	}
	if _, err := call(http.MethodPut, "/v1/restaurants/res_1", mint(orders.RoleOps, "ops_1"), `{"name":"Golden Wok","lat":31.23,"lon":121.47}`); err != nil {
		b.Fatal(err)
	}
	lines := make([]string, n)
	var group errgroup.Group
	group.SetLimit(32)
	for i := range n {
		group.Go(func() error {
			token := mint(orders.RoleCustomer, fmt.Sprintf("cus_%05d", i))
			raw, err := call(http.MethodPost, "/v1/orders", token, orderJSON)
			if err != nil {
				return err
			}
			var o struct{ OrderID string }
			if err := json.Unmarshal(raw, &o); err != nil {
				return err
			}
			lines[i] = token + " order/" + o.OrderID
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		b.Fatal(err)
	}
	return lines
}

// orderJSON is a request for two dishes.
const orderJSON = `{"restaurantId":"res_1","paymentMethod":"WECHAT","items":[
	{"itemId":"rice","name":"Rice","unitPrice":1500,"quantity":2,"note":"no egg"},
	{"itemId":"soup","name":"Soup","unitPrice":2000,"quantity":1}],
	"address":{"line":"1 Century Ave","lat":31.23,"lon":121.47,"name":"Li","phone":"+8613800000000"}}`
