package deploy

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// gateway is a running HAProxy with the configuration that is installed.
type gateway struct {
	*process
	clear, secure, admin string // URLs
	roots                *x509.CertPool
}

// gatewayEnvironment is what compose.yaml gives the gateway, on free ports of this machine.
func gatewayEnvironment(t testing.TB, nameserver, api, hub string) (env []string, g *gateway) {
	t.Helper()
	var ports []string
	for range 3 {
		ports = append(ports, strconv.Itoa(freePort(t, "127.0.0.1")))
	}
	cert := makeCertificate(t)
	pem, err := os.ReadFile(cert)
	if err != nil {
		t.Fatal(err)
	}
	g = &gateway{
		clear: "http://localhost:" + ports[0], secure: "https://localhost:" + ports[1], admin: "http://127.0.0.1:" + ports[2],
		roots: x509.NewCertPool(),
	}
	if !g.roots.AppendCertsFromPEM(pem) {
		t.Fatal("setup made no certificate")
	}
	return []string{
		"GATEWAY_DNS=" + nameserver, "GATEWAY_HTTP=127.0.0.1:" + ports[0], "GATEWAY_HTTPS=127.0.0.1:" + ports[1],
		"GATEWAY_ADMIN=127.0.0.1:" + ports[2], "GATEWAY_CERT=" + cert, "GATEWAY_API=" + api, "GATEWAY_HUB=" + hub,
	}, g
}

func haproxy(t testing.TB) string {
	t.Helper()
	path, err := exec.LookPath("haproxy")
	if err != nil {
		path = "/usr/sbin/haproxy" // not in everybody's PATH
	}
	if _, err := os.Stat(path); err != nil {
		t.Fatal("this test needs HAProxy: apt-get install -y haproxy")
	}
	return path
}

// makeCertificate has setup make the gateway's certificate.
func makeCertificate(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	if out, err := exec.Command(filepath.Join(programs, "setup"), "-tokens", dir, "-database", dir, "-gateway", dir).CombinedOutput(); err != nil {
		t.Fatalf("setup: %v: %s", err, out)
	}
	return filepath.Join(dir, "tls.pem")
}

// freePort is a port that nobody listens on.
func freePort(t testing.TB, host string) int {
	t.Helper()
	l, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// startGateway starts HAProxy and waits until it answers. api and hub are name:port.
func startGateway(t testing.TB, nameserver, api, hub string) *gateway {
	t.Helper()
	binary := haproxy(t)
	env, g := gatewayEnvironment(t, nameserver, api, hub)
	g.process = startProcess(t, "gateway", env, binary, "-db", "-f", "haproxy.cfg")
	eventually(t, func() (bool, string) {
		if !g.running() {
			t.Fatalf("the gateway ended: %s", g.log())
		}
		res, err := http.Get(g.admin + "/livez")
		if err != nil {
			return false, err.Error()
		}
		_ = res.Body.Close()
		return res.StatusCode == http.StatusOK, res.Status
	})
	return g
}

// active is how many nodes of a role the gateway gives work to.
func (g *gateway) active(role string) int {
	n, err := strconv.Atoi(g.metric(`haproxy_backend_active_servers{proxy="` + role + `"}`))
	if err != nil {
		return -1
	}
	return n
}

// metric is one figure of the gateway's, "" where there is none.
func (g *gateway) metric(series string) string {
	res, err := http.Get(g.admin + "/metrics")
	if err != nil {
		return ""
	}
	defer res.Body.Close()
	for lines := bufio.NewScanner(res.Body); lines.Scan(); {
		if v, ok := strings.CutPrefix(lines.Text(), series+" "); ok {
			return v
		}
	}
	return ""
}

// has waits until the gateway gives work to so many nodes of each role.
func (g *gateway) has(apis, hubs int) {
	g.t.Helper()
	eventually(g.t, func() (bool, string) {
		a, h := g.active("api"), g.active("hub")
		return a == apis && h == hubs, fmt.Sprintf("the gateway has %d api and %d hub nodes, want %d and %d", a, h, apis, hubs)
	})
}

// client speaks one version of HTTP with the gateway and trusts its certificate. The host's name is resolved here, so
// that neither a resolver nor a proxy of the machine has a part in it.
func (g *gateway) client(http2 bool) *http.Client {
	var p http.Protocols
	p.SetHTTP1(!http2)
	p.SetHTTP2(http2)
	tr := &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: g.roots, MinVersion: tls.VersionTLS12}, Protocols: &p, MaxIdleConnsPerHost: 64,
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			_, port, err := net.SplitHostPort(addr)
			if err != nil {
				return nil, err
			}
			return (&net.Dialer{Timeout: 5 * time.Second}).DialContext(ctx, network, net.JoinHostPort("127.0.0.1", port))
		},
	}
	g.t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: patience}
}
