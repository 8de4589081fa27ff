package auth

import (
	"crypto/rand"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"doorbell/orders"
)

// Claims are what [Mint] writes into a token.
type Claims struct {
	Subject     string      // sub
	Role        orders.Role // customer, merchant, courier, payment or ops
	Restaurants []string    // of a merchant, at least one; others have none
	Client      string      // "" = not written, which reads as DefaultClient
	Issuer      string      // "" = DefaultIssuer
	Audience    string      // "" = DefaultAudience
	IssuedAt    time.Time   // zero = now; cut to the second
	ExpiresAt   time.Time   // after IssuedAt; cut to the second
	ID          string      // jti; "" = a random one
}

// Mint signs a token with HS256. Invalid: the claims, or a secret under MinSecret bytes, would make a token that no
// [Verifier] accepts.
func Mint(secret []byte, c Claims) (string, error) {
	if c.IssuedAt.IsZero() {
		c.IssuedAt = time.Now()
	}
	client := or(c.Client, DefaultClient)
	wrong := flaw(orders.Caller{Actor: orders.Actor{Role: c.Role, ID: c.Subject}, Restaurants: c.Restaurants, Client: client})
	switch {
	case len(secret) < MinSecret:
		return "", orders.Errorf(orders.Invalid, "secret has %d bytes, not %d or more", len(secret), MinSecret)
	case wrong != "":
		return "", orders.Errorf(orders.Invalid, "%s", wrong)
	case c.Role != orders.RoleMerchant && len(c.Restaurants) > 0:
		return "", orders.Errorf(orders.Invalid, "only a merchant has restaurantId")
	case c.ExpiresAt.Unix() <= c.IssuedAt.Unix():
		return "", orders.Errorf(orders.Invalid, "the token would expire before it is issued")
	}
	claims := jwt.MapClaims{
		"iss": or(c.Issuer, DefaultIssuer), "aud": or(c.Audience, DefaultAudience),
		"sub": c.Subject, "role": string(c.Role),
		"iat": c.IssuedAt.Unix(), "exp": c.ExpiresAt.Unix(), "jti": or(c.ID, rand.Text()),
	}
	switch len(c.Restaurants) {
	case 0:
	case 1:
		claims["restaurantId"] = c.Restaurants[0]
	default:
		claims["restaurantId"] = c.Restaurants
	}
	if c.Client != "" {
		claims["client"] = c.Client
	}
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString(secret)
	if err != nil {
		return "", orders.Errorf(orders.Internal, "sign the token")
	}
	if len(token) > maxToken {
		return "", orders.Errorf(orders.Invalid, "the token would be over %d bytes", maxToken)
	}
	return token, nil
}
