package auth

import (
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// maxHops is how many addresses of X-Forwarded-For are looked at; nobody has that many proxies.
const maxHops = 32

// TrustedProxies are the networks whose X-Forwarded-For is believed. The zero value trusts nobody.
type TrustedProxies struct{ nets []netip.Prefix }

// ParseTrustedProxies reads networks in CIDR form; a bare address is a network of one. The error names the bad one.
func ParseTrustedProxies(cidrs []string) (TrustedProxies, error) {
	var t TrustedProxies
	for _, s := range cidrs {
		p, err := parsePrefix(strings.TrimSpace(s))
		if err != nil {
			return TrustedProxies{}, fmt.Errorf("auth: trusted proxy %q is no network: %w", s, err)
		}
		t.nets = append(t.nets, p)
	}
	return t, nil
}

func parsePrefix(s string) (netip.Prefix, error) {
	if !strings.Contains(s, "/") {
		a, err := netip.ParseAddr(s)
		if err != nil {
			return netip.Prefix{}, err
		}
		a = plain(a)
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return netip.Prefix{}, err
	}
	if p.Addr().Is4In6() && p.Bits() >= 96 { // addresses are compared as IPv4, so is the network
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	return p.Masked(), nil
}

func (t TrustedProxies) trusts(a netip.Addr) bool {
	return slices.ContainsFunc(t.nets, func(p netip.Prefix) bool { return p.Contains(a) })
}

// ClientIP is the address a request came from: the peer's, or, when the peer is a trusted proxy, the right-most address
// of X-Forwarded-For that is not one. Further to the left stands only what the client itself wrote. When all addresses
// are trusted it is the left-most. An entry on the way that is no address makes the header worthless: the peer again.
//
// An IPv4 address in IPv6 clothes is given as IPv4, and zones are cut. The address is not valid if the request's
// RemoteAddr is none, as on a Unix socket.
func (t TrustedProxies) ClientIP(r *http.Request) netip.Addr {
	peer, ok := parseHop(r.RemoteAddr)
	if !ok || !t.trusts(peer) {
		return peer
	}
	client := peer
	hops := 0
	for _, line := range slices.Backward(r.Header["X-Forwarded-For"]) { // a later line is one further proxy
		for line, more := line, true; more; {
			var entry string
			line, entry, more = cutLast(line)
			a, ok := parseHop(strings.TrimSpace(entry))
			if hops++; !ok || hops > maxHops {
				return peer
			}
			if client = a; !t.trusts(a) {
				return client
			}
		}
	}
	return client
}

// cutLast takes the entry behind the last comma off a header line.
func cutLast(line string) (rest, entry string, more bool) {
	i := strings.LastIndexByte(line, ',')
	if i < 0 {
		return "", line, false
	}
	return line[:i], line[i+1:], true
}

// parseHop reads an address, with a port or without: some proxies add theirs.
func parseHop(s string) (netip.Addr, bool) {
	if strings.HasPrefix(s, "[") && strings.HasSuffix(s, "]") {
		s = s[1 : len(s)-1]
	}
	if a, err := netip.ParseAddr(s); err == nil {
		return plain(a), true
	}
	ap, err := netip.ParseAddrPort(s)
	return plain(ap.Addr()), err == nil
}

func plain(a netip.Addr) netip.Addr { return a.Unmap().WithZone("") }
