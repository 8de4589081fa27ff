package auth

import (
	"context"
	"encoding/base64"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"doorbell/orders"
)

func TestVerifyAccepts(t *testing.T) {
	c := &clock{}
	v := newVerifier(t, Config{Secret: secret, Now: c.now})
	for name, tc := range map[string]struct {
		changes jwt.MapClaims
		want    orders.Caller
	}{
		"Customer": {nil, orders.Caller{Actor: orders.Actor{Role: orders.RoleCustomer, ID: "cus_1"}, Client: "default"}},
		"MerchantOfOne": {jwt.MapClaims{"sub": "mer_1", "role": "merchant", "restaurantId": "res_1"}, orders.Caller{
			Actor: orders.Actor{Role: orders.RoleMerchant, ID: "mer_1"}, Client: "default", Restaurants: []string{"res_1"},
		}},
		"MerchantOfTwoOfAnotherClient": {
			jwt.MapClaims{"role": "merchant", "restaurantId": []string{"res_1", "res_2"}, "client": "shop"}, orders.Caller{
				Actor:  orders.Actor{Role: orders.RoleMerchant, ID: "cus_1"},
				Client: "shop", Restaurants: []string{"res_1", "res_2"},
			},
		},
		"RestaurantOfACustomerCountsForNothing": {jwt.MapClaims{"restaurantId": "res_1"}, orders.Caller{
			Actor: orders.Actor{Role: orders.RoleCustomer, ID: "cus_1"}, Client: "default",
		}},
		"Courier": {jwt.MapClaims{"role": "courier"}, orders.Caller{
			Actor: orders.Actor{Role: orders.RoleCourier, ID: "cus_1"}, Client: "default",
		}},
		"Payment": {jwt.MapClaims{"role": "payment"}, orders.Caller{
			Actor: orders.Actor{Role: orders.RolePayment, ID: "cus_1"}, Client: "default",
		}},
		"OpsWithAudienceListAndFractions": {
			jwt.MapClaims{"role": "ops", "aud": []string{"x", "doorbell"}, "exp": float64(start.Unix()) + 0.5, "jti": "1"},
			orders.Caller{Actor: orders.Actor{Role: orders.RoleOps, ID: "cus_1"}, Client: "default"},
		},
		"ClocksApartWithinLeeway": {
			jwt.MapClaims{"nbf": start.Add(Leeway).Unix(), "iat": start.Add(Leeway).Unix()},
			orders.Caller{Actor: orders.Actor{Role: orders.RoleCustomer, ID: "cus_1"}, Client: "default"},
		},
		"NullIsAbsent": {jwt.MapClaims{"client": (*int)(nil), "nbf": (*int)(nil)}, orders.Caller{
			Actor: orders.Actor{Role: orders.RoleCustomer, ID: "cus_1"}, Client: "default",
		}},
		"LongestSub": {jwt.MapClaims{"sub": strings.Repeat("a", 64)}, orders.Caller{
			Actor: orders.Actor{Role: orders.RoleCustomer, ID: strings.Repeat("a", 64)}, Client: "default",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			token := hs(t, with(tc.changes))
			for range 2 { // fresh, then from the cache
				id, err := v.Verify(context.Background(), token)
				if err != nil {
					t.Fatal(err)
				}
				if !reflect.DeepEqual(id.Caller, tc.want) {
					t.Errorf("caller %+v, want %+v", id.Caller, tc.want)
				}
				if !id.ExpiresAt.After(start) || id.IssuedAt.IsZero() {
					t.Errorf("times %v, %v", id.IssuedAt, id.ExpiresAt)
				}
			}
		})
	}
}

