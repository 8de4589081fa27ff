package riderapp

import "doorbell/hub/track"

const (
	knot        = 1852.0 / 3600 // m/s
	kmPerHour   = 1 / 3.6       // m/s
	fullBattery = 100           // percent, for apps that say 0 to 1
)

// located is a fix at a place and time; unplaced without either of them.
func located(at track.UnixMilli, timed bool, lat, lon number) track.Point {
	if !timed || !lat.ok || !lon.ok {
		return track.Unplaced()
	}
	return track.Point{At: at, Lat: lat.v, Lon: lon.v}
}

// set stores n times unit, if it is there.
func set(p *track.Point, f track.Field, n number, unit float64) {
	if n.ok {
		p.Set(f, n.v*unit)
	}
}
