package track

import "strings"

// speeds are what a vehicle does through a town, red lights and stairs included, in m/s: what the arrival estimate
// believes of a courier's rolling speed, and what it takes while that is unknown.
type speeds struct{ least, usual, most float64 }

// speedsOf knows a vehicle by the words that dispatchers use; any other may be anything.
func speedsOf(vehicle string) speeds {
	switch strings.ToLower(vehicle) {
	case "foot", "walk", "walker", "on_foot":
		return speeds{3, 3, 3}
	case "bicycle", "bike":
		return speeds{3, 4, 6}
	case "ebike", "e-bike", "e_bike":
		return speeds{3, 5, 7}
	case "scooter", "moped", "motorbike", "motorcycle":
		return speeds{4, 6.5, 8}
	case "car", "van":
		return speeds{3, 6, 8}
	}
	return speeds{3, 5, 8}
}

// RideSpeed is how fast a courier gets on by way of streets, in m/s: its pace (State.Pace, 0 = unknown), within what its
// vehicle can mean.
func RideSpeed(vehicle string, pace float64) float64 {
	s := speedsOf(vehicle)
	if !(pace > 0) {
		return s.usual
	}
	return min(max(pace, s.least), s.most)
}
