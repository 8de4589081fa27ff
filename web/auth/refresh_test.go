package auth

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/MicahParks/jwkset"
	"github.com/golang-jwt/jwt/v5"
	"github.com/rs/zerolog"
	"golang.org/x/time/rate"

	"doorbell/orders"
)

// Keys are made once: RSA ones take their time.
var (
	rsaKey   = sync.OnceValue(func() *rsa.PrivateKey { return must(rsa.GenerateKey(rand.Reader, 2048)) })
	ecKey    = sync.OnceValue(func() *ecdsa.PrivateKey { return must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)) })
	ec384Key = sync.OnceValue(func() *ecdsa.PrivateKey { return must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader)) })
	ec521Key = sync.OnceValue(func() *ecdsa.PrivateKey { return must(ecdsa.GenerateKey(elliptic.P521(), rand.Reader)) })
	edKey    = sync.OnceValue(func() ed25519.PrivateKey { _, k, err := ed25519.GenerateKey(rand.Reader); must(0, err); return k })
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// jwk is a public key as an issuer publishes it.
func jwk(kid, alg string, key crypto.PublicKey) jwkset.JWKMarshal {
	k := must(jwkset.NewJWKFromKey(key, jwkset.JWKOptions{
		Metadata: jwkset.JWKMetadataOptions{KID: kid, ALG: jwkset.ALG(alg)},
	}))
	return k.Marshal()
}

// issuer is a JWKS server whose answer can be changed while it runs.
type issuer struct {
	*httptest.Server
	answer atomic.Pointer[http.HandlerFunc]
	asked  atomic.Int32
}

func newIssuer(t testing.TB, keys ...jwkset.JWKMarshal) *issuer {
	i := &issuer{}
	i.publish(keys...)
	i.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		i.asked.Add(1)
		(*i.answer.Load())(w, r)
	}))
	t.Cleanup(i.Close)
	return i
}

func (i *issuer) do(h http.HandlerFunc) { i.answer.Store(&h) }

func (i *issuer) publish(keys ...jwkset.JWKMarshal) {
	if keys == nil {
		keys = []jwkset.JWKMarshal{}
	}
	b := must(json.Marshal(map[string]any{"keys": keys}))
	i.do(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(b) })
}

func (i *issuer) fail() {
	i.do(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "out of order", http.StatusInternalServerError)
	})
}

// run starts v's Run and returns what ends it; it is ended with the test in any case.
func run(t testing.TB, v *Verifier) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- v.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	t.Cleanup(stop)
	return stop
}

// eventually waits for a condition that a refresh brings about.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not in ten seconds: %s", what)
		}
	}
}

func (s *keySet) isLoaded() bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.loaded
}

// started is a Verifier that has read the issuer's keys.
func started(t testing.TB, cfg Config) *Verifier {
	v := newVerifier(t, cfg)
	run(t, v)
	eventually(t, "keys are read", v.keys.isLoaded)
	return v
}

func accepted(t testing.TB, v *Verifier, token string) {
	t.Helper()
	if _, err := v.Verify(context.Background(), token); err != nil {
		t.Fatal(err)
	}
}

