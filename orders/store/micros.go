package store

import "time"

// micros is a time as columns hold it: microseconds since 1970, 0 for the zero time.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// fromMicros is the time in a column, in UTC.
func fromMicros(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.UnixMicro(n).UTC()
}

// flag is a truth as columns hold it: both engines have integers, but not the same booleans.
func flag(b bool) int64 {
	if b {
		return 1
	}
	return 0
}
