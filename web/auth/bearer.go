package auth

import (
	"net/http"
	"strings"

	"doorbell/orders"
)

// maxToken is the longest credential looked at, in bytes: room for an RS512 token with many restaurants, and little to
// decode for nothing.
const maxToken = 8 << 10

const scheme = "bearer"

// Bearer is the token in the request's Authorization header (RFC 6750 section 2.1). The query and the body are never
// read, since URLs end up in logs. Unauthenticated: no header, more than one, another scheme, over 8 KiB, or characters
// that no token has.
func Bearer(r *http.Request) (string, error) {
	switch lines := r.Header["Authorization"]; len(lines) {
	case 0:
		return "", refuse("no Authorization header")
	case 1:
		return bearer(lines[0])
	default: // a proxy and we might read different ones
		return "", refuse("more than one Authorization header")
	}
}

func bearer(line string) (string, error) {
	if len(line) > maxToken {
		return "", refuse("Authorization header over %d bytes", maxToken)
	}
	word, token, _ := strings.Cut(line, " ")
	if !strings.EqualFold(word, scheme) {
		return "", refuse("Authorization is not of the scheme Bearer")
	}
	token = strings.Trim(token, " ")
	if token == "" {
		return "", refuse("no token after Bearer")
	}
	if !isToken(token) {
		return "", refuse("bearer token has characters outside base64url and dots")
	}
	return token, nil
}

// isToken reports whether s is made of base64url characters and dots. The base64 decoder of the standard library skips
// line breaks; letting those through would give one token endless spellings, each with a place in the cache.
func isToken(s string) bool {
	for i := range len(s) {
		if c := s[i]; !isAlnum(c) && c != '-' && c != '_' && c != '.' {
			return false
		}
	}
	return s != ""
}

func isAlnum(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

// refuse makes the error of a token that is not accepted. It names the rule, never what stood in the token.
func refuse(format string, args ...any) *orders.Error {
	return orders.Errorf(orders.Unauthenticated, format, args...)
}
