package orders

import "time"

// Place is where something is, in WGS-84 degrees. The zero Place is unknown.
type Place struct {
	Lat float64 `json:"lat"`
	Lon float64 `json:"lon"`
}

// ETA is when the food is expected at the customer's door: Earliest ≤ At ≤ Latest. The zero ETA says nothing.
type ETA struct{ At, Earliest, Latest time.Time }

// Estimator says when an order's food will be there. It is a function of its arguments and safe for concurrent use: a
// learned model takes the place of a formula without a change elsewhere. It is asked at every event and every read of a
// running order, so it should take well under a microsecond.
type Estimator interface {
	// Estimate returns false where nothing can be said. It keeps and changes nothing of o.
	Estimate(o *Order, now time.Time) (ETA, bool)
}

// ETA is what e says of the order now, as people are shown it: see held. The zero ETA: e is nil or has nothing to say, or
// the order has ended.
func (o *Order) ETA(e Estimator, now time.Time) ETA {
	if e == nil || o.Status.Final() {
		return ETA{}
	}
	eta, ok := e.Estimate(o, now)
	if !ok {
		return ETA{}
	}
	var shown time.Time
	if n := len(o.Timeline); n > 0 {
		shown = o.Timeline[n-1].ETAAt
	}
	return eta.held(shown, now)
}

// soonest is the shortest time that an estimate may say while the food is not there.
const soonest = time.Minute

// held keeps an estimate to what people may rely on, whatever the estimator says: whole seconds, in order, in the
// future. It is put off by whole minutes from what the order's last event told (zero: nothing), since a clock that creeps
// backwards is worse than one that is a little late; that leaves it less than a minute early.
func (e ETA) held(shown, now time.Time) ETA {
	floor := now.UTC().Add(soonest + time.Second - 1).Truncate(time.Second)
	at := later(wholeSecond(e.At), floor)
	if late := at.Sub(shown); !shown.IsZero() && late > 0 {
		at = shown.Add(late.Truncate(time.Minute)) // still after now, since late lost less than soonest
	}
	earliest := later(wholeSecond(e.Earliest), floor)
	if earliest.After(at) {
		earliest = at
	}
	return ETA{At: at, Earliest: earliest, Latest: later(wholeSecond(e.Latest), at)}
}

func wholeSecond(t time.Time) time.Time { return t.UTC().Round(time.Second) }

// EstimatedMinutes is the time until eta in whole minutes, at least one. Where eta says nothing it is what is left of the
// merchant's prepMinutes, and 0 (nothing to say) before the confirmation and after the end.
func (o *Order) EstimatedMinutes(eta ETA, now time.Time) int {
	switch {
	case !eta.At.IsZero():
		return MinutesLeft(eta.At, now)
	case o.PrepFrom.IsZero() || o.Status.Final():
		return 0
	}
	return MinutesLeft(o.PrepFrom.Add(time.Duration(o.PrepMinutes)*time.Minute), now)
}

// MinutesLeft is the time until then in whole minutes, as people are told it: rounded up, never 0.
func MinutesLeft(then, now time.Time) int {
	return max(1, int((then.Sub(now)+time.Minute-1)/time.Minute))
}
