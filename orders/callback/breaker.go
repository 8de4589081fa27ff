package callback

import "time"

// When a breaker opens, and for how long.
const (
	breakerWindow  = time.Minute
	breakerTries   = 10  // fewer in the window say nothing
	breakerFailed  = 0.7 // share of them
	breakerConnect = 5   // connections in a row that could not be made

	breakerOpen    = 30 * time.Second
	breakerLongest = 5 * time.Minute
	breakerSlots   = 12 // parts of the window
)

type breakerState int

const (
	breakerClosed breakerState = iota
	breakerIsOpen
	breakerHalf // one probe may go, or is under way
)

// breaker stops the tries at an endpoint that answers none of them. What it holds back costs no try. gobreaker does not
// fit: its pause does not grow, and it counts calls that we know are nobody's fault.
type breaker struct {
	state   breakerState
	until   time.Time     // it opens to a probe
	pause   time.Duration // the last one, doubled at the next; 0 = none yet
	refused int           // connections in a row that could not be made
	slots   [breakerSlots]struct {
		n      int64 // which part of time it counts
		tries  int
		failed int
	}
}

// allow reports whether a try may begin. An open breaker whose pause is over becomes half open.
func (b *breaker) allow(now time.Time) bool {
	if b.state == breakerIsOpen && !now.Before(b.until) {
		b.state = breakerHalf
	}
	return b.state != breakerIsOpen
}

// record counts the end of a try: whether the receiver works, and else whether it could not even be connected to.
func (b *breaker) record(now time.Time, alive, connect bool) {
	if alive {
		if b.state != breakerClosed {
			*b = breaker{}
		}
		b.refused = 0
		b.count(now, false)
		return
	}
	b.count(now, true)
	b.refused++
	if !connect {
		b.refused = 0
	}
	if b.state == breakerHalf || b.state == breakerClosed && (b.refused >= breakerConnect || b.bad(now)) {
		b.open(now)
	}
}

func (b *breaker) open(now time.Time) {
	b.pause = min(max(breakerOpen, 2*b.pause), breakerLongest)
	b.state, b.until = breakerIsOpen, now.Add(b.pause)
}

func (b *breaker) count(now time.Time, failed bool) {
	n := part(now)
	s := &b.slots[n%breakerSlots]
	if s.n != n {
		s.n, s.tries, s.failed = n, 0, 0
	}
	s.tries++
	if failed {
		s.failed++
	}
}

// bad reports whether most of enough tries failed.
func (b *breaker) bad(now time.Time) bool {
	tries, failed := 0, 0
	for _, s := range b.slots {
		if part(now)-s.n < breakerSlots {
			tries += s.tries
			failed += s.failed
		}
	}
	return tries >= breakerTries && float64(failed) >= breakerFailed*float64(tries)
}

func part(t time.Time) int64 { return t.UnixNano() / int64(breakerWindow/breakerSlots) }