func TestVerifyRefusesClaims(t *testing.T) {
	c := &clock{}
	revs := NewRevocations(map[string]time.Time{"cus_gone": start.Add(-time.Second + 900*time.Millisecond)})
	v := newVerifier(t, Config{Secret: secret, Now: c.now, Revocations: revs})
	for name, tc := range map[string]struct {
		changes jwt.MapClaims
		text    string
	}{
		"NoSub":                   {jwt.MapClaims{"sub": nil}, "sub"},
		"EmptySub":                {jwt.MapClaims{"sub": ""}, "sub"},
		"SubIsANumber":            {jwt.MapClaims{"sub": 7}, "sub"},
		"SubTooLong":              {jwt.MapClaims{"sub": strings.Repeat("a", 65)}, "sub"},
		"SubWithSlash":            {jwt.MapClaims{"sub": "a/b"}, "sub"},
		"SubWithSpace":            {jwt.MapClaims{"sub": "a b"}, "sub"},
		"SubWithLineBreak":        {jwt.MapClaims{"sub": "a\n"}, "sub"},
		"SubOfOtherLetters":       {jwt.MapClaims{"sub": "käthe"}, "sub"},
		"SubIsDots":               {jwt.MapClaims{"sub": ".."}, "sub"},
		"NoIssuer":                {jwt.MapClaims{"iss": nil}, "iss"},
		"ForeignIssuer":           {jwt.MapClaims{"iss": "other"}, "iss"},
		"NoAudience":              {jwt.MapClaims{"aud": nil}, "aud"},
		"WrongAudience":           {jwt.MapClaims{"aud": "other"}, "aud"},
		"WrongAudiences":          {jwt.MapClaims{"aud": []string{"other", "doorbell2"}}, "aud"},
		"NoExp":                   {jwt.MapClaims{"exp": nil}, "exp is missing"},
		"ExpIsNull":               {jwt.MapClaims{"exp": (*int)(nil)}, "exp is missing"},
		"ExpIsText":               {jwt.MapClaims{"exp": "2000000000"}, "exp is not"},
		"ExpNegative":             {jwt.MapClaims{"exp": -1}, "exp is not"},
		"ExpBeyondAllTimes":       {jwt.MapClaims{"exp": 1e300}, "exp is not"},
		"ExpiredThisSecond":       {jwt.MapClaims{"exp": start.Unix()}, "expired"},
		"Expired":                 {jwt.MapClaims{"exp": start.Unix() - 1}, "expired"},
		"NotYetValid":             {jwt.MapClaims{"nbf": start.Add(Leeway + time.Second).Unix()}, "not valid yet"},
		"NbfIsText":               {jwt.MapClaims{"nbf": "now"}, "nbf"},
		"IssuedInTheFuture":       {jwt.MapClaims{"iat": start.Add(Leeway + time.Second).Unix()}, "future"},
		"IatIsText":               {jwt.MapClaims{"iat": "now"}, "iat"},
		"NoRole":                  {jwt.MapClaims{"role": nil}, "role"},
		"UnknownRole":             {jwt.MapClaims{"role": "admin"}, "role"},
		"RoleInCapitals":          {jwt.MapClaims{"role": "OPS"}, "role"},
		"RoleIsAList":             {jwt.MapClaims{"role": []string{"ops"}}, "role"},
		"Tracker":                 {jwt.MapClaims{"role": "tracker"}, "role"},
		"System":                  {jwt.MapClaims{"role": "system"}, "role"},
		"MerchantWithoutOne":      {jwt.MapClaims{"role": "merchant"}, "restaurantId"},
		"MerchantOfEmptyList":     {jwt.MapClaims{"role": "merchant", "restaurantId": []string{}}, "restaurantId"},
		"RestaurantIsANumber":     {jwt.MapClaims{"role": "merchant", "restaurantId": 7}, "restaurantId"},
		"RestaurantsAreNumbers":   {jwt.MapClaims{"role": "merchant", "restaurantId": []any{"res_1", 7}}, "restaurantId"},
		"RestaurantIsNull":        {jwt.MapClaims{"role": "merchant", "restaurantId": []any{"res_1", nil}}, "restaurantId"},
		"RestaurantIsAStar":       {jwt.MapClaims{"role": "merchant", "restaurantId": "*"}, "restaurantId"},
		"ClientIsANumber":         {jwt.MapClaims{"client": 7}, "client"},
		"ClientEmpty":             {jwt.MapClaims{"client": ""}, "client"},
		"JtiIsANumber":            {jwt.MapClaims{"jti": 7}, "jti"},
		"Revoked":                 {jwt.MapClaims{"sub": "cus_gone", "iat": start.Unix() - 1}, "revoked"},
		"RevokedInTheSameSecond":  {jwt.MapClaims{"sub": "cus_gone", "iat": float64(start.Unix()) - 0.01}, "revoked"},
		"RevokedAndIatMissing":    {jwt.MapClaims{"sub": "cus_gone", "iat": nil}, "iat is missing"},
		"ClaimNamesInCapitals":    {jwt.MapClaims{"sub": nil, "SUB": "cus_1"}, "sub"},
		"MoreClaimsThanAnyReader": {many(), "claims"},
	} {
		t.Run(name, func(t *testing.T) {
			token := hs(t, with(tc.changes))
			refused(t, v, token, orders.Unauthenticated, tc.text)
			refused(t, v, token, orders.Unauthenticated, tc.text) // what the first left in the cache does not matter
		})
	}
}

