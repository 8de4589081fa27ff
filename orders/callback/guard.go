package callback

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"sync"
	"syscall"
	"time"

	"code.dny.dev/ssrf"
)

// azureHost is the address under which a machine in Azure reaches its host; it is public, and nobody's to call.
var azureHost = netip.MustParsePrefix("168.63.129.16/32")

// ownFor is how long the list of our own addresses is trusted.
const ownFor = time.Minute

// errBlocked is what the guard says; nobody outside sees it, see Answer.Error.
var errBlocked = errors.New("callback: address not allowed")

// Guard decides which addresses callbacks may reach. It looks at the address that is about to be connected to, behind
// the look-up of its name, so a name that changes between two look-ups passes nothing. Refused is everything but public
// unicast addresses (IPv6: 2000::/3 without its special ranges, so neither NAT64 nor 6to4 nor mapped ones), Azure's host
// address, and whatever is our own. Ports are 443 and 8443. A prefix that was opened passes with any port.
type Guard struct {
	rules *ssrf.Guardian
	open  []netip.Prefix
	also  []netip.Addr // our own that no interface shows

	mu    sync.Mutex // guards the following
	own   []netip.Addr
	ownAt time.Time // when own was read
}

// NewGuard makes a guard. open are prefixes that may be reached though they are private (--callback-allow); own are
// addresses of ours beside those of this machine's interfaces: a gateway's, a load balancer's.
func NewGuard(open []netip.Prefix, own []netip.Addr) *Guard {
	return &Guard{
		rules: ssrf.New(ssrf.WithAnyPort(), ssrf.WithDeniedV4Prefixes(azureHost)),
		open:  slices.Clone(open), also: slices.Clone(own),
	}
}

// Open reports whether private prefixes were opened: then plain http and any port may stand in a URL, and only such an
// address is reached by them.
func (g *Guard) Open() bool { return len(g.open) > 0 }

// check fails for an address that must not be connected to. plain: the request is not encrypted.
func (g *Guard) check(to netip.AddrPort, plain bool) error {
	addr := to.Addr().Unmap()
	opened := slices.ContainsFunc(g.open, func(p netip.Prefix) bool { return p.Contains(addr) })
	switch {
	case opened:
		return nil
	case plain || to.Port() != 443 && to.Port() != 8443:
		return errBlocked
	case g.rules.SafeAddr(to.Addr()) != nil: // not unmapped: nobody has a reason to be reached by a mapped address
		return errBlocked
	case g.isOwn(addr):
		return errBlocked
	}
	return nil
}

// control is net.Dialer.ControlContext: it is called for every address that is tried.
func (g *Guard) control(ctx context.Context, network, address string, _ syscall.RawConn) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil || network != "tcp4" && network != "tcp6" {
		return errBlocked
	}
	return g.check(to, ctx.Value(plainHTTP{}) != nil)
}

// plainHTTP marks the context of a request that is not encrypted.
type plainHTTP struct{}

func (g *Guard) isOwn(a netip.Addr) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if now := time.Now(); g.ownAt.IsZero() || now.Sub(g.ownAt) > ownFor {
		if own, err := interfaceAddrs(); err == nil {
			g.own, g.ownAt = own, now
		}
	}
	return slices.Contains(g.own, a) || slices.Contains(g.also, a)
}

func interfaceAddrs() ([]netip.Addr, error) {
	all, err := net.InterfaceAddrs()
	if err != nil {
		return nil, err
	}
	var own []netip.Addr
	for _, a := range all {
		if p, err := netip.ParsePrefix(a.String()); err == nil {
			own = append(own, p.Addr().Unmap())
		}
	}
	return own, nil
}
