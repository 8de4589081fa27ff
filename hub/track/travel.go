package track

import "time"

// Travel is how long a courier rides from one place to another by way of others, with the hand-over at each of those. It
// is 0 where it is not known from or to where. For pace see [RideSpeed].
func Travel(from, to Place, via []Place, vehicle string, pace float64) time.Duration {
	f := Facts{Vehicle: vehicle, Pace: pace}
	return f.ride(from, to, via, 0)
}

// Known reports whether p is a place.
func (p Place) Known() bool { return p.known() }

// To is the way over ground from p to q, in metres.
func (p Place) To(q Place) float64 { return p.to(q) }
