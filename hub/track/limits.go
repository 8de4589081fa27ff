package track

import "time"

// MaxPoints is the most fixes that one post may hold.
const MaxPoints = 1000

// Limits are the rules of domain.md section 2. DefaultLimits has its numbers.
type Limits struct {
	MaxFuture   time.Duration // a fix this far ahead is moved to now, one further ahead is dropped
	MaxLiveAge  time.Duration // an older fix is history only
	MaxAge      time.Duration // an older fix is dropped: its track would be deleted already; 0 = keep all
	ShowWithin  float64       // metres: a less accurate fix is not shown
	FenceWithin float64       // metres: a less accurate fix, or one of unknown accuracy, does not count for the geofence
	MaxSpeed    float64       // m/s between two fixes, above it the second is held; 0 = off
	Jitter      float64       // metres that a courier must move, or half the accuracy if that is more, to be shown anew
	Refresh     time.Duration // how often a courier that stands still is shown again, with a new time
	StillAfter  time.Duration // without movement this long a courier off duty is asked for fewer fixes

	Nearby       float64       // metres from a stop
	NearbyTravel time.Duration // or this close by travel time
	Arrived      float64       // metres from a stop
	ArrivedLeast time.Duration // between the two fixes that show an arrival, at least
	ArrivedMost  time.Duration // and at most
	Leave        float64       // this many times the radius away, a stop is left
}

// DefaultLimits are the numbers of domain.md section 2, with the retention of section 5 as MaxAge.
var DefaultLimits = Limits{
	MaxFuture:   time.Minute,
	MaxLiveAge:  2 * time.Minute,
	MaxAge:      30 * 24 * time.Hour,
	ShowWithin:  100,
	FenceWithin: 50,
	MaxSpeed:    45,
	Jitter:      10,
	Refresh:     15 * time.Second,
	StillAfter:  2 * time.Minute,

	Nearby:       300,
	NearbyTravel: 2 * time.Minute,
	Arrived:      80,
	ArrivedLeast: 10 * time.Second,
	ArrivedMost:  20 * time.Second,
	Leave:        1.5,
}