func many() jwt.MapClaims {
	c := jwt.MapClaims{}
	for i := range maxClaims {
		c[fmt.Sprint("c", i)] = i
	}
	return c
}

func TestVerifyRefusesForms(t *testing.T) {
	c := &clock{}
	v := newVerifier(t, Config{Secret: secret, Now: c.now})
	token := hs(t, good())
	parts := strings.Split(token, ".")
	raw := func(header, claims string) string { // signed, whatever it says
		text := base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + base64.RawURLEncoding.EncodeToString([]byte(claims))
		sig, err := jwt.SigningMethodHS256.Sign(text, secret)
		if err != nil {
			t.Fatal(err)
		}
		return text + "." + base64.RawURLEncoding.EncodeToString(sig)
	}
	const header = `{"alg":"HS256"}`
	for name, tc := range map[string]struct{ token, text string }{
		"Empty":             {"", "characters"},
		"NoDots":            {parts[0], "not a JWT"},
		"OneDot":            {parts[0] + "." + parts[1], "not a JWT"},
		"ThreeDots":         {token + ".", "not a JWT"},
		"OnlyDots":          {"..", "not a JWT"},
		"NoSignature":       {parts[0] + "." + parts[1] + ".", "signature"},
		"Truncated":         {token[:len(token)-3], "signature"},
		"OtherSignature":    {parts[0] + "." + parts[1] + "." + strings.Repeat("A", 43), "signature"},
		"OtherClaims":       {parts[0] + "." + strings.Split(hs(t, with(jwt.MapClaims{"role": "ops"})), ".")[1] + "." + parts[2], "signature"},
		"LineBreak":         {token[:len(token)-4] + "\n" + token[len(token)-4:], "characters"},
		"Padding":           {token + "=", "characters"},
		"SecondSpelling":    {token[:len(token)-1] + next(token[len(token)-1]), "not a JWT"},
		"Huge":              {parts[0] + "." + strings.Repeat("A", maxToken) + "." + parts[2], "bytes"},
		"AlgNone":           {sign(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, good()), "alg"},
		"AlgNoneInCapitals": {raw(`{"alg":"NONE"}`, "{}"), "alg"},
		"NoAlg":             {raw(`{}`, "{}"), "alg"},
		"AlgIsANumber":      {raw(`{"alg":1}`, "{}"), "alg"},
		"HS512":             {sign(t, jwt.SigningMethodHS512, secret, good()), "alg"},
		"RS256WithoutJWKS":  {raw(`{"alg":"RS256"}`, "{}"), "alg"},
		"OtherSecret":       {sign(t, jwt.SigningMethodHS256, []byte(strings.Repeat("x", 32)), good()), "signature"},
		"EmptySecret":       {sign(t, jwt.SigningMethodHS256, []byte{}, good()), "signature"},
		"Crit":              {sign(t, jwt.SigningMethodHS256, secret, good(), "crit", "exp"), "crit"},
		"KidIsANumber":      {raw(`{"alg":"HS256","kid":1}`, "{}"), "kid"},
		"HeaderIsAList":     {raw(`[]`, "{}"), "not a JWT"},
		"ClaimsAreAList":    {raw(header, "[]"), "not a JWT"},
		"ClaimsAreNull":     {raw(header, "null"), "iss"},
		"ClaimsAreNotJSON":  {raw(header, "{"), "not a JWT"},
		"MoreThanClaims":    {raw(header, "{}{}"), "not a JWT"},
		"SubTwice":          {raw(header, `{"sub":"a","sub":"b"}`), "twice"},
		"SubTwiceEscaped":   {raw(header, `{"sub":"a","\u0073ub":"b"}`), "twice"},
		"LinkTooShort":      {"trk_AAAA", "tracking"},
		"LinkWithLineBreak": {"trk_" + strings.Repeat("A", 20) + "\n" + strings.Repeat("A", 23), "tracking"},
	} {
		t.Run(name, func(t *testing.T) { refused(t, v, tc.token, orders.Unauthenticated, tc.text) })
	}
}

