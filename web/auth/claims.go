package auth

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"doorbell/orders"
)

const (
	// Leeway is how far ahead of ours the issuer's clock may be: it is granted to nbf and iat. exp gets none, so a
	// token never lives longer than it says.
	Leeway = 5 * time.Second

	// DefaultIssuer and DefaultAudience are what iss and aud must be when the configuration is silent.
	DefaultIssuer   = "doorbell"
	DefaultAudience = "doorbell"

	// DefaultClient is the client of a token that names none.
	DefaultClient = "default"
)

// maxID is the longest sub, client or restaurant id, in bytes.
const maxID = 64

// lastSecond is the end of the year 9999, the last that RFC 3339 can write.
const lastSecond = 253402300799

// claims is a token's payload as it came. Each value is kept raw until the signature is known to be good. null counts
// as absent, since many libraries write it for a field that is not set.
type claims struct {
	jwt.Claims // nil: the parser asks for the interface, but our own rules are checked instead of its

	iss, aud, sub, role, restaurantID, client, exp, nbf, iat, jti json.RawMessage
}

// UnmarshalJSON differs from the standard one where two readers might disagree: a name that comes twice is an error, and
// names are told apart by case.
func (c *claims) UnmarshalJSON(b []byte) error {
	dec := json.NewDecoder(bytes.NewReader(b))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return errors.New("claims are not an object")
	}
	seen := make([]string, 0, 16)
	for dec.More() {
		t, err := dec.Token()
		if err != nil {
			return err
		}
		name, _ := t.(string)
		if slices.Contains(seen, name) {
			return refuse("token: a claim stands twice")
		}
		if len(seen) == maxClaims { // the search above is linear
			return refuse("token: more than %d claims", maxClaims)
		}
		seen = append(seen, name)
		var raw json.RawMessage
		if err := dec.Decode(&raw); err != nil {
			return err
		}
		if p := c.field(name); p != nil && string(raw) != "null" {
			*p = raw
		}
	}
	return nil
}

// maxClaims is how many claims a token may have, ours and others.
const maxClaims = 64

func (c *claims) field(name string) *json.RawMessage {
	switch name {
	case "iss":
		return &c.iss
	case "aud":
		return &c.aud
	case "sub":
		return &c.sub
	case "role":
		return &c.role
	case "restaurantId":
		return &c.restaurantID
	case "client":
		return &c.client
	case "exp":
		return &c.exp
	case "nbf":
		return &c.nbf
	case "iat":
		return &c.iat
	case "jti":
		return &c.jti
	}
	return nil // none of ours: other systems may read the token too
}

// rules are what a token's claims are held against.
type rules struct {
	issuer, audience string
}

// identity checks every claim, at this time. Unauthenticated, naming the first rule that is broken. Revocations are not
// looked at.
func (r rules) identity(c *claims, now time.Time) (Identity, error) {
	if iss, ok := text(c.iss); !ok || iss != r.issuer {
		return Identity{}, refuse("token: iss is not ours")
	}
	if aud, ok := texts(c.aud); !ok || !slices.Contains(aud, r.audience) {
		return Identity{}, refuse("token: aud does not name us")
	}
	exp, iat, err := lifetime(c, now)
	if err != nil {
		return Identity{}, err
	}
	caller, err := entitled(c)
	if err != nil {
		return Identity{}, err
	}
	return Identity{Caller: caller, ExpiresAt: exp, IssuedAt: iat}, nil
}

// lifetime is exp and iat (zero when absent), checked together with nbf.
func lifetime(c *claims, now time.Time) (exp, iat time.Time, err error) {
	if c.exp == nil {
		return exp, iat, refuse("token: exp is missing")
	}
	exp, ok := moment(c.exp)
	if !ok {
		return exp, iat, refuse("token: exp is not a time in seconds")
	}
	if !now.Before(exp) { // "on or after": RFC 7519 section 4.1.4
		return exp, iat, refuse("token: expired")
	}
	if c.nbf != nil {
		nbf, ok := moment(c.nbf)
		if !ok {
			return exp, iat, refuse("token: nbf is not a time in seconds")
		}
		if now.Add(Leeway).Before(nbf) {
			return exp, iat, refuse("token: not valid yet")
		}
	}
	if c.iat != nil {
		if iat, ok = moment(c.iat); !ok {
			return exp, iat, refuse("token: iat is not a time in seconds")
		}
		if now.Add(Leeway).Before(iat) { // it would also outlive every revocation until then
			return exp, iat, refuse("token: iat is in the future")
		}
	}
	return exp, iat, nil
}

