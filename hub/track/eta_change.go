package track

import (
	"time"

	"doorbell/orders"
)

// MinutesLeft is orders.MinutesLeft: an estimate in whole minutes, as people see it, never 0 while the food is not there.
func MinutesLeft(at, now time.Time) int { return orders.MinutesLeft(at, now) }

// soon is when single minutes matter: below it every change of the minute is sent.
const soon = 5

// Change decides what to do with a fresh estimate after the one that people see: it returns the one to keep, and whether
// to send it. It is sent when it moved by more than a minute, or when the minute changes below five; it is never later
// by less than a minute than the one before, since a clock that creeps backwards is worse than one that is a little late.
// The zero Estimate as shown is none.
func Change(shown, fresh Estimate, now time.Time) (keep Estimate, send bool) {
	if shown.At.IsZero() {
		return fresh, true
	}
	moved := fresh.At.Sub(shown.At)
	switch {
	case moved >= time.Minute, moved < -time.Minute:
		return fresh, true
	case moved > 0 && shown.At.After(now):
		return shown, false
	case moved > 0: // what people see is over, and the food is not there: then a whole minute
		return fresh.notBefore(shown.At.Add(time.Minute)), true
	}
	minute := MinutesLeft(fresh.At, now)
	if minute < soon && minute != MinutesLeft(shown.At, now) {
		return fresh, true
	}
	return shown, false
}

// notBefore is e, put off to t if it is earlier.
func (e Estimate) notBefore(t time.Time) Estimate {
	e.At = later(e.At, t)
	e.Latest = later(e.Latest, e.At)
	return e
}
