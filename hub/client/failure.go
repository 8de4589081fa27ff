package client

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/coder/websocket"

	"doorbell/orders"
)

// failure is why a socket ended or could not be opened, and what that means for coming back.
type failure struct {
	err       error
	permanent bool          // coming back would not mend it
	reauth    bool          // come back at once with a new token, once
	slow      bool          // come back after a pause that is not too short
	after     time.Duration // Retry-After; 0 = none
}

// kindOf is the kind behind an HTTP status, and behind a close code of 4000 + that status.
var kindOf = map[int]orders.Kind{
	400: orders.Invalid, 401: orders.Unauthenticated, 403: orders.Forbidden, 404: orders.NotFound, 409: orders.Conflict,
	413: orders.TooLarge, 429: orders.Exhausted, 503: orders.Unavailable, 500: orders.Internal,
}

// codeKinds are the protocol's own close codes that say more than that the socket ended.
var codeKinds = map[websocket.StatusCode]orders.Kind{
	websocket.StatusMessageTooBig:   orders.TooLarge,    // 1009
	websocket.StatusInternalError:   orders.Internal,    // 1011
	websocket.StatusServiceRestart:  orders.Unavailable, // 1012: this node lets go, another is there
	websocket.StatusTryAgainLater:   orders.Unavailable, // 1013
	websocket.StatusUnsupportedData: orders.Invalid,     // 1003
}

// ofKind judges a failure by its kind.
func ofKind(kind orders.Kind, text string, cause error) failure {
	f := failure{err: &orders.Error{Kind: kind, Text: text, Err: cause}}
	switch kind {
	case orders.Invalid, orders.Forbidden, orders.NotFound, orders.TooLarge:
		f.permanent = true
	case orders.Unauthenticated:
		f.reauth = true
	case orders.Exhausted, orders.Unavailable:
		f.slow = true
	}
	return f
}

// ofClose judges the end of a socket.
func ofClose(err error) failure {
	var ce websocket.CloseError
	if !errors.As(err, &ce) {
		return failure{err: &orders.Error{Kind: orders.Unavailable, Text: "the connection broke", Err: err}}
	}
	kind, known := codeKinds[ce.Code]
	if ce.Code >= 4000 {
		kind, known = kindOf[int(ce.Code)-4000]
	}
	if !known {
		kind = orders.Unavailable
	}
	f := ofKind(kind, "closed with "+strconv.Itoa(int(ce.Code))+": "+ce.Reason, err)
	switch ce.Code {
	case websocket.StatusTryAgainLater:
	case websocket.StatusUnsupportedData:
		f.permanent = false
	default:
		f.slow = f.slow && kind == orders.Exhausted // only 1013 and 4429 ask for a pause
	}
	return f
}

// maxRetryAfter bounds how long an answer may send us away.
const maxRetryAfter = time.Hour

// ofAnswer judges a handshake that was answered with something else than an upgrade.
func ofAnswer(res *http.Response, now time.Time, cause error) failure {
	kind, known := kindOf[res.StatusCode]
	if !known {
		kind = orders.Unavailable
	}
	var problem struct {
		Detail string `json:"detail"`
	}
	if res.Body != nil {
		b, _ := io.ReadAll(res.Body) // the library keeps at most 1024 bytes
		_ = json.Unmarshal(b, &problem)
	}
	text := "the handshake was answered with " + strconv.Itoa(res.StatusCode)
	if problem.Detail != "" {
		text += ": " + problem.Detail
	}
	f := ofKind(kind, text, cause)
	f.slow = f.slow && known
	f.after = retryAfter(res.Header.Get("Retry-After"), now)
	return f
}

// retryAfter reads seconds or a date (RFC 9110 section 10.2.3); 0 = none.
func retryAfter(v string, now time.Time) time.Duration {
	var d time.Duration
	if n, err := strconv.Atoi(v); err == nil {
		d = time.Duration(min(n, int(maxRetryAfter/time.Second))) * time.Second
	} else if at, err := http.ParseTime(v); err == nil {
		d = at.Sub(now)
	}
	return min(max(d, 0), maxRetryAfter)
}
