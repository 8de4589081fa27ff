package callback

import "time"

// Outcome is what became of a row, or of a try. It is a metric's label and stands in the log of an endpoint.
type Outcome string

const (
	Delivered  Outcome = "delivered"  // 2xx
	Again      Outcome = "again"      // failed, to be tried again at Due
	Deferred   Outcome = "deferred"   // the answer asked for another time (Retry-After): the try does not count
	Superseded Outcome = "superseded" // a newer status of the order says all it said
	Acked      Outcome = "acked"      // whom it was for has seen it on a socket
	Expired    Outcome = "expired"    // no longer worth sending: a dead letter
	Aborted    Outcome = "aborted"    // the receiver wants no more of this one
	Parked     Outcome = "parked"     // the endpoint is disabled
	Gone       Outcome = "gone"       // the endpoint, or what the row told of, is no longer there
)

// verdict is what an answer means for its row and its endpoint.
type verdict struct {
	outcome Outcome
	due     time.Time // of Again and Deferred
	hold    time.Time // nothing to this endpoint before; zero = no wish
	disable string    // why to send nothing more to the endpoint; "" = go on
	alive   bool      // the receiver works: it took the callback, or said something deliberate
}

// judge is the retry plan: what follows from the answer to a try of r, at now.
func judge(a *Answer, r *Row, now time.Time, chance float64) verdict {
	v := verdict{alive: a.ok()}
	if a.Delivery == deliveryDisable {
		v.disable = ReasonAsked
	}
	switch {
	case a.ok():
		v.outcome = Delivered
		return v
	case a.Status == statusGone:
		v.outcome, v.disable = Parked, ReasonGone
		return v
	case v.disable != "":
		v.outcome = Parked
		return v
	case a.Delivery == deliveryAbort:
		v.outcome, v.alive = Aborted, true
		return v
	}
	v.outcome = Again
	pause := step(r.Attempt+1, chance)
	if a.HasRetryAfter {
		v.outcome = Deferred
		pause = max(a.RetryAfter, step(max(1, r.Attempt), chance))
		v.hold = now.Add(a.RetryAfter)
	}
	v.due = now.Add(pause)
	if !v.due.Before(r.Expires) {
		v.outcome = Expired
	}
	return v
}

const (
	statusGone      = 410
	deliveryDisable = "disable"
	deliveryAbort   = "abort-message"
)