// next is the base64url digit after c: in a last digit with unused bits it decodes to the same bytes.
func next(c byte) string {
	const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	return digits[strings.IndexByte(digits, c)+1:][:1]
}

func TestVerifyFollowsTimeAndRevocations(t *testing.T) {
	c := &clock{}
	revs := NewRevocations(nil)
	v := newVerifier(t, Config{Secret: secret, Now: c.now, Revocations: revs})
	old, other := hs(t, good()), hs(t, with(jwt.MapClaims{"sub": "cus_2"}))
	accepted := func(token string) {
		t.Helper()
		if _, err := v.Verify(context.Background(), token); err != nil {
			t.Fatal(err)
		}
	}
	accepted(old)
	accepted(other)

	c.advance(10 * time.Second)
	revs.Revoke("cus_1", c.now())
	refused(t, v, old, orders.Unauthenticated, "revoked")
	accepted(other)
	c.advance(time.Second)
	accepted(hs(t, with(jwt.MapClaims{"iat": c.now().Unix()})))

	c.advance(time.Hour - 11*time.Second - time.Nanosecond)
	accepted(other)
	c.advance(time.Nanosecond)
	refused(t, v, other, orders.Unauthenticated, "expired")
}

func TestVerifyIssuerAndAudienceOfConfig(t *testing.T) {
	c := &clock{}
	v := newVerifier(t, Config{Secret: secret, Now: c.now, Issuer: "shop", Audience: "rides"})
	refused(t, v, hs(t, good()), orders.Unauthenticated, "iss")
	if _, err := v.Verify(context.Background(), hs(t, with(jwt.MapClaims{"iss": "shop", "aud": "rides"}))); err != nil {
		t.Error(err)
	}
}

func TestNewRefusesConfig(t *testing.T) {
	for name, cfg := range map[string]Config{
		"Nothing":     {},
		"ShortSecret": {Secret: secret[:MinSecret-1]},
		"URLNoScheme": {JWKSURL: "example.com/keys"},
		"URLOfAFile":  {JWKSURL: "file:///etc/keys"},
		"URLNoHost":   {JWKSURL: "https:///keys"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := New(cfg); err == nil || strings.Contains(err.Error(), string(secret[:8])) {
				t.Errorf("error %v", err)
			}
		})
	}
}

