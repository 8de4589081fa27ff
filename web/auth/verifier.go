package auth

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/maypok86/otter/v2"
	"github.com/rs/zerolog"

	"doorbell/orders"
)

const (
	// MinSecret is the shortest HS256 key, in bytes: the size of the hash (RFC 7518 section 3.2).
	MinSecret = 32

	// maxCached is how many verified tokens are remembered: twice the sockets of a node, some 40 MB when full.
	maxCached = 100_000

	// maxCachedFor bounds how long one verification is believed, for tokens that live for years.
	maxCachedFor = 24 * time.Hour
)

// Config says which tokens a [Verifier] accepts. Secret, JWKSURL or both must be there. With both, the token's alg decides
// which one is asked, and never the other: HS256 belongs to the secret, everything else to the JWKS.
type Config struct {
	Secret      []byte           // HS256 key, at least MinSecret bytes; empty = no HS256. Never logged
	JWKSURL     string           // http or https, where the issuer publishes its public keys; "" = no RS, PS, ES, EdDSA
	Issuer      string           // iss must be this; "" = DefaultIssuer
	Audience    string           // aud must name this; "" = DefaultAudience
	Revocations *Revocations     // asked on every use; nil = nobody is revoked
	Now         func() time.Time // nil = time.Now
	Log         zerolog.Logger   // failed refreshes of the JWKS; the zero Logger is silent
}

// Verifier checks tokens. Its methods may be called at the same time.
type Verifier struct {
	secret      []byte  // nil = HS256 is not accepted
	keys        *keySet // nil = only HS256 is accepted
	rules       rules
	revocations *Revocations
	now         func() time.Time
	parser      *jwt.Parser
	cache       *otter.Cache[[sha256.Size]byte, verified] // by hash: a heap dump of the cache holds no token
}

// verified is what a good token said.
type verified struct {
	identity   Identity
	generation uint64 // of the key set it was checked with; a later one may have withdrawn the key
}

