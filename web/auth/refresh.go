package auth

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/MicahParks/jwkset"
	"github.com/rs/zerolog"
	"golang.org/x/time/rate"
)

const (
	refreshEvery   = 5 * time.Minute  // how long a withdrawn key may still be used
	firstRetry     = time.Second      // after a failed refresh; doubled each time, up to refreshEvery or lastRetry
	lastRetry      = 30 * time.Second // so that tokens pass soon after the issuer is back
	refreshTimeout = 10 * time.Second // for one whole request
	maxJWKS        = 1 << 20          // bytes of an answer; a real one has some KB
)

// refreshTimes are a keySet's waiting times; tests shorten them.
type refreshTimes struct{ every, first, last, timeout, wait time.Duration }

// newKeySet prepares to read keys from address. It asks nobody yet.
func newKeySet(address string, now func() time.Time, log zerolog.Logger) (*keySet, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, errors.New("auth: JWKSURL is not an http or https URL") // it may hold a password: not quoted
	}
	return &keySet{
		url: address, now: now, log: log,
		times: refreshTimes{refreshEvery, firstRetry, lastRetry, refreshTimeout, refreshWait},
		client: &http.Client{
			CheckRedirect: func(r *http.Request, via []*http.Request) error {
				if len(via) > 3 || r.URL.Scheme != u.Scheme { // https must not lead to http
					return errors.New("redirected too often or to another scheme")
				}
				return nil
			},
			Transport: &http.Transport{
				Proxy:                  http.ProxyFromEnvironment,
				DialContext:            (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
				TLSHandshakeTimeout:    5 * time.Second,
				MaxResponseHeaderBytes: 64 << 10,
				ForceAttemptHTTP2:      true,
				DisableKeepAlives:      true, // the next request is minutes away
			},
		},
		wanted:  make(chan struct{}, 1),
		unknown: rate.NewLimiter(rate.Every(unknownKeyEvery), 1),
	}, nil
}

// run reads the keys at once, then every few minutes and when somebody asks; after a failure it comes back sooner.
func (s *keySet) run(ctx context.Context) {
	s.mu.Lock()
	s.running = true
	s.mu.Unlock()
	defer s.stop()

	next := time.NewTimer(0)
	defer next.Stop()
	retry, reason := s.times.first, ""
	for {
		select {
		case <-ctx.Done():
			return
		case <-next.C:
		case <-s.wanted:
		}
		s.begin()
		err := s.refresh(ctx)
		s.end()
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			next.Reset(s.times.every)
			retry, reason = s.times.first, ""
			continue
		}
		if err.Error() != reason { // a new reason, not the same one every few seconds
			reason = err.Error()
			s.log.Warn().Err(err).Dur("retry_in_ms", retry).Msg("jwks not read, will try again")
		}
		next.Reset(retry)
		retry = min(2*retry, s.times.last, s.times.every)
	}
}

// begin lets tokens with unknown keys wait for the refresh that starts now.
func (s *keySet) begin() {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-s.wanted: // asked for between the timer and here: this refresh is the answer
	default:
	}
	if s.pending == nil {
		s.pending = make(chan struct{})
	}
}

// end wakes those who wait for the refresh.
func (s *keySet) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pending != nil {
		close(s.pending)
		s.pending = nil
	}
}

func (s *keySet) stop() {
	s.mu.Lock()
	s.running = false
	s.mu.Unlock()
	s.end()
	s.client.CloseIdleConnections()
}

// refresh reads the set once. An answer that is no JWKS changes nothing; an empty one withdraws every key.
func (s *keySet) refresh(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, s.times.timeout)
	defer cancel()
	body, err := s.fetch(ctx)
	if err != nil {
		return err
	}
	keys, skipped, err := parseKeys(body)
	if err != nil {
		return err
	}
	if s.replace(keys) {
		s.log.Info().Int("keys", len(keys)).Int("skipped", skipped).Msg("jwks changed")
	}
	return nil
}

func (s *keySet) fetch(ctx context.Context) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url, nil)
	if err != nil {
		return nil, errors.New("jwks: bad URL")
	}
	req.Header.Set("Accept", "application/jwk-set+json, application/json")
	resp, err := s.client.Do(req)
	if err != nil {
		var ue *url.Error
		if errors.As(err, &ue) { // drop the URL, which may carry a key in its query
			err = ue.Err
		}
		return nil, fmt.Errorf("ask for jwks: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("jwks answered with status %d", resp.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxJWKS+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("read jwks: %w", err)
	case len(body) > maxJWKS:
		return nil, fmt.Errorf("jwks is over %d bytes", maxJWKS)
	}
	return body, nil
}

// parseKeys is the usable keys of a JWKS (RFC 7517 section 5). The others are skipped and counted: a key of a kind we do
// not know, or a shared secret that has no place there, must not cost us the good ones.
func parseKeys(body []byte) (keys []publicKey, skipped int, err error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if json.Unmarshal(body, &set) != nil || set.Keys == nil {
		return nil, 0, errors.New("jwks is not an object with keys")
	}
	for _, raw := range set.Keys {
		if k, ok := parseKey(raw); ok {
			keys = append(keys, k)
		} else {
			skipped++
		}
	}
	return keys, skipped, nil
}

func parseKey(raw json.RawMessage) (publicKey, bool) {
	// Without Private a symmetric key is refused, and only the public half of the others is read.
	jwk, err := jwkset.NewJWKFromRawJSON(raw, jwkset.JWKMarshalOptions{}, jwkset.JWKValidateOptions{})
	if err != nil {
		return publicKey{}, false
	}
	m := jwk.Marshal()
	k := publicKey{kid: m.KID, alg: m.ALG.String(), key: jwk.Key()}
	if p, ok := k.key.(interface{ Public() crypto.PublicKey }); ok {
		k.key = p.Public()
	}
	forSigning := (m.USE == "" || m.USE == jwkset.UseSig) &&
		(len(m.KEYOPS) == 0 || slices.Contains(m.KEYOPS, jwkset.KeyOpsVerify))
	return k, forSigning && usable(k)
}

func usable(k publicKey) bool {
	if k.alg != "" && !slices.Contains(publicAlgorithms, k.alg) {
		return false
	}
	switch key := k.key.(type) {
	case *rsa.PublicKey:
		return key.N.BitLen() >= minRSA
	case *ecdsa.PublicKey, ed25519.PublicKey:
		return true
	}
	return false
}
