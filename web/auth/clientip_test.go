package auth

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"
)

func TestClientIP(t *testing.T) {
	trusted, err := ParseTrustedProxies([]string{"10.0.0.0/8", "192.0.2.7", "fd00::/8", "::ffff:172.16.0.0/108", " 198.51.100.0/24 "})
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		peer string
		xff  []string
		want string
	}{
		"NoHeader":                   {"10.0.0.1:99", nil, "10.0.0.1"},
		"OneProxy":                   {"10.0.0.1:99", []string{"203.0.113.9"}, "203.0.113.9"},
		"TwoProxies":                 {"10.0.0.1:99", []string{"203.0.113.9, 10.0.0.2"}, "203.0.113.9"},
		"SpoofedByTheClient":         {"10.0.0.1:99", []string{"1.2.3.4, 203.0.113.9, 10.0.0.2"}, "203.0.113.9"},
		"SpoofedAsAProxy":            {"10.0.0.1:99", []string{"10.9.9.9, 203.0.113.9"}, "203.0.113.9"},
		"SpoofedWithNonsense":        {"10.0.0.1:99", []string{"<script>, 203.0.113.9"}, "203.0.113.9"},
		"PeerNotTrusted":             {"203.0.113.1:99", []string{"1.2.3.4"}, "203.0.113.1"},
		"PeerBesideTheNetwork":       {"11.0.0.1:99", []string{"1.2.3.4"}, "11.0.0.1"},
		"BareAddressIsANetworkOfOne": {"192.0.2.7:99", []string{"1.2.3.4"}, "1.2.3.4"},
		"BesideTheBareAddress":       {"192.0.2.8:99", []string{"1.2.3.4"}, "192.0.2.8"},
		"SpacesInTheList":            {"198.51.100.3:99", []string{"1.2.3.4"}, "1.2.3.4"},
		"SeveralLines":               {"10.0.0.1:99", []string{"1.2.3.4", "203.0.113.9", "10.0.0.2, 10.0.0.3"}, "203.0.113.9"},
		"AllTrusted":                 {"10.0.0.1:99", []string{"10.0.0.3, 10.0.0.2"}, "10.0.0.3"},
		"Malformed":                  {"10.0.0.1:99", []string{"203.0.113.9, unknown"}, "10.0.0.1"},
		"MalformedBeforeAProxy":      {"10.0.0.1:99", []string{"203.0.113.9, , 10.0.0.2"}, "10.0.0.1"},
		"EmptyLine":                  {"10.0.0.1:99", []string{"203.0.113.9", ""}, "10.0.0.1"},
		"ObfuscatedAsInForwarded":    {"10.0.0.1:99", []string{"_hidden"}, "10.0.0.1"},
		"OctalLooks":                 {"10.0.0.1:99", []string{"010.0.0.1"}, "10.0.0.1"},
		"WithPort":                   {"10.0.0.1:99", []string{"203.0.113.9:1234"}, "203.0.113.9"},
		"IPv6":                       {"[fd00::1]:99", []string{"2001:db8::9"}, "2001:db8::9"},
		"IPv6InBrackets":             {"[fd00::1]:99", []string{"[2001:db8::9]"}, "2001:db8::9"},
		"IPv6WithPort":               {"[fd00::1]:99", []string{"[2001:db8::9]:1234"}, "2001:db8::9"},
		"HalfABracket":               {"[fd00::1]:99", []string{"[2001:db8::9"}, "fd00::1"},
		"ZoneIsCut":                  {"[fd00::1%eth0]:99", []string{"fe80::9%eth1"}, "fe80::9"},
		"MappedPeer":                 {"[::ffff:10.0.0.1]:99", []string{"203.0.113.9"}, "203.0.113.9"},
		"MappedProxyOnTheWay":        {"10.0.0.1:99", []string{"203.0.113.9, ::ffff:10.0.0.2"}, "203.0.113.9"},
		"MappedClient":               {"10.0.0.1:99", []string{"::ffff:203.0.113.9"}, "203.0.113.9"},
		"MappedNetwork":              {"172.16.5.5:99", []string{"203.0.113.9"}, "203.0.113.9"},
		"UnixSocket":                 {"@", []string{"203.0.113.9"}, "invalid IP"},
		"TooManyHops":                {"10.0.0.1:99", []string{"203.0.113.9" + strings.Repeat(",10.0.0.2", maxHops)}, "10.0.0.1"},
		"AsManyHopsAsAllowed":        {"10.0.0.1:99", []string{"203.0.113.9" + strings.Repeat(",10.0.0.2", maxHops-1)}, "203.0.113.9"},
	} {
		t.Run(name, func(t *testing.T) {
			r := &http.Request{RemoteAddr: tc.peer, Header: http.Header{"X-Forwarded-For": tc.xff}}
			if got := trusted.ClientIP(r).String(); got != tc.want {
				t.Errorf("client %s, want %s", got, tc.want)
			}
		})
	}
	t.Run("NobodyTrusted", func(t *testing.T) {
		r := &http.Request{RemoteAddr: "127.0.0.1:9", Header: http.Header{"X-Forwarded-For": {"1.2.3.4"}}}
		if got := (TrustedProxies{}).ClientIP(r).String(); got != "127.0.0.1" {
			t.Errorf("client %s", got)
		}
	})
}

func TestParseTrustedProxiesNamesTheBadOne(t *testing.T) {
	for _, bad := range []string{"", "10.0.0.0/33", "ten", "10.0.0.0/8/8", "fe80::1%eth0/64"} {
		if _, err := ParseTrustedProxies([]string{"10.0.0.0/8", bad}); err == nil || !strings.Contains(err.Error(), `"`+bad+`"`) {
			t.Errorf("%q: error %v", bad, err)
		}
	}
}

func FuzzClientIP(f *testing.F) {
	trusted, err := ParseTrustedProxies([]string{"10.0.0.0/8", "fd00::/8"})
	if err != nil {
		f.Fatal(err)
	}
	f.Add("10.0.0.1:99", "1.2.3.4, 10.0.0.2")
	f.Add("[fd00::1]:99", "[::ffff:10.0.0.2]:1, x")
	f.Fuzz(func(t *testing.T, peer, xff string) {
		r := &http.Request{RemoteAddr: peer, Header: http.Header{"X-Forwarded-For": {xff}}}
		got := trusted.ClientIP(r)
		if got.Is4In6() || got.Zone() != "" {
			t.Errorf("client %v is not plain", got)
		}
		if p, err := netip.ParseAddrPort(peer); err == nil && !trusted.trusts(plain(p.Addr())) && got != plain(p.Addr()) {
			t.Errorf("a peer that is not trusted made itself %v", got)
		}
		// What the client writes in front of a line must never matter once a foreign address stands there.
		r.Header["X-Forwarded-For"] = []string{xff + ", 203.0.113.9"}
		if p, ok := parseHop(peer); ok && trusted.trusts(p) && trusted.ClientIP(r).String() != "203.0.113.9" {
			t.Errorf("%q hides the client", xff)
		}
	})
}