func TestJWKSAlgorithms(t *testing.T) {
	c := &clock{}
	i := newIssuer(t,
		jwk("rsa", "", rsaKey().Public()), jwk("rs256", "RS256", rsaKey().Public()), jwk("ec", "", ecKey().Public()),
		jwk("ec384", "ES384", ec384Key().Public()), jwk("ec521", "", ec521Key().Public()), jwk("ed", "", edKey().Public()))
	v := started(t, Config{JWKSURL: i.URL, Now: c.now})
	for _, tc := range []struct {
		method jwt.SigningMethod
		key    any
		kid    string
	}{
		{jwt.SigningMethodRS256, rsaKey(), "rsa"}, {jwt.SigningMethodRS384, rsaKey(), "rsa"},
		{jwt.SigningMethodRS512, rsaKey(), "rsa"}, {jwt.SigningMethodPS256, rsaKey(), "rsa"},
		{jwt.SigningMethodPS384, rsaKey(), "rsa"}, {jwt.SigningMethodPS512, rsaKey(), "rsa"},
		{jwt.SigningMethodRS256, rsaKey(), "rs256"}, {jwt.SigningMethodES256, ecKey(), "ec"},
		{jwt.SigningMethodES384, ec384Key(), "ec384"}, {jwt.SigningMethodES512, ec521Key(), "ec521"},
		{jwt.SigningMethodEdDSA, edKey(), "ed"},
	} {
		t.Run(tc.method.Alg()+"With"+tc.kid, func(t *testing.T) {
			accepted(t, v, sign(t, tc.method, tc.key, good(), "kid", tc.kid))
			accepted(t, v, sign(t, tc.method, tc.key, good())) // without kid, the keys that fit are tried
		})
	}
	v.keys.unknown.SetLimit(0) // refreshes are another test's matter
	v.keys.unknown.AllowN(c.now(), 1)
	pemKey := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: must(x509.MarshalPKIXPublicKey(rsaKey().Public()))})
	for name, tc := range map[string]struct{ token, text string }{
		"OtherAlgThanTheKeys":  {sign(t, jwt.SigningMethodPS256, rsaKey(), good(), "kid", "rs256"), "kid"},
		"WrongKid":             {sign(t, jwt.SigningMethodRS256, rsaKey(), good(), "kid", "nobody"), "kid"},
		"KidOfAnotherType":     {sign(t, jwt.SigningMethodRS256, rsaKey(), good(), "kid", "ec"), "kid"},
		"KidOfAnotherCurve":    {sign(t, jwt.SigningMethodES256, ecKey(), good(), "kid", "ec384"), "kid"},
		"SignedByAnotherKey":   {sign(t, jwt.SigningMethodES256, must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)), good(), "kid", "ec"), "signature"},
		"PublicKeyAsSecret":    {sign(t, jwt.SigningMethodHS256, pemKey, good(), "kid", "rsa"), "alg"},
		"PublicKeyDERAsSecret": {sign(t, jwt.SigningMethodHS256, x509.MarshalPKCS1PublicKey(&rsaKey().PublicKey), good(), "kid", "rsa"), "alg"},
		"SecretWithoutSecret":  {hs(t, good()), "alg"},
		"AlgNone":              {sign(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, good(), "kid", "rsa"), "alg"},
		"ClaimsStillCount":     {sign(t, jwt.SigningMethodEdDSA, edKey(), with(jwt.MapClaims{"exp": nil}), "kid", "ed"), "exp"},
	} {
		t.Run(name, func(t *testing.T) { refused(t, v, tc.token, orders.Unauthenticated, tc.text) })
	}
}

func TestSecretAndJWKSNeverCross(t *testing.T) {
	c := &clock{}
	i := newIssuer(t, jwk("rsa", "", rsaKey().Public()))
	v := started(t, Config{Secret: secret, JWKSURL: i.URL, Now: c.now})
	accepted(t, v, hs(t, good()))
	accepted(t, v, sign(t, jwt.SigningMethodRS256, rsaKey(), good(), "kid", "rsa"))
	pemKey := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: must(x509.MarshalPKIXPublicKey(rsaKey().Public()))})
	refused(t, v, sign(t, jwt.SigningMethodHS256, pemKey, good(), "kid", "rsa"), orders.Unauthenticated, "signature")
	i.fail()
	accepted(t, v, sign(t, jwt.SigningMethodHS256, secret, good(), "kid", "mine")) // its kid asks nobody
	if n := i.asked.Load(); n != 1 {
		t.Errorf("the issuer was asked %d times", n)
	}
}

func TestJWKSSkipsKeysThatAreNone(t *testing.T) {
	c := &clock{}
	small := must(rsa.GenerateKey(rand.Reader, 1024))
	enc := jwk("enc", "", ecKey().Public())
	enc.USE = jwkset.UseEnc
	derive := jwk("derive", "", ecKey().Public())
	derive.KEYOPS = []jwkset.KEYOPS{jwkset.KeyOpsDeriveKey}
	i := newIssuer(t, jwkset.JWKMarshal{KTY: jwkset.KtyOct, KID: "oct", K: "a2V5a2V5a2V5a2V5a2V5a2V5a2V5a2V5a2V5a2V5a2U"},
		jwkset.JWKMarshal{KTY: "new", KID: "new"}, enc, derive, jwk("small", "", small.Public()),
		jwk("none", "HS256", rsaKey().Public()), jwk("good", "", ec384Key().Public()))
	v := started(t, Config{JWKSURL: i.URL, Now: c.now})
	if len(v.keys.keys) != 1 || v.keys.keys[0].kid != "good" {
		t.Errorf("keys %v", v.keys.keys)
	}
	accepted(t, v, sign(t, jwt.SigningMethodES384, ec384Key(), good(), "kid", "good"))
	refused(t, v, sign(t, jwt.SigningMethodES256, ecKey(), good(), "kid", "enc"), orders.Unauthenticated, "kid")
}

