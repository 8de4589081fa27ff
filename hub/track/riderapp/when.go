package riderapp

import (
	"strings"
	"time"

	"doorbell/hub/track"
)

// layouts are the ways in which apps write a time, those with a zone first. Without one it is UTC. Go reads a fraction of
// a second behind any of them.
var layouts = []string{
	time.RFC3339,
	"2006-01-02T15:04:05Z0700", // Overland
	"2006-01-02T15:04:05Z07",
	"2006-01-02T15:04:05",
	"2006-01-02 15:04:05",
}

// parseISO reads a written time. In a query an unescaped + of the zone has become a space.
func parseISO(s string) (track.UnixMilli, bool) {
	if len(s) < len("2006-01-02T15:04:05") || len(s) > 40 {
		return 0, false
	}
	if s[10] == 'T' {
		s = strings.Replace(s, " ", "+", 1)
	}
	for _, l := range layouts {
		if t, err := time.Parse(l, s); err == nil {
			return track.MilliOf(t), true
		}
	}
	return 0, false
}

// parseTime reads a written time, or seconds or milliseconds since 1970.
func parseTime(s string) (track.UnixMilli, bool) {
	if n := parseNumber(s); n.ok {
		return epoch(n.v)
	}
	return parseISO(s)
}

// epoch tells seconds from milliseconds as Traccar does: from 2^31-1 on they are milliseconds.
func epoch(v float64) (track.UnixMilli, bool) {
	if v < 1<<31-1 {
		return epochSeconds(v)
	}
	return epochSeconds(v / 1000)
}

func epochSeconds(v float64) (track.UnixMilli, bool) {
	const most = 1e12 // the year 33658
	if !(v > 0 && v < most) {
		return 0, false
	}
	return track.UnixMilli(v*1000 + 0.5), true
}
