package auth

import (
	"bytes"
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"go.uber.org/goleak"

	"doorbell/orders"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	secret = bytes.Repeat([]byte("k"), MinSecret)
	start  = time.Date(2030, 5, 1, 12, 0, 0, 0, time.UTC)
)

// clock is a virtual clock that several goroutines may read.
type clock struct{ offset atomic.Int64 }

func (c *clock) now() time.Time          { return start.Add(time.Duration(c.offset.Load())) }
func (c *clock) advance(d time.Duration) { c.offset.Add(int64(d)) }

func newVerifier(t testing.TB, cfg Config) *Verifier {
	t.Helper()
	v, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// good are the claims of a customer's token that is valid at start.
func good() jwt.MapClaims {
	return jwt.MapClaims{
		"iss": "doorbell", "aud": "doorbell", "sub": "cus_1", "role": "customer",
		"iat": start.Unix(), "exp": start.Add(time.Hour).Unix(),
	}
}

// with is good with changes; nil takes a claim away.
func with(changes jwt.MapClaims) jwt.MapClaims {
	c := good()
	for k, v := range changes {
		if c[k] = v; v == nil {
			delete(c, k)
		}
	}
	return c
}

// sign makes a token. header pairs are added to the header.
func sign(t testing.TB, m jwt.SigningMethod, key any, claims jwt.Claims, header ...string) string {
	t.Helper()
	token := jwt.NewWithClaims(m, claims)
	for i := 0; i < len(header); i += 2 {
		token.Header[header[i]] = header[i+1]
	}
	s, err := token.SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func hs(t testing.TB, claims jwt.Claims) string {
	t.Helper()
	return sign(t, jwt.SigningMethodHS256, secret, claims)
}

// refused checks that the token is not accepted, that the error is of this kind and has this text in it, and that it
// shows nothing of the token.
func refused(t *testing.T, v *Verifier, token string, kind orders.Kind, text string) {
	t.Helper()
	id, err := v.Verify(context.Background(), token)
	if err == nil {
		t.Fatalf("accepted as %v", id)
	}
	if got := orders.KindOf(err); got != kind {
		t.Errorf("kind %s, want %s: %v", got, kind, err)
	}
	if !strings.Contains(err.Error(), text) {
		t.Errorf("error %q does not say %q", err, text)
	}
	for _, part := range strings.Split(token, ".") {
		if len(part) > 3 && strings.Contains(err.Error(), part) {
			t.Errorf("error %q shows the token", err)
		}
	}
	if id.Role != "" || id.ID != "" {
		t.Errorf("an identity came with the error: %v", id)
	}
}
