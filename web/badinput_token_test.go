package web_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"doorbell/orders"
	"doorbell/web/auth"
)

// signed is a token with these claims over good ones (nil takes one away).
func signed(t testing.TB, method jwt.SigningMethod, key any, claims jwt.MapClaims) string {
	t.Helper()
	all := jwt.MapClaims{
		"iss": "doorbell", "aud": "doorbell", "sub": "cus_1", "role": "customer",
		"iat": time.Now().Add(-time.Second).Unix(), "exp": time.Now().Add(time.Hour).Unix(),
	}
	for k, v := range claims {
		if all[k] = v; v == nil {
			delete(all, k)
		}
	}
	s, err := jwt.NewWithClaims(method, all).SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestBadTokens: what is no good token answers 401 with WWW-Authenticate on every door, before anything else is looked
// at, and writes nothing.
func TestBadTokens(t *testing.T) {
	n, c := start(t), newCast(t)
	n.restaurant(c, "res_1", nil)
	path := n.order(c, "placed", nil)
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	ecKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	hs := func(claims jwt.MapClaims) string { return signed(t, jwt.SigningMethodHS256, secret, claims) }
	if n.get(path, hs(nil)).Code != 200 {
		t.Fatal("the good token these are made from is none")
	}
	good := strings.Split(c.customer, ".")
	for name, header := range map[string][]string{
		"no header":                 nil,
		"an empty header":           {""},
		"another scheme":            {"Basic Y3VzXzE6cGFzcw=="},
		"no scheme":                 {c.customer},
		"a scheme and no token":     {"Bearer"},
		"a scheme and spaces":       {"Bearer   "},
		"made up":                   {"Bearer abc"},
		"made up in three parts":    {"Bearer a.b.c"},
		"two in one header":         {"Bearer " + c.customer + ", Bearer " + c.ops},
		"two headers":               {"Bearer " + c.customer, "Bearer " + c.customer},
		"two headers, one empty":    {"", "Bearer " + c.customer},
		"two headers, one is Basic": {"Bearer " + c.customer, "Basic eA=="},
		"20 kB would not pass":      {"Bearer " + strings.Repeat("a", 9<<10)},
		"no signature":              {"Bearer " + good[0] + "." + good[1] + "."},
		"two parts":                 {"Bearer " + good[0] + "." + good[1]},
		"another's signature":       {"Bearer " + good[0] + "." + good[1] + "." + strings.Split(c.ops, ".")[2]},
		"another's claims":          {"Bearer " + good[0] + "." + strings.Split(c.ops, ".")[1] + "." + good[2]},
		"padding":                   {"Bearer " + c.customer + "="},
		"another secret":            {"Bearer " + signed(t, jwt.SigningMethodHS256, []byte("another secret, as long as it must be"), nil)},
		"HS384":                     {"Bearer " + signed(t, jwt.SigningMethodHS384, secret, nil)},
		"HS512":                     {"Bearer " + signed(t, jwt.SigningMethodHS512, secret, nil)},
		"alg none":                  {"Bearer " + signed(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, nil)},
		"alg NoNe":                  {"Bearer " + rawToken(t, `{"alg":"NoNe","typ":"JWT"}`, "")},
		"alg absent":                {"Bearer " + rawToken(t, `{"typ":"JWT"}`, "x")},
		"RS256":                     {"Bearer " + signed(t, jwt.SigningMethodRS256, rsaKey, nil)},
		"PS256":                     {"Bearer " + signed(t, jwt.SigningMethodPS256, rsaKey, nil)},
		"ES256":                     {"Bearer " + signed(t, jwt.SigningMethodES256, ecKey, nil)},
		"EdDSA":                     {"Bearer " + signed(t, jwt.SigningMethodEdDSA, edKey, nil)},
		"a foreign issuer":          {"Bearer " + hs(jwt.MapClaims{"iss": "doorbell.evil"})},
		"no issuer":                 {"Bearer " + hs(jwt.MapClaims{"iss": nil})},
		"a list of issuers":         {"Bearer " + hs(jwt.MapClaims{"iss": []string{"doorbell"}})},
		"a foreign audience":        {"Bearer " + hs(jwt.MapClaims{"aud": "billing"})},
		"foreign audiences":         {"Bearer " + hs(jwt.MapClaims{"aud": []string{"billing", "doorbell2"}})},
		"no audience":               {"Bearer " + hs(jwt.MapClaims{"aud": nil})},
		"expired":                   {"Bearer " + hs(jwt.MapClaims{"exp": time.Now().Add(-time.Second).Unix()})},
		"expiring now":              {"Bearer " + hs(jwt.MapClaims{"exp": time.Now().Unix()})},
		"no end":                    {"Bearer " + hs(jwt.MapClaims{"exp": nil})},
		"an end in words":           {"Bearer " + hs(jwt.MapClaims{"exp": "tomorrow"})},
		"an end in a string":        {"Bearer " + hs(jwt.MapClaims{"exp": "99999999999"})},
		"an end beyond all times":   {"Bearer " + hs(jwt.MapClaims{"exp": 1e300})},
		"not yet valid":             {"Bearer " + hs(jwt.MapClaims{"nbf": time.Now().Add(time.Minute).Unix()})},
		"from the future":           {"Bearer " + hs(jwt.MapClaims{"iat": time.Now().Add(time.Minute).Unix()})},
		"no sub":                    {"Bearer " + hs(jwt.MapClaims{"sub": nil})},
		"an empty sub":              {"Bearer " + hs(jwt.MapClaims{"sub": ""})},
		"a number for a sub":        {"Bearer " + hs(jwt.MapClaims{"sub": 7})},
		"a sub that is a path":      {"Bearer " + hs(jwt.MapClaims{"sub": "../cus_1"})},
		"a sub with a space behind": {"Bearer " + hs(jwt.MapClaims{"sub": "cus_1 "})},
		"no role":                   {"Bearer " + hs(jwt.MapClaims{"role": nil})},
		"a made-up role":            {"Bearer " + hs(jwt.MapClaims{"role": "root"})},
		"the system's role":         {"Bearer " + hs(jwt.MapClaims{"role": "system"})},
		"a tracker's role":          {"Bearer " + hs(jwt.MapClaims{"role": "tracker"})},
		"OPS":                       {"Bearer " + hs(jwt.MapClaims{"role": "OPS"})},
		"two roles":                 {"Bearer " + hs(jwt.MapClaims{"role": []string{"customer", "ops"}})},
		"a merchant of nothing":     {"Bearer " + hs(jwt.MapClaims{"role": "merchant"})},
		"a merchant of everything":  {"Bearer " + hs(jwt.MapClaims{"role": "merchant", "restaurantId": "*"})},
		"a damaged tracking link":   {"Bearer trk_AAAA"},
		"a made-up tracking link":   {"Bearer trk_" + base64.RawURLEncoding.EncodeToString(make([]byte, 32))},
	} {
		t.Run(name, func(t *testing.T) {
			n := n.as(t)
			n.writesNothing(func() {
				for _, op := range []struct {
					method, path string
					body         any
				}{
					{"GET", path, nil}, {"GET", "/v1/orders", nil}, {"GET", path + "/events", nil}, {"POST", "/v1/orders", orderBody(nil)},
					{"POST", path + "/pay", js{"amount": 5000, "transactionId": "t"}}, {"POST", path + "/cancel", js{"reason": "OTHER"}},
					{"PUT", path + "/courier", js{"courierId": "cou_1"}}, {"DELETE", path + "/courier", nil}, {"PUT", "/v1/restaurants/res_1", js{"name": "x", "lat": 1, "lon": 1}},
					{"POST", "/v1/revocations", js{"sub": "ops_1"}}, {"GET", "/v1/orders/ord_1", nil}, {"POST", "/v1/orders", "{"}, {"GET", "/v1/orders?limit=0", nil},
				} {
					var headers []string
					for _, h := range header {
						headers = append(headers, "Authorization", h)
					}
					r := n.call(op.method, op.path, "", op.body, headers...).problem(401, orders.Unauthenticated)
					if !strings.HasPrefix(r.Header.Get("WWW-Authenticate"), "Bearer") {
						t.Errorf("%s %s: WWW-Authenticate is %q", op.method, op.path, r.Header.Get("WWW-Authenticate"))
					}
					for _, h := range header {
						if len(h) > 30 && strings.Contains(string(r.Raw), h[len(h)-20:]) {
							t.Errorf("the answer quotes the token: %s", r.Raw)
						}
					}
				}
			})
		})
	}
	t.Run("a token in the query, the body or a cookie is none", func(t *testing.T) {
		n := n.as(t)
		n.writesNothing(func() {
			n.get(path+"?access_token="+c.customer, "").problem(401, orders.Unauthenticated)
			n.get("/v1/orders?token="+c.ops+"&limit=5", "").problem(401, orders.Unauthenticated)
			n.get(path, "", "Cookie", "token="+c.customer).problem(401, orders.Unauthenticated)
			n.get(path, "", "X-Api-Key", c.customer, "Proxy-Authorization", "Bearer "+c.customer).problem(401, orders.Unauthenticated)
			n.post("/v1/orders", "", orderBody(func(b js) { b["access_token"] = c.customer })).problem(401, orders.Unauthenticated)
			n.get(path+"?access_token="+c.customer, c.customer).problem(400, orders.Invalid).pointsAt("access_token")
		})
	})
	t.Run("BEARER and bearer are the same scheme", func(t *testing.T) {
		n := n.as(t)
		n.get(path, "", "Authorization", "bearer "+c.customer).want(200)
		n.get(path, "", "Authorization", "BEARER  "+c.customer+" ").want(200)
	})
}

// rawToken is a token with this header and good claims, signed with nothing.
func rawToken(t testing.TB, header, signature string) string {
	t.Helper()
	enc := base64.RawURLEncoding.EncodeToString
	claims, err := json.Marshal(map[string]any{
		"iss": "doorbell", "aud": "doorbell", "sub": "ops_1", "role": "ops", "exp": time.Now().Add(time.Hour).Unix(),
	})
	if err != nil {
		t.Fatal(err)
	}
	return enc([]byte(header)) + "." + enc(claims) + "." + enc([]byte(signature))
}

// TestRevocation: the tokens of a sub issued up to the second of its revocation stop at once, those of the next second
// work, those that do not say when they were issued never again. Nobody else is touched.
func TestRevocation(t *testing.T) {
	n, c := start(t), newCast(t)
	n.restaurant(c, "res_1", nil)
	path := n.order(c, "placed", nil)
	timeless := signed(t, jwt.SigningMethodHS256, secret, jwt.MapClaims{"iat": nil})
	n.get(path, c.customer).want(200)
	n.get(path, timeless).want(200)

	n.writesNothing(func() {
		for _, who := range []string{c.customer, c.merchant, c.courier, c.payment} {
			n.post("/v1/revocations", who, js{"sub": "cus_1"}).problem(403, orders.Forbidden)
		}
		n.post("/v1/revocations", c.ops, js{}).problem(400, orders.Invalid).pointsAt("/sub")
		n.post("/v1/revocations", c.ops, js{"sub": strings.Repeat("a", 256)}).problem(400, orders.Invalid).pointsAt("/sub")
		n.get(path, c.customer).want(200)
	})
	r := n.post("/v1/revocations", c.ops, js{"sub": "cus_1"}).want(200)
	revoked, err := time.Parse(time.RFC3339, r.text("revokedAt"))
	if err != nil || r.text("sub") != "cus_1" || time.Since(revoked).Abs() > 5*time.Second {
		t.Fatalf("%s: %v", r.Raw, err)
	}
	issued := func(at time.Time, sub string) string {
		s, err := auth.Mint(secret, auth.Claims{Subject: sub, Role: orders.RoleCustomer, IssuedAt: at, ExpiresAt: at.Add(time.Hour)})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	n.writesNothing(func() {
		for name, token := range map[string]string{
			"seen before": c.customer, "without iat": timeless, "never seen": issued(revoked.Add(-30*time.Minute), "cus_1"),
			"of the same second": issued(revoked, "cus_1"), "of the same sub in another role": signed(t, jwt.SigningMethodHS256, secret, jwt.MapClaims{"role": "courier", "iat": revoked.Unix()}),
		} {
			if got := n.get(path, token); got.Code != 401 || got.Header.Get("WWW-Authenticate") == "" {
				t.Errorf("a token %s: %d %s", name, got.Code, got.Raw)
			}
			n.post("/v1/orders", token, orderBody(nil)).problem(401, orders.Unauthenticated)
		}
	})
	n.get(path, issued(revoked.Add(time.Second), "cus_1")).want(200)
	n.post("/v1/orders", issued(revoked.Add(time.Second), "cus_1"), orderBody(nil)).want(201)
	n.get("/v1/orders", c.stranger).want(200)
	n.get(path, c.ops).want(200)

	t.Run("twice moves it on, never back", func(t *testing.T) {
		n := n.as(t)
		n.now.pass(2 * time.Second)
		n.post("/v1/revocations", c.ops, js{"sub": "cus_1"}).want(200)
		n.get(path, issued(revoked.Add(time.Second), "cus_1")).problem(401, orders.Unauthenticated)
		n.now.pass(-2 * time.Second)
		n.post("/v1/revocations", c.ops, js{"sub": "cus_1"}).want(200)
		n.get(path, issued(revoked.Add(time.Second), "cus_1")).problem(401, orders.Unauthenticated)
		n.get(path, issued(revoked.Add(4*time.Second), "cus_1")).want(200)
	})
	t.Run("ops may revoke itself", func(t *testing.T) {
		n := n.as(t)
		n.post("/v1/revocations", c.ops, js{"sub": "ops_1"}).want(http.StatusOK)
		n.get(path, c.ops).problem(401, orders.Unauthenticated)
	})
}
