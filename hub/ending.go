package hub

import (
	"errors"

	"doorbell/orders"
)

// Ending is why a session ends: the close code and fixed short reason that its client is told, and the word that the
// log and the metrics use.
type Ending struct {
	Code   int    // WebSocket close code; 4000 + HTTP status where a status says it
	Reason string // at most 123 bytes
	Label  string // for metrics: few values, ours
}

// The endings. Codes are the table of kinds of errors, see orders.Kind.
var (
	Left         = Ending{1000, "", "left"}                               // the client closed
	Vanished     = Ending{1006, "", "vanished"}                           // the connection broke
	GoingAway    = Ending{1012, "this node lets go, reconnect", "goaway"} // drain or age; to any node
	TooBig       = Ending{1009, "a message may have 32 KiB", "too_large"}
	BadMessage   = Ending{4400, "binary messages are not understood", "invalid"}
	TokenEnded   = Ending{4401, "the token has run out", "token_ended"}
	TokenRevoked = Ending{4401, "the token was revoked", "token_revoked"}
	OtherToken   = Ending{4403, "the token is somebody else's", "token_foreign"}
	TooSlow      = Ending{4429, "no progress for 10 s", "slow"}
	Silent       = Ending{4429, "no sign of life", "silent"}
	Finished     = Ending{1000, "the order has ended", "finished"} // a stream of an order that is over
	Failed       = Ending{1011, "something went wrong on our side", "internal"}
	SourceAway   = Ending{1013, "try again", "unavailable"}
)

// ErrNoProgress is what Conn.Write returns when the client took nothing for 10 s.
var ErrNoProgress = errors.New("hub: the client takes nothing")

// endingOfWrite is how a session ends whose connection could not be written to.
func endingOfWrite(err error) Ending {
	if errors.Is(err, ErrNoProgress) {
		return TooSlow
	}
	return Vanished
}

// EndingOf is how a session ends because of an error.
func EndingOf(err error) Ending {
	switch orders.KindOf(err) {
	case orders.Unauthenticated:
		return Ending{4401, "the token is not valid", "token_invalid"}
	case orders.Unavailable:
		return SourceAway
	}
	return Failed
}
