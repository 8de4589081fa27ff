package riderapp

import (
	"encoding/json"
	"net/http"

	"doorbell/hub/track"
	"doorbell/orders"
)

// traccar is the JSON form of Traccar Client 9 and later: what its location library posts, and the device's id.
type traccar struct {
	Location traccarLocations `json:"location"`
	DeviceID text             `json:"device_id"`
}

type traccarLocation struct {
	Timestamp text `json:"timestamp"` // ISO 8601
	Coords    struct {
		Latitude  number `json:"latitude"`
		Longitude number `json:"longitude"`
		Accuracy  number `json:"accuracy"` // metres
		Speed     number `json:"speed"`    // m/s, -1 unknown
		Heading   number `json:"heading"`  // degrees, -1 unknown
		Altitude  number `json:"altitude"` // metres
	} `json:"coords"`
	Battery struct {
		Level number `json:"level"` // 0 to 1, -1 unknown
	} `json:"battery"`
	Mock truth `json:"mock"`
}

// traccarLocations is one location, or several where the library was told to send batches.
type traccarLocations struct{ list[traccarLocation] }

func (l *traccarLocations) UnmarshalJSON(b []byte) error {
	if b[0] != '{' {
		return l.list.UnmarshalJSON(b)
	}
	var one traccarLocation
	_ = json.Unmarshal(b, &one)
	l.v, l.n, l.ok = []traccarLocation{one}, 1, true
	return nil
}

// TraccarJSON reads a post of Traccar Client 9 or later.
func TraccarJSON(r Request) (Post, error) {
	var m traccar
	if err := readJSON(r.Body, &m); err != nil {
		return Post{}, err
	}
	switch {
	case !m.Location.ok:
		return Post{}, fieldError(orders.Invalid, "/location", "it is missing, or neither an object nor an array")
	case m.Location.n > track.MaxPoints:
		return Post{}, tooMany("/location", m.Location.n)
	}
	points := make([]track.Point, len(m.Location.v))
	for i := range m.Location.v {
		points[i] = m.Location.v[i].point()
	}
	device := string(m.DeviceID)
	if device == "" {
		device = either(r.Query, "id", "deviceid")
	}
	post := place(device, points...)
	post.Answer = Answer{Status: http.StatusOK}
	return post, nil
}

func (l *traccarLocation) point() track.Point {
	at, timed := parseTime(string(l.Timestamp))
	c := &l.Coords
	p := located(at, timed, c.Latitude, c.Longitude)
	set(&p, track.Accuracy, c.Accuracy, 1)
	set(&p, track.Speed, c.Speed, 1)
	set(&p, track.Heading, c.Heading, 1)
	set(&p, track.Altitude, c.Altitude, 1)
	set(&p, track.Battery, l.Battery.Level, fullBattery)
	if l.Mock {
		p.Flags |= track.Mock
	}
	return p
}