// entitled is the caller that sub, role, restaurantId and client make.
func entitled(c *claims) (orders.Caller, error) {
	sub, ok := text(c.sub)
	if !ok {
		return orders.Caller{}, refuse("token: sub is missing or not a string")
	}
	role, ok := text(c.role)
	if !ok {
		return orders.Caller{}, refuse("token: role is missing or not a string")
	}
	client := DefaultClient
	if c.client != nil {
		if client, ok = text(c.client); !ok {
			return orders.Caller{}, refuse("token: client is not a string")
		}
	}
	if c.jti != nil {
		if _, ok = text(c.jti); !ok {
			return orders.Caller{}, refuse("token: jti is not a string")
		}
	}
	var restaurants []string
	if orders.Role(role) == orders.RoleMerchant {
		if restaurants, ok = texts(c.restaurantID); !ok {
			return orders.Caller{}, refuse("token: restaurantId of a merchant is not a string or a list of strings")
		}
	}
	caller := orders.Caller{
		Actor: orders.Actor{Role: orders.Role(role), ID: sub}, Restaurants: restaurants, Client: client,
	}
	if wrong := flaw(caller); wrong != "" {
		return orders.Caller{}, refuse("token: %s", wrong)
	}
	return caller, nil
}

// flaw says what keeps a token from speaking for this caller, "" for nothing.
func flaw(c orders.Caller) string {
	switch {
	case !validID(c.ID):
		return "sub is not 1 to 64 of letters, digits and _ - . :"
	case !validID(c.Client):
		return "client is not 1 to 64 of letters, digits and _ - . :"
	}
	switch c.Role {
	case orders.RoleCustomer, orders.RoleCourier, orders.RolePayment, orders.RoleOps:
		return ""
	case orders.RoleMerchant:
		if len(c.Restaurants) == 0 {
			return "a merchant without restaurantId"
		}
		for _, id := range c.Restaurants {
			if !validID(id) {
				return "restaurantId is not 1 to 64 of letters, digits and _ - . :"
			}
		}
		return ""
	default: // tracker has its own kind of token, system none
		return "role is not one of customer, merchant, courier, payment, ops"
	}
}

// validID reports whether s can be the id of a subject, client or restaurant: it stands in paths, topics, keys and logs
// without being quoted. It begins with a letter or digit, so "." and ".." are none.
func validID(s string) bool {
	if s == "" || len(s) > maxID || !isAlnum(s[0]) {
		return false
	}
	for i := range len(s) {
		if c := s[i]; !isAlnum(c) && c != '_' && c != '-' && c != '.' && c != ':' {
			return false
		}
	}
	return true
}

// text is a JSON string.
func text(raw json.RawMessage) (string, bool) {
	if len(raw) == 0 || raw[0] != '"' {
		return "", false
	}
	var s string
	err := json.Unmarshal(raw, &s)
	return s, err == nil
}

// texts is a JSON string or a list of them.
func texts(raw json.RawMessage) ([]string, bool) {
	if s, ok := text(raw); ok {
		return []string{s}, true
	}
	var items []json.RawMessage // not []string: that would take null for ""
	if len(raw) == 0 || raw[0] != '[' || json.Unmarshal(raw, &items) != nil {
		return nil, false
	}
	list := make([]string, len(items))
	for i, item := range items {
		s, ok := text(item)
		if !ok {
			return nil, false
		}
		list[i] = s
	}
	return list, true
}

// moment is a NumericDate (RFC 7519 section 2): seconds since 1970, fractions allowed.
func moment(raw json.RawMessage) (time.Time, bool) {
	f, err := strconv.ParseFloat(string(raw), 64) // a string's quotes make it fail
	if err != nil || f < 0 || f > lastSecond {
		return time.Time{}, false
	}
	sec, frac := math.Modf(f)
	return time.Unix(int64(sec), int64(frac*1e9)).UTC(), true
}
