package client

import (
	"encoding/base64"
	"encoding/json"
	"math"
	"strings"
	"time"
)

// expiry is when a JWT ends, by its payload, which is not verified: that is the hub's. Zero for a token that does not
// say, or is no JWT at all.
func expiry(token string) time.Time {
	_, rest, _ := strings.Cut(token, ".")
	payload, _, found := strings.Cut(rest, ".")
	if !found {
		return time.Time{}
	}
	b, err := base64.RawURLEncoding.DecodeString(payload)
	if err != nil {
		return time.Time{}
	}
	var claims struct {
		Exp float64 `json:"exp"` // seconds since 1970, with or without a fraction (RFC 7519 section 2)
	}
	if json.Unmarshal(b, &claims) != nil || claims.Exp <= 0 || claims.Exp > math.MaxInt32*1000 {
		return time.Time{}
	}
	return time.Unix(int64(claims.Exp), 0)
}

// Renewal: when, and how soon again after one that failed.
const (
	renewLead  = time.Minute // before the token's end, or a fifth of what is left where that is less
	renewAgain = time.Second // at least
)

// untilRenewal is how long a token with so much left is kept.
func untilRenewal(left time.Duration) time.Duration { return left - min(renewLead, left/5) }
