package track

// Result is what became of one post.
type Result struct {
	Accepted int    // fixes of this post that are in History
	Dropped  []Drop // the others, by index; nil = none
	// History is what to store, by time. It may begin with fixes of earlier posts that were held until now. A fix may
	// come twice, when it is repeated after more others than a State remembers: store by courier, device and fix time,
	// and let the second go.
	History []Point
	Live    Point // the fix that may be shown now, where HasLive; never older than one shown before
	HasLive bool
	Still   bool // the courier has not moved for a while
}

// How often a phone should send, in milliseconds.
const (
	IntervalOnDelivery = 5_000
	IntervalIdle       = 30_000
	IntervalStill      = 60_000
)

// NextIntervalMs is how long the phone should wait before its next fix, in milliseconds. One that carries an order is
// watched, at a red light too.
func (r *Result) NextIntervalMs(onDelivery bool) int {
	switch {
	case onDelivery:
		return IntervalOnDelivery
	case r.Still:
		return IntervalStill
	default:
		return IntervalIdle
	}
}
