package callback

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"testing"
)

func TestGuard(t *testing.T) {
	own := netip.MustParseAddr("198.200.1.7")
	g := NewGuard(nil, []netip.Addr{own})
	for name, c := range map[string]struct {
		to   string
		pass bool
	}{
		"public":                      {"93.184.216.34:443", true},
		"public 8443":                 {"93.184.216.34:8443", true},
		"public IPv6":                 {"[2606:2800:220:1::1]:443", true},
		"another port":                {"93.184.216.34:22", false},
		"port 80":                     {"93.184.216.34:80", false},
		"unspecified":                 {"0.0.0.0:443", false},
		"this network":                {"0.1.2.3:443", false},
		"loopback":                    {"127.0.0.1:443", false},
		"loopback, another":           {"127.255.255.254:443", false},
		"10/8":                        {"10.1.2.3:443", false},
		"172.16/12":                   {"172.31.255.255:443", false},
		"192.168/16":                  {"192.168.0.1:443", false},
		"carrier-grade NAT":           {"100.64.0.1:443", false},
		"cloud metadata":              {"169.254.169.254:443", false},
		"container metadata":          {"169.254.170.2:443", false},
		"Alibaba's metadata":          {"100.100.100.200:443", false},
		"Oracle's metadata":           {"192.0.0.192:443", false},
		"Azure's host":                {"168.63.129.16:443", false},
		"protocol assignments":        {"192.0.0.1:443", false},
		"documentation":               {"192.0.2.1:443", false},
		"benchmarks":                  {"198.18.0.1:443", false},
		"multicast":                   {"224.0.0.1:443", false},
		"reserved":                    {"240.0.0.1:443", false},
		"broadcast":                   {"255.255.255.255:443", false},
		"IPv6 unspecified":            {"[::]:443", false},
		"IPv6 loopback":               {"[::1]:443", false},
		"IPv4-mapped loopback":        {"[::ffff:127.0.0.1]:443", false},
		"IPv4-mapped public":          {"[::ffff:93.184.216.34]:443", false},
		"IPv4-compatible":             {"[::7f00:1]:443", false},
		"NAT64":                       {"[64:ff9b::7f00:1]:443", false},
		"local NAT64":                 {"[64:ff9b:1::7f00:1]:443", false},
		"6to4":                        {"[2002:7f00:1::1]:443", false},
		"Teredo":                      {"[2001:0:4136:e378::1]:443", false},
		"unique local":                {"[fd00::1]:443", false},
		"AWS's IPv6 metadata":         {"[fd00:ec2::254]:443", false},
		"link-local":                  {"[fe80::1]:443", false},
		"link-local with a zone":      {"[fe80::1%eth0]:443", false},
		"site-local":                  {"[fec0::1]:443", false},
		"IPv6 multicast":              {"[ff02::1]:443", false},
		"IPv6 documentation":          {"[2001:db8::1]:443", false},
		"newer IPv6 documentation":    {"[3fff::1]:443", false},
		"segment routing":             {"[5f00::1]:443", false},
		"a public address of our own": {"198.200.1.7:443", false},
	} {
		err := g.control(t.Context(), "tcp4", c.to, nil)
		if (err == nil) != c.pass || err != nil && !errors.Is(err, errBlocked) {
			t.Errorf("%s (%s): %v, want passed: %v", name, c.to, err, c.pass)
		}
	}
	if g.control(t.Context(), "udp4", "93.184.216.34:443", nil) == nil || g.control(t.Context(), "unix", "/run/x", nil) == nil {
		t.Error("it is not only TCP that passes")
	}
	t.Run("addresses of this machine", func(t *testing.T) {
		all, err := interfaceAddrs()
		if err != nil || len(all) == 0 {
			t.Fatal(all, err)
		}
		g := NewGuard(nil, nil)
		for _, a := range all {
			if g.check(netip.AddrPortFrom(a, 443), false) == nil {
				t.Errorf("%s passes", a)
			}
			if !g.isOwn(a) {
				t.Errorf("%s is not known as our own", a)
			}
		}
	})
	t.Run("an opened prefix passes, with any port and without TLS, and nothing else does", func(t *testing.T) {
		g := NewGuard([]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}, nil)
		plain := context.WithValue(t.Context(), plainHTTP{}, true)
		for to, pass := range map[string]bool{
			"127.0.0.1:8080": true, "[fd00::1]:81": true, "10.0.0.1:443": false, "169.254.169.254:80": false, "93.184.216.34:443": false,
			"[::ffff:127.0.0.1]:80": true,
		} {
			if err := g.control(plain, "tcp4", to, nil); (err == nil) != pass {
				t.Errorf("%s: %v", to, err)
			}
		}
		if g.control(t.Context(), "tcp4", "93.184.216.34:443", nil) != nil {
			t.Error("a public address with TLS no longer passes")
		}
	})
}

// TestGuardOddSpellings: numbers that some parsers take for addresses are names to Go, so they are looked up, and what
// comes of that is judged.
func TestGuardOddSpellings(t *testing.T) {
	for _, host := range []string{"2130706433", "0x7f.1", "127.1", "0177.0.0.1", "0x7f000001"} {
		if _, err := netip.ParseAddr(host); err == nil {
			t.Errorf("%s is an address now", host)
		}
		if ip := net.ParseIP(host); ip != nil {
			t.Errorf("%s is the address %s now", host, ip)
		}
	}
}
