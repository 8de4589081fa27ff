package track

// State is what is remembered of one courier between posts. It is a plain value: copies are independent, == compares.
// The zero State knows nothing yet. Some 500 bytes, at most MaxStateBytes when encoded.
type State struct {
	last  fix    // the newest fix taken
	shown marker // the fix last shown
	moved UnixMilli
	pace  float32 // rolling speed in m/s, while paced
	paced bool

	held    [maxHeld]heldFix // fixes too far from last, all in agreement with each other
	holding uint8

	recent recentFixes
	posts  recentPosts
}

// fix is a taken fix, as far as the next one is compared with it.
type fix struct {
	at       UnixMilli // 0: none
	ahead    int32     // milliseconds that the phone's clock was ahead of ours, where at was moved to now
	accuracy float32   // 0: unknown
	lat, lon float64
}

// raw is the fix time as the phone wrote it.
func (f *fix) raw() UnixMilli { return f.at + UnixMilli(f.ahead) }

func fixOf(p *Point, ahead int32) fix {
	return fix{at: p.At, ahead: ahead, accuracy: p.accuracy, lat: p.Lat, lon: p.Lon}
}

// marker is where watchers see the courier.
type marker struct {
	at       UnixMilli // fix time last shown; 0: never
	lat, lon float64
}

// maxHeld is one fewer than the fixes that must agree: the one that completes them is never kept.
const maxHeld = 2

type heldFix struct {
	p     Point
	ahead int32
}

// Last is the place of the newest fix taken, its time, and whether there is one.
func (s *State) Last() (lat, lon float64, at UnixMilli, ok bool) {
	return s.last.lat, s.last.lon, s.last.at, s.last.at != 0
}

// Pace is the courier's rolling speed over the last minutes in m/s, stops included; 0 while unknown.
func (s *State) Pace() float64 {
	if !s.paced {
		return 0
	}
	return float64(s.pace)
}