func TestJWKSRotation(t *testing.T) {
	c := &clock{}
	i := newIssuer(t, jwk("one", "", edKey().Public()))
	v := started(t, Config{JWKSURL: i.URL, Now: c.now})
	one, two := sign(t, jwt.SigningMethodEdDSA, edKey(), good(), "kid", "one"), sign(t, jwt.SigningMethodES256, ecKey(), good(), "kid", "two")
	accepted(t, v, one)

	t.Run("NewKeyIsReadWhenATokenNeedsIt", func(t *testing.T) {
		i.publish(jwk("one", "", edKey().Public()), jwk("two", "", ecKey().Public()))
		var wg sync.WaitGroup
		for range 10 { // all wait for the same refresh
			wg.Go(func() {
				if _, err := v.Verify(context.Background(), two); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if n := i.asked.Load(); n != 2 {
			t.Errorf("the issuer was asked %d times, want 2", n)
		}
	})
	t.Run("MadeUpKidsDoNotFloodTheIssuer", func(t *testing.T) {
		for range 20 {
			refused(t, v, sign(t, jwt.SigningMethodES256, ecKey(), good(), "kid", rand.Text()), orders.Unauthenticated, "kid")
		}
		if n := i.asked.Load(); n != 2 {
			t.Errorf("the issuer was asked %d times, want 2", n)
		}
		c.advance(unknownKeyEvery)
		refused(t, v, sign(t, jwt.SigningMethodES256, ecKey(), good(), "kid", "three"), orders.Unauthenticated, "kid")
		if n := i.asked.Load(); n != 3 {
			t.Errorf("the issuer was asked %d times, want 3", n)
		}
	})
	t.Run("WithdrawnKeyEndsCachedTokens", func(t *testing.T) {
		accepted(t, v, one)
		i.publish(jwk("two", "", ecKey().Public()))
		c.advance(unknownKeyEvery)
		refused(t, v, sign(t, jwt.SigningMethodES256, ecKey(), good(), "kid", "four"), orders.Unauthenticated, "kid")
		refused(t, v, one, orders.Unauthenticated, "kid")
		accepted(t, v, two)
	})
	t.Run("EmptySetWithdrawsAll", func(t *testing.T) {
		i.publish()
		c.advance(unknownKeyEvery)
		refused(t, v, sign(t, jwt.SigningMethodES256, ecKey(), good(), "kid", "five"), orders.Unauthenticated, "kid")
		refused(t, v, two, orders.Unauthenticated, "kid")
	})
}

func TestJWKSDown(t *testing.T) {
	c := &clock{}
	i := newIssuer(t)
	i.fail()
	v := newVerifier(t, Config{Secret: secret, JWKSURL: i.URL, Now: c.now})
	v.keys.times = refreshTimes{every: 5 * time.Millisecond, first: time.Millisecond, last: 5 * time.Millisecond, timeout: time.Second, wait: 20 * time.Millisecond}
	token := sign(t, jwt.SigningMethodEdDSA, edKey(), good(), "kid", "ed")
	refused(t, v, token, orders.Unavailable, "cannot be read") // Run has not begun
	accepted(t, v, hs(t, good()))
	stop := run(t, v)
	eventually(t, "three tries", func() bool { return i.asked.Load() >= 3 })
	refused(t, v, token, orders.Unavailable, "cannot be read")
	accepted(t, v, hs(t, good()))

	i.publish(jwk("ed", "", edKey().Public()))
	eventually(t, "keys are read", v.keys.isLoaded)
	accepted(t, v, token)

	i.fail()
	for range 3 {
		n := i.asked.Load()
		eventually(t, "another try", func() bool { return i.asked.Load() > n })
	}
	accepted(t, v, token)                                                                                   // cached
	accepted(t, v, sign(t, jwt.SigningMethodEdDSA, edKey(), with(jwt.MapClaims{"sub": "c2"}), "kid", "ed")) // fresh
	stop()
	accepted(t, v, sign(t, jwt.SigningMethodEdDSA, edKey(), with(jwt.MapClaims{"sub": "c3"}), "kid", "ed"))
}

func TestJWKSBadAnswersChangeNothing(t *testing.T) {
	for name, answer := range map[string]http.HandlerFunc{
		"Huge": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(`{"keys":[],"x":"`))
			chunk := bytes.Repeat([]byte("x"), 64<<10)
			for range 2 * maxJWKS / len(chunk) {
				if _, err := w.Write(chunk); err != nil {
					return
				}
			}
			_, _ = w.Write([]byte(`"}`))
		},
		"NotJSON":   func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) },
		"NoKeys":    func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("{}")) },
		"NoContent": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) },
		"Loop":      func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/again", http.StatusFound) },
		"Slow":      func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
	} {
		t.Run(name, func(t *testing.T) {
			c := &clock{}
			var log lockedBuffer
			i := newIssuer(t, jwk("ed", "", edKey().Public()))
			address := strings.Replace(i.URL, "http://", "http://user:hunter2@", 1) + "?apikey=hunter2"
			v := newVerifier(t, Config{JWKSURL: address, Now: c.now, Log: zerolog.New(&log)})
			v.keys.times = refreshTimes{every: time.Millisecond, first: time.Millisecond, last: time.Millisecond, timeout: 50 * time.Millisecond, wait: time.Second}
			run(t, v)
			eventually(t, "keys are read", v.keys.isLoaded)
			i.do(answer)
			eventually(t, "a warning", func() bool { return strings.Contains(log.String(), `"warn"`) })
			n := i.asked.Load()
			eventually(t, "more tries", func() bool { return i.asked.Load() > n+1 })
			accepted(t, v, sign(t, jwt.SigningMethodEdDSA, edKey(), good(), "kid", "ed"))
			if s := log.String(); strings.Contains(s, "hunter2") || strings.Count(s, `"warn"`) > 2 {
				t.Errorf("log: %s", s) // two, if the answer changed in the middle of a request
			}
		})
	}
}