func TestTracker(t *testing.T) {
	c := &clock{}
	v := newVerifier(t, Config{Secret: secret, Now: c.now})
	o := &orders.Order{ID: orders.NewID(start), TrackKey: []byte("0123456789abcdef")}
	id, err := v.Verify(context.Background(), o.TrackingToken())
	if err != nil {
		t.Fatal(err)
	}
	if id.Role != orders.RoleTracker || id.OrderID != o.ID || id.ID != "" {
		t.Errorf("identity %+v", id.Caller)
	}
	if !id.Opens(o) {
		t.Error("does not open its order")
	}
	for name, other := range map[string]orders.Order{
		"OtherKey":   {ID: o.ID, TrackKey: []byte("0123456789abcdeX")},
		"NoKey":      {ID: o.ID},
		"OtherOrder": {ID: orders.NewID(start), TrackKey: o.TrackKey},
	} {
		if id.Opens(&other) {
			t.Errorf("opens an order with %s", name)
		}
	}
	if (Identity{Caller: orders.Caller{Actor: orders.Actor{Role: orders.RoleOps}, OrderID: o.ID}}).Opens(o) {
		t.Error("ops opens with a link")
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d"} {
		if s := fmt.Sprintf(verb, id); s != "tracker "+o.ID {
			t.Errorf("%s prints %q", verb, s)
		}
	}
}

func FuzzVerify(f *testing.F) {
	c := &clock{}
	v := newVerifier(f, Config{Secret: secret, Now: c.now})
	token := hs(f, good())
	f.Add(token)
	f.Add(token[:len(token)-1])
	f.Add("trk_" + strings.Repeat("A", 43))
	f.Add(sign(f, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, good()))
	f.Add("e30.e30.")
	f.Fuzz(func(t *testing.T, s string) {
		id, err := v.Verify(context.Background(), s)
		switch {
		case err != nil:
			if orders.KindOf(err) != orders.Unauthenticated {
				t.Errorf("kind of %v", err)
			}
		case id.Role == orders.RoleTracker: // a claim that Opens has to prove
			if orderID, _, ok := orders.ParseTrackingToken(s); !ok || orderID != id.OrderID {
				t.Errorf("link accepted as %v", id)
			}
		case s != token:
			t.Errorf("a token nobody signed is accepted as %v", id)
		}
	})
}

// FuzzClaims lets the payload vary under a good signature: whatever is accepted must be whole.
func FuzzClaims(f *testing.F) {
	c := &clock{}
	v := newVerifier(f, Config{Secret: secret, Now: c.now})
	f.Add([]byte(`{"iss":"doorbell","aud":["doorbell"],"sub":"a","role":"merchant","restaurantId":["r"],"exp":1.9e9,"iat":1}`))
	f.Add([]byte(`{"iss":"doorbell","aud":"doorbell","sub":"a","role":"ops","exp":2000000000,"client":null}`))
	f.Fuzz(func(t *testing.T, payload []byte) {
		text := "eyJhbGciOiJIUzI1NiJ9." + base64.RawURLEncoding.EncodeToString(payload)
		sig, err := jwt.SigningMethodHS256.Sign(text, secret)
		if err != nil {
			t.Fatal(err)
		}
		id, err := v.Verify(context.Background(), text+"."+base64.RawURLEncoding.EncodeToString(sig))
		if err != nil {
			if orders.KindOf(err) != orders.Unauthenticated {
				t.Errorf("kind of %v", err)
			}
			return
		}
		if flaw(id.Caller) != "" || !id.ExpiresAt.After(c.now()) || id.OrderID != "" {
			t.Errorf("accepted: %+v", id.Caller)
		}
		if (id.Role == orders.RoleMerchant) != (len(id.Restaurants) > 0) {
			t.Errorf("restaurants of %v: %v", id, id.Restaurants)
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	c := &clock{}
	v := newVerifier(b, Config{Secret: secret, Now: c.now, Revocations: NewRevocations(map[string]time.Time{"x": start})})
	token := hs(b, good())
	b.Run("FreshHS256", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := v.verify(context.Background(), token); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("Cached", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := v.Verify(context.Background(), token); err != nil {
				b.Fatal(err)
			}
		}
	})
}
