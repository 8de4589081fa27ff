package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestAdminPort: metrics and pprof are on the admin port and nowhere else; orders are not there.
func TestAdminPort(t *testing.T) {
	t.Parallel()
	s := serve(t, t.TempDir(), "--admin", "127.0.0.1:0")
	c := s.cast()
	s.open(c)
	path := s.place(c, "x")
	hidden := []string{"/metrics", "/debug/pprof/", "/debug/pprof/cmdline", "/debug/pprof/heap", "/debug/pprof/goroutine?debug=2", "/debug/pprof/symbol", "/debug/vars"}
	for _, p := range hidden {
		if a, err := s.try("GET", p, c.ops, nil); err != nil || a.code != 404 {
			t.Errorf("%s on the public port: %d %v %.100s", p, a.code, err, a.raw)
		}
	}
	s.do(200, "GET", "/livez", "", nil)
	s.do(200, "GET", "/readyz", "", nil)

	admin := s.onAdmin()
	for _, p := range append([]string{"/metrics", "/debug/pprof/", "/debug/pprof/heap", "/debug/pprof/goroutine?debug=2"}, "/livez", "/readyz") {
		if a := admin.do(200, "GET", p, "", nil); len(a.raw) == 0 {
			t.Errorf("%s is empty", p)
		}
	}
	admin.do(404, "GET", "/debug/pprof/cmdline", "", nil) // flags may hold passwords
	admin.do(404, "GET", path, c.ops, nil)
	admin.do(404, "GET", "/v1/orders", c.ops, nil)
	text := s.scrape()
	for _, name := range []string{"doorbell_web_request_seconds", "doorbell_web_requests_in_flight", "doorbell_store_", "go_goroutines", "process_open_fds"} {
		if !strings.Contains(text, "\n"+name) {
			t.Errorf("no metric %s", name)
		}
	}
	if id := strings.TrimPrefix(path, "/v1/orders/"); strings.Contains(text, id) || strings.Contains(text, "cus_1") {
		t.Error("a metric has an id in it")
	}
	for _, secret := range []string{c.ops, c.customer, "Century"} {
		if strings.Contains(s.log(), secret) {
			t.Errorf("the log holds %s", secret)
		}
	}
}

// TestNoAdminPort: empty is none.
func TestNoAdminPort(t *testing.T) {
	t.Parallel()
	s := serve(t, t.TempDir())
	if s.admin != "" {
		t.Errorf("an admin port at %s", s.admin)
	}
	s.do(200, "GET", "/readyz", "", nil)
	s.stop()
}

// certificate makes a self-signed certificate for 127.0.0.1.
func certificate(t *testing.T) (certFile, keyFile string, trust *tls.Config) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "doorbell"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	pkcs, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for file, block := range map[string]*pem.Block{certFile: {Type: "CERTIFICATE", Bytes: der}, keyFile: {Type: "PRIVATE KEY", Bytes: pkcs}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(parsed)
	return certFile, keyFile, &tls.Config{RootCAs: pool}
}

// TestTLS: with a certificate the port speaks TLS 1.2 and later, HTTP/2 and HTTP/1.1, and nothing in clear.
func TestTLS(t *testing.T) {
	t.Parallel()
	cert, key, trust := certificate(t)
	s := serve(t, t.TempDir(), "--tls-cert", cert, "--tls-key", key)
	clear := s.base
	c := s.cast()
	for _, http2 := range []bool{true, false} {
		s.secure(trust, http2)
		s.open(c)
		o := s.do(201, "POST", "/v1/orders", c.customer, wish("x")).order(t)
		if !strings.HasPrefix(o.TrackingURL, "https://localhost:") {
			t.Errorf("tracking link %q", o.TrackingURL)
		}
		res, err := s.client.Get(s.base + "/livez")
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if (res.ProtoMajor == 2) != http2 || res.TLS == nil {
			t.Errorf("asked for HTTP/2 %v, got %s", http2, res.Proto)
		}
	}
	if conn, err := tls.Dial("tcp", strings.TrimPrefix(s.base, "https://"), &tls.Config{RootCAs: trust.RootCAs, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}); err == nil {
		_ = conn.Close()
		t.Error("takes TLS 1.1")
	}
	if res, err := http.Get(clear + "/livez"); err == nil {
		_ = res.Body.Close()
		if res.StatusCode == 200 {
			t.Error("answers in clear, too")
		}
	}
	s.client.CloseIdleConnections()
	s.stop()
}

// TestH2C: without a certificate the port speaks HTTP/2 in clear by prior knowledge, beside HTTP/1.1.
func TestH2C(t *testing.T) {
	t.Parallel()
	s := serve(t, t.TempDir())
	var p http.Protocols
	p.SetUnencryptedHTTP2(true)
	client := &http.Client{Transport: &http.Transport{Protocols: &p}, Timeout: patience}
	defer client.CloseIdleConnections()
	res, err := client.Get(s.base + "/livez")
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if res.ProtoMajor != 2 || res.StatusCode != 200 {
		t.Errorf("%s %s", res.Proto, res.Status)
	}
	s.do(200, "GET", "/livez", "", nil)
}