// lockedBuffer is a log that is read while it is written.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func TestVerifyDoesNotOutlastItsContext(t *testing.T) {
	c := &clock{}
	i := newIssuer(t, jwk("ed", "", edKey().Public()))
	v := started(t, Config{JWKSURL: i.URL, Now: c.now})
	v.keys.times.wait = time.Hour
	began := make(chan struct{})
	i.do(func(_ http.ResponseWriter, r *http.Request) { close(began); <-r.Context().Done() })
	ctx, cancel := context.WithCancel(context.Background())
	go func() { <-began; cancel() }()
	_, err := v.Verify(ctx, sign(t, jwt.SigningMethodEdDSA, edKey(), good(), "kid", "other"))
	if orders.KindOf(err) != orders.Unauthenticated {
		t.Errorf("error %v", err)
	}
}

func TestRunWithoutJWKSWaits(t *testing.T) {
	stop := run(t, newVerifier(t, Config{Secret: secret}))
	stop()
}

// TestRefreshIsNeverLost asks from many goroutines while refreshes come and go: every waiter must be woken.
func TestRefreshIsNeverLost(t *testing.T) {
	i := newIssuer(t, jwk("ed", "", edKey().Public()))
	v := newVerifier(t, Config{JWKSURL: i.URL})
	v.keys.times = refreshTimes{every: time.Millisecond, first: time.Millisecond, last: time.Millisecond, timeout: time.Second, wait: time.Minute}
	v.keys.unknown = rate.NewLimiter(rate.Inf, 1)
	stop := run(t, v)
	eventually(t, "keys are read", v.keys.isLoaded)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 25 {
				if !v.keys.refreshed(context.Background()) {
					t.Error("not refreshed")
				}
			}
		})
	}
	wg.Wait()
	stop()
	if v.keys.refreshed(context.Background()) {
		t.Error("refreshed after the end")
	}
}

func BenchmarkVerifyJWKS(b *testing.B) {
	c := &clock{}
	i := newIssuer(b, jwk("rsa", "", rsaKey().Public()), jwk("ec", "", ecKey().Public()), jwk("ed", "", edKey().Public()))
	v := started(b, Config{JWKSURL: i.URL, Now: c.now})
	for name, token := range map[string]string{
		"FreshRS256": sign(b, jwt.SigningMethodRS256, rsaKey(), good(), "kid", "rsa"),
		"FreshES256": sign(b, jwt.SigningMethodES256, ecKey(), good(), "kid", "ec"),
		"FreshEdDSA": sign(b, jwt.SigningMethodEdDSA, edKey(), good(), "kid", "ed"),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := v.verify(context.Background(), token); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