// New makes a Verifier. It starts nothing and asks nobody: without [Verifier.Run] a JWKS is never read. The error names
// the field of the Config that is wrong.
func New(cfg Config) (*Verifier, error) {
	v := &Verifier{
		rules:       rules{issuer: or(cfg.Issuer, DefaultIssuer), audience: or(cfg.Audience, DefaultAudience)},
		revocations: cfg.Revocations, now: cfg.Now,
	}
	if v.now == nil {
		v.now = time.Now
	}
	if v.revocations == nil {
		v.revocations = NewRevocations(nil)
	}
	var methods []string
	if len(cfg.Secret) > 0 {
		if len(cfg.Secret) < MinSecret {
			return nil, fmt.Errorf("auth: Secret has %d bytes, not %d or more", len(cfg.Secret), MinSecret)
		}
		v.secret = append([]byte(nil), cfg.Secret...)
		methods = append(methods, hs256)
	}
	if cfg.JWKSURL != "" {
		keys, err := newKeySet(cfg.JWKSURL, v.now, cfg.Log)
		if err != nil {
			return nil, err
		}
		v.keys = keys
		methods = append(methods, publicAlgorithms...)
	}
	if len(methods) == 0 {
		return nil, errors.New("auth: neither Secret nor JWKSURL is set")
	}
	v.parser = jwt.NewParser(jwt.WithValidMethods(methods), jwt.WithStrictDecoding(), jwt.WithoutClaimsValidation())
	cache, err := otter.New(&otter.Options[[sha256.Size]byte, verified]{
		MaximumSize: maxCached,
		Clock:       cacheClock(v.now),
		ExpiryCalculator: otter.ExpiryWritingFunc(func(e otter.Entry[[sha256.Size]byte, verified]) time.Duration {
			return max(1, min(e.Value.identity.ExpiresAt.Sub(v.now()), maxCachedFor)) // time goes on between check and write
		}),
	})
	if err != nil {
		return nil, fmt.Errorf("auth: cache of verified tokens: %w", err)
	}
	v.cache = cache
	return v, nil
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// Run keeps the JWKS fresh until ctx ends and returns nil when what it started has ended. Without a JWKS there is nothing
// to do but wait. It is called once.
func (v *Verifier) Run(ctx context.Context) error {
	if v.keys == nil {
		<-ctx.Done()
		return nil
	}
	v.keys.run(ctx)
	return nil
}

// Verify is the identity behind a token. A JWT it has seen before costs a hash and two look-ups, not a signature.
//
// A tracking capability is only taken apart here: see [Identity.Opens]. For a key that is not known, Verify may wait for
// a refresh of the JWKS, at most refreshWait or until ctx ends.
//
// Unauthenticated: some rule is broken; the text says which and holds nothing of the token. Unavailable: the token needs
// the JWKS, which could not be read since the start.
func (v *Verifier) Verify(ctx context.Context, token string) (Identity, error) {
	if len(token) > maxToken {
		return Identity{}, refuse("token over %d bytes", maxToken)
	}
	if strings.HasPrefix(token, orders.TrackPrefix) {
		return tracker(token)
	}
	hash := sha256.Sum256([]byte(token))
	generation := v.generation() // before the signature is checked: keys may change meanwhile
	known, ok := v.cache.GetIfPresent(hash)
	if !ok || known.generation != generation || !v.now().Before(known.identity.ExpiresAt) {
		identity, err := v.verify(ctx, token)
		if err != nil {
			return Identity{}, err
		}
		known = verified{identity, generation}
		v.cache.Set(hash, known)
	}
	if v.revocations.Revoked(known.identity.ID, known.identity.IssuedAt) {
		return Identity{}, revoked(known.identity)
	}
	return known.identity, nil
}

func revoked(i Identity) error {
	if i.IssuedAt.IsZero() {
		return refuse("token: iat is missing, and tokens of this sub were revoked")
	}
	return refuse("token: revoked")
}

func (v *Verifier) generation() uint64 {
	if v.keys == nil {
		return 0
	}
	return v.keys.generation.Load()
}

// tracker takes a tracking capability apart.
func tracker(token string) (Identity, error) {
	orderID, key, ok := orders.ParseTrackingToken(token)
	if !ok || !isToken(token) {
		return Identity{}, refuse("tracking link is damaged")
	}
	return Identity{
		Caller: orders.Caller{Actor: orders.Actor{Role: orders.RoleTracker}, OrderID: orderID},
		key:    key,
	}, nil
}

// verify checks a JWT from scratch, except for revocations.
func (v *Verifier) verify(ctx context.Context, token string) (Identity, error) {
	if !isToken(token) {
		return Identity{}, refuse("token has characters outside base64url and dots")
	}
	var c claims
	accepted := false // the parser asks for a key only when alg is one of ours
	_, err := v.parser.ParseWithClaims(token, &c, func(t *jwt.Token) (any, error) {
		accepted = true
		return v.key(ctx, t)
	})
	if err != nil {
		return Identity{}, translate(err, accepted)
	}
	return v.rules.identity(&c, v.now())
}

// key finds what the token's signature is checked with. The parser has made sure that alg is one we accept.
func (v *Verifier) key(ctx context.Context, t *jwt.Token) (any, error) {
	if _, ok := t.Header["crit"]; ok { // we understand no extension, and must not ignore one: RFC 7515 section 4.1.11
		return nil, refuse("token: header has crit")
	}
	var kid string
	if k, ok := t.Header["kid"]; ok {
		if kid, ok = k.(string); !ok {
			return nil, refuse("token: kid is not a string")
		}
	}
	if t.Method.Alg() == hs256 {
		return v.secret, nil // there is only one, whatever kid says
	}
	return v.keys.find(ctx, kid, t.Method.Alg())
}

// translate turns the parser's error into ours. Its own text stays behind, since it may quote the token.
func translate(err error, accepted bool) error {
	var e *orders.Error
	switch {
	case errors.As(err, &e): // from key or from the claims
		return e
	case errors.Is(err, jwt.ErrTokenMalformed):
		return refuse("token is not a JWT")
	case !accepted:
		return refuse("token: alg is not accepted")
	}
	return refuse("token: signature is wrong")
}
