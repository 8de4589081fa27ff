package callback

import (
	"crypto/rand"
	"encoding/base64"
	"strings"
	"time"

	"doorbell/orders"
)

// RotationOverlap is how long the secret before signs beside the new one.
const RotationOverlap = 24 * time.Hour

const (
	secretPrefix = "whsec_"
	newSecret    = 32 // bytes
	minSecret    = 24
	maxSecret    = 64
)

// Secret is a key of Standard Webhooks' v1 signatures. It prints as nothing; Reveal is the one way to its text.
type Secret struct{ key []byte }

// NewSecret makes a random secret of 32 bytes.
func NewSecret() Secret {
	s := Secret{make([]byte, newSecret)}
	_, _ = rand.Read(s.key) // never fails, see crypto/rand
	return s
}

// ParseSecret reads whsec_ and 24 to 64 bytes of base64. Invalid; the text says nothing of the secret.
func ParseSecret(text string) (Secret, error) {
	enc, ok := strings.CutPrefix(text, secretPrefix)
	key, err := base64.StdEncoding.Strict().DecodeString(enc)
	if s := (Secret{key}); !ok || err != nil || len(key) < minSecret || len(key) > maxSecret || s.Reveal() != text { // the decoder skips line breaks
		return Secret{}, orders.Errorf(orders.Invalid, "a secret is whsec_ and 24 to 64 bytes in base64")
	}
	return Secret{key}, nil
}

// Reveal is the secret's text: whsec_ and base64.
func (s Secret) Reveal() string { return secretPrefix + base64.StdEncoding.EncodeToString(s.key) }

// IsZero reports whether there is no secret.
func (s Secret) IsZero() bool { return len(s.key) == 0 }

// String hides the secret, however it is printed.
func (s Secret) String() string { return secretPrefix + "(hidden)" }

// GoString hides it from %#v.
func (s Secret) GoString() string { return s.String() }

// MarshalText hides it from JSON and logs.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Signing is what an endpoint's callbacks are signed with.
type Signing struct {
	Secret        Secret
	Previous      Secret    // the one before the last rotation
	PreviousUntil time.Time // it signs too until then
}

// Rotate makes a new secret; the present one goes on signing for RotationOverlap. One that was still overlapping ends.
func (s Signing) Rotate(now time.Time) Signing {
	return Signing{Secret: NewSecret(), Previous: s.Secret, PreviousUntil: now.Add(RotationOverlap)}
}

// secrets are those that sign now, the newest first.
func (s Signing) secrets(now time.Time) []Secret {
	if s.Previous.IsZero() || !now.Before(s.PreviousUntil) {
		return []Secret{s.Secret}
	}
	return []Secret{s.Secret, s.Previous}
}
