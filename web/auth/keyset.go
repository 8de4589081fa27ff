package auth

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	_ "crypto/sha256" // the hashes of the algorithms below, which jwt asks for by number
	_ "crypto/sha512"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/rs/zerolog"
	"golang.org/x/time/rate"

	"doorbell/orders"
)

const hs256 = "HS256"

// publicAlgorithms are the ones a JWKS key may be used with (RFC 7518 section 3.1, RFC 8037). None of them is symmetric,
// so a public key can never be taken for a shared secret.
var publicAlgorithms = []string{
	"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA",
}

const (
	refreshWait       = 2 * time.Second  // how long a token with an unknown key waits for a refresh
	unknownKeyEvery   = 10 * time.Second // how often unknown keys may cause one: anybody can make up a kid
	minRSA            = 2048             // bits, RFC 7518 section 3.3
	maxAnonymousTries = 8                // keys tried for a token without kid; each costs up to 0.1 ms
)

// publicKey is one usable key of the set.
type publicKey struct {
	kid string // may be ""
	alg string // the only algorithm it is for; "" = any that fits its type
	key crypto.PublicKey
}

// fits reports whether a signature of this algorithm can be checked with the key. The curve is checked here, because
// jwt only looks at the signature's length.
func (p publicKey) fits(alg string) bool {
	if p.alg != "" && p.alg != alg {
		return false
	}
	switch k := p.key.(type) {
	case *rsa.PublicKey:
		return alg[:2] == "RS" || alg[:2] == "PS"
	case *ecdsa.PublicKey:
		switch alg {
		case "ES256":
			return k.Curve == elliptic.P256()
		case "ES384":
			return k.Curve == elliptic.P384()
		case "ES512":
			return k.Curve == elliptic.P521()
		}
	case ed25519.PublicKey:
		return alg == "EdDSA"
	}
	return false
}

// same reports whether q is the same key, for the same use.
func (p publicKey) same(q publicKey) bool {
	k, ok := p.key.(interface{ Equal(crypto.PublicKey) bool })
	return ok && p.kid == q.kid && p.alg == q.alg && k.Equal(q.key)
}

// keySet is the issuer's keys as they were last read. They stay in use when the issuer cannot be reached any more: a
// JWKS that is down must not lock everybody out.
type keySet struct {
	url    string
	client *http.Client
	now    func() time.Time
	log    zerolog.Logger
	times  refreshTimes

	generation atomic.Uint64 // rises when a key is withdrawn: what was verified before counts no longer

	mu      sync.RWMutex  // guards the following
	keys    []publicKey   // replaced as a whole, by run
	loaded  bool          // keys were read at least once
	running bool          // run is there to answer wanted
	pending chan struct{} // closed by run when the refresh that is under way or asked for has ended; nil = none

	wanted  chan struct{} // asks run for a refresh; holds one
	unknown *rate.Limiter // of refreshes for an unknown key
}

// find is the keys that may have made a signature: those of this kid, or without kid the first few that fit.
// Unauthenticated: there is none. Unavailable: keys were never read.
func (s *keySet) find(ctx context.Context, kid, alg string) (jwt.VerificationKeySet, error) {
	found, loaded := s.look(kid, alg)
	if len(found.Keys) == 0 && s.refreshed(ctx) {
		found, loaded = s.look(kid, alg)
	}
	switch {
	case len(found.Keys) > 0:
		return found, nil
	case !loaded:
		return found, orders.Errorf(orders.Unavailable, "the keys that tokens are checked with cannot be read yet")
	case kid != "":
		return found, refuse("token: no key with this kid and alg")
	}
	return found, refuse("token: no key for this alg")
}

func (s *keySet) look(kid, alg string) (found jwt.VerificationKeySet, loaded bool) {
	s.mu.RLock()
	keys, loaded := s.keys, s.loaded
	s.mu.RUnlock()
	for _, k := range keys {
		if (kid == "" || k.kid == kid) && k.fits(alg) && len(found.Keys) < maxAnonymousTries {
			found.Keys = append(found.Keys, k.key)
		}
	}
	return found, loaded
}

// refreshed waits for a refresh of the keys, asking for one if the limit allows. It is false when there was none to wait
// for, or it took too long.
func (s *keySet) refreshed(ctx context.Context) bool {
	done := s.askRefresh()
	if done == nil {
		return false
	}
	wait := time.NewTimer(s.times.wait)
	defer wait.Stop()
	select {
	case <-done:
		return true
	case <-wait.C:
	case <-ctx.Done():
	}
	return false
}

// askRefresh is the end of the refresh under way, or of a new one; nil if there is none and may be none now.
func (s *keySet) askRefresh() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pending == nil && s.running && s.unknown.AllowN(s.now(), 1) {
		s.pending = make(chan struct{})
		s.wanted <- struct{}{} // never blocks: it holds one, and run takes it out before it clears pending
	}
	return s.pending
}

// replace puts a newly read set in place and reports whether it differs from the one before.
func (s *keySet) replace(keys []publicKey) (changed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	gone := func(old publicKey) bool { return !slices.ContainsFunc(keys, old.same) }
	withdrawn := slices.ContainsFunc(s.keys, gone)
	changed = !s.loaded || withdrawn || len(keys) != len(s.keys)
	s.keys, s.loaded = keys, true
	if withdrawn {
		s.generation.Add(1)
	}
	return changed
}
