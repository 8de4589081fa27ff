package wsconn

import (
	"encoding/base64"
	"net/http"
	"strings"

	"doorbell/hub/wire"
	"doorbell/orders"
)

// CheckHandshake holds a request against RFC 6455 section 4.2.1: HTTP/1.1, its four headers, and doorbell.v1 among the
// offered subprotocols. Extensions may be offered; none is taken. The error is Invalid and names the header.
func CheckHandshake(r *http.Request) error {
	key, err := base64.StdEncoding.DecodeString(r.Header.Get("Sec-WebSocket-Key"))
	switch h := r.Header; {
	case r.ProtoMajor != 1 || r.ProtoMinor < 1 || r.Method != http.MethodGet:
		return badHeader("Upgrade", "a WebSocket begins with GET and HTTP/1.1")
	case !hasToken(h, "Upgrade", "websocket"):
		return badHeader("Upgrade", "this is a WebSocket, protocol "+wire.Subprotocol)
	case !hasToken(h, "Connection", "Upgrade"):
		return badHeader("Connection", "must be Upgrade")
	case h.Get("Sec-WebSocket-Version") != "13":
		return badHeader("Sec-WebSocket-Version", "must be 13")
	case err != nil || len(key) != 16 || len(h.Values("Sec-WebSocket-Key")) != 1:
		return badHeader("Sec-WebSocket-Key", "must be 16 bytes in base64")
	case !hasToken(h, "Sec-WebSocket-Protocol", wire.Subprotocol):
		return badHeader("Sec-WebSocket-Protocol", "must offer "+wire.Subprotocol)
	}
	return nil
}

func badHeader(name, why string) error {
	e := orders.Errorf(orders.Invalid, "%s: %s", name, why)
	e.Fields = []orders.FieldError{{Pointer: name, Detail: why}}
	return e
}

// hasToken reports whether a header's list names a token, in whatever case.
func hasToken(h http.Header, name, token string) bool {
	for _, v := range h.Values(name) {
		for part := range strings.SplitSeq(v, ",") {
			if strings.EqualFold(strings.TrimSpace(part), token) {
				return true
			}
		}
	}
	return false
}
