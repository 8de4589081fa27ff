package auth

import (
	"crypto/subtle"
	"fmt"
	"time"

	"doorbell/orders"
)

// Identity is who a token speaks for. It is shared by all requests with the same token: its slices must not be changed.
type Identity struct {
	orders.Caller
	ExpiresAt time.Time // a JWT's exp, never zero there; zero for a tracker, whose link ends with the order
	IssuedAt  time.Time // a JWT's iat; zero = the token does not say

	key []byte // of a tracker: the secret half of its capability, not compared yet
}

// Opens reports whether this is a tracker whose capability fits the order. It is false for every other role. The keys
// are compared in constant time, so that a key cannot be guessed byte by byte.
func (i Identity) Opens(o *orders.Order) bool {
	return i.Role == orders.RoleTracker && i.OrderID == o.ID && len(i.key) > 0 &&
		subtle.ConstantTimeCompare(i.key, o.TrackKey) == 1
}

// Format prints role and id for every verb. Without it, %v would print the capability's key.
func (i Identity) Format(f fmt.State, _ rune) {
	id := i.ID
	if i.Role == orders.RoleTracker {
		id = i.OrderID
	}
	_, _ = fmt.Fprintf(f, "%s %s", i.Role, id)
}
