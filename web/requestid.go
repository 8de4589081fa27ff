package web

import (
	"crypto/rand"
	"encoding/hex"
)

// newRequestID names a request in the log and in its answer's X-Request-Id.
func newRequestID() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails, see crypto/rand
	return hex.EncodeToString(b[:])
}
