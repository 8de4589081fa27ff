package callback

import (
	"net/http"
	"strconv"
	"time"
)

// steps are the pauses before the tries of a callback; behind them it is lastStep.
var steps = [...]time.Duration{
	0, time.Second, 5 * time.Second, 15 * time.Second, 30 * time.Second, time.Minute, 2 * time.Minute, 5 * time.Minute,
}

const (
	lastStep = time.Hour
	jitter   = 0.2 // of a step, both ways, so that what failed together does not come back together

	maxRetryAfter = time.Hour // longest pause that an answer can ask for
)

// step is the pause after so many tries that counted. chance is in [0, 1).
func step(tries int, chance float64) time.Duration {
	d := lastStep
	if tries < len(steps) {
		d = steps[tries]
	}
	return time.Duration(float64(d) * (1 - jitter + 2*jitter*chance))
}

// retryAfter is the pause that an answer's Retry-After asks for, in seconds or as a date; false where it asks for none.
func retryAfter(h http.Header, now time.Time) (time.Duration, bool) {
	v := h.Get("Retry-After")
	if v == "" {
		return 0, false
	}
	if n, err := strconv.ParseUint(v, 10, 63); err == nil {
		return time.Duration(min(n, uint64(maxRetryAfter/time.Second))) * time.Second, true
	}
	at, err := http.ParseTime(v)
	if err != nil {
		return 0, false
	}
	return min(max(0, at.Sub(now)), maxRetryAfter), true
}
