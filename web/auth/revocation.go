package auth

import (
	"sync"
	"time"
)

// Revocations remembers whose tokens are void and since when, so that no request has to ask the store. All methods may
// be called at the same time.
type Revocations struct {
	mu     sync.RWMutex                            // guards the following
	before map[string]int64                        // sub to Unix second: tokens of that second and earlier are void
	hooks  []func(sub string, revokedAt time.Time) // called outside mu, so that a hook may ask Revoked
}

// NewRevocations makes a set from what the store holds (sub to time); nil for none.
func NewRevocations(stored map[string]time.Time) *Revocations {
	r := &Revocations{before: make(map[string]int64, len(stored))}
	r.Load(stored)
	return r
}

// Load adds what is new or later in stored, and calls the hooks for it. A node that shares its store with others calls it
// again to learn of their revocations. Nothing is ever taken back.
func (r *Revocations) Load(stored map[string]time.Time) {
	for sub, t := range stored {
		r.Revoke(sub, t)
	}
}

// Revoke voids the tokens of sub that were issued at or before the second of t, and calls the hooks before it returns.
// An earlier time than the one known changes nothing. It does not write to the store.
func (r *Revocations) Revoke(sub string, t time.Time) {
	sec := t.Unix()
	r.mu.Lock()
	if known, ok := r.before[sub]; ok && known >= sec {
		r.mu.Unlock()
		return
	}
	r.before[sub] = sec
	hooks := r.hooks
	r.mu.Unlock()
	for _, hook := range hooks {
		hook(sub, t)
	}
}

// Revoked reports whether a token of sub issued at iat is void. A zero iat is a token that does not say, and is void as
// soon as a revocation of its sub exists. Seconds are compared, because that is what iat holds: a token of the same
// second may have been made before.
func (r *Revocations) Revoked(sub string, iat time.Time) bool {
	r.mu.RLock()
	sec, ok := r.before[sub]
	r.mu.RUnlock()
	return ok && (iat.IsZero() || iat.Unix() <= sec)
}

// OnRevoke has hook called at each revocation from now on, in the goroutine of the one who revokes: it must not block.
// Sockets are closed this way. Whoever opens one registers it first and asks Revoked after that, or a revocation in
// between is missed.
func (r *Revocations) OnRevoke(hook func(sub string, before time.Time)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.hooks = append(r.hooks[:len(r.hooks):len(r.hooks)], hook) // a new array: Revoke may be reading the old one
}
