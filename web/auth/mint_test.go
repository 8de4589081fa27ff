package auth

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"pgregory.net/rapid"

	"doorbell/orders"
)

func TestMintedTokensAreAccepted(t *testing.T) {
	c := &clock{}
	v := newVerifier(t, Config{Secret: secret, Now: c.now})
	id := rapid.StringMatching(`[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}`)
	rapid.Check(t, func(t *rapid.T) {
		want := Claims{
			Subject:   id.Draw(t, "sub"),
			Role:      rapid.SampledFrom([]orders.Role{"customer", "merchant", "courier", "payment", "ops"}).Draw(t, "role"),
			Client:    rapid.OneOf(rapid.Just(""), id).Draw(t, "client"),
			IssuedAt:  start,
			ExpiresAt: start.Add(time.Duration(rapid.IntRange(1, 1e6).Draw(t, "ttl")) * time.Second),
		}
		if want.Role == orders.RoleMerchant {
			want.Restaurants = rapid.SliceOfN(id, 1, 5).Draw(t, "restaurants")
		}
		token, err := Mint(secret, want)
		if err != nil {
			t.Fatal(err)
		}
		got, err := v.Verify(context.Background(), token)
		if err != nil {
			t.Fatal(err)
		}
		if got.ID != want.Subject || got.Role != want.Role || got.Client != or(want.Client, DefaultClient) ||
			!slices.Equal(got.Restaurants, want.Restaurants) ||
			!got.IssuedAt.Equal(want.IssuedAt) || !got.ExpiresAt.Equal(want.ExpiresAt) {
			t.Errorf("%+v became %+v", want, got.Caller)
		}
	})
}

func TestMintWritesRestaurantAsStringIfOne(t *testing.T) {
	for want, restaurants := range map[string][]string{"res_1": {"res_1"}, "[res_1 res_2]": {"res_1", "res_2"}} {
		token, err := Mint(secret, Claims{
			Subject: "m", Role: orders.RoleMerchant, Restaurants: restaurants, ExpiresAt: time.Now().Add(time.Hour),
		})
		if err != nil {
			t.Fatal(err)
		}
		var c jwt.MapClaims
		if _, _, err := jwt.NewParser().ParseUnverified(token, &c); err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(c["restaurantId"]); got != want {
			t.Errorf("restaurantId %s, want %s", got, want)
		}
		if s, ok := c["jti"].(string); !ok || s == "" || c["iss"] != DefaultIssuer || c["aud"] != DefaultAudience {
			t.Errorf("claims %v", c)
		}
	}
}

func TestMintRefuses(t *testing.T) {
	ok := Claims{Subject: "cus_1", Role: orders.RoleCustomer, IssuedAt: start, ExpiresAt: start.Add(time.Hour)}
	list := make([]string, 300)
	for i := range list {
		list[i] = strings.Repeat("r", 60)
	}
	for name, change := range map[string]func(*Claims){
		"NoSub":                func(c *Claims) { c.Subject = "" },
		"NoRole":               func(c *Claims) { c.Role = "" },
		"Tracker":              func(c *Claims) { c.Role = orders.RoleTracker },
		"System":               func(c *Claims) { c.Role = orders.RoleSystem },
		"MerchantOfNothing":    func(c *Claims) { c.Role = orders.RoleMerchant },
		"CustomerOfRestaurant": func(c *Claims) { c.Restaurants = []string{"res_1"} },
		"NeverValid":           func(c *Claims) { c.ExpiresAt = c.IssuedAt },
		"NoExpiry":             func(c *Claims) { c.ExpiresAt = time.Time{} },
		"TooLong":              func(c *Claims) { c.Role, c.Restaurants = orders.RoleMerchant, list },
	} {
		t.Run(name, func(t *testing.T) {
			c := ok
			change(&c)
			if token, err := Mint(secret, c); orders.KindOf(err) != orders.Invalid || token != "" {
				t.Errorf("token %q, error %v", token, err)
			}
		})
	}
	if _, err := Mint(secret[1:], ok); orders.KindOf(err) != orders.Invalid {
		t.Errorf("short secret: %v", err)
	}
}
