package riderapp

import (
	"net/http"

	"doorbell/hub/track"
	"doorbell/orders"
)

// overland is a batch of Overland's, GeoJSON but for its frame.
type overland struct {
	Locations list[overlandFeature]    `json:"locations"`
	Current   present[overlandFeature] `json:"current"` // the newest of all, where the batch is far behind
}

type overlandFeature struct {
	Geometry struct {
		Coordinates list[number] `json:"coordinates"` // longitude first
	} `json:"geometry"`
	Properties struct {
		Timestamp text   `json:"timestamp"`
		Accuracy  number `json:"horizontal_accuracy"` // metres; below 0 the place is void
		Speed     number `json:"speed"`               // m/s, below 0 unknown
		Course    number `json:"course"`              // degrees, below 0 unknown
		Altitude  number `json:"altitude"`            // metres
		Battery   number `json:"battery_level"`       // 0 to 1, below 0 unknown
		DeviceID  text   `json:"device_id"`           // as the user set it
		UniqueID  text   `json:"unique_id"`           // of the phone, if the user lets it
		Type      text   `json:"type"`                // "trip": the summary of one
		Action    text   `json:"action"`              // "visit" and others: a note of the app's, not a fix
	} `json:"properties"`
}

// Overland reads a post of Overland's. Whatever is dropped, the answer says that all is well: at any other word the app
// keeps the whole batch and sends it again.
func Overland(r Request) (Post, error) {
	var m overland
	if err := readJSON(r.Body, &m); err != nil {
		return Post{}, err
	}
	switch {
	case !m.Locations.ok:
		return Post{}, fieldError(orders.Invalid, "/locations", "it is missing, or not an array")
	case m.Locations.n > track.MaxPoints:
		return Post{}, tooMany("/locations", m.Locations.n)
	}
	post := Post{
		Points: make([]track.Point, 0, len(m.Locations.v)+1),
		Answer: Answer{Status: http.StatusOK, ContentType: "application/json", Body: `{"result":"ok"}`},
	}
	for i := range m.Locations.v {
		post.addFeature(&m.Locations.v[i])
	}
	// It comes again in a batch of its own; here it shows where the courier is now.
	if m.Current.ok && len(post.Points) < track.MaxPoints {
		post.addFeature(&m.Current.v)
	}
	return post, nil
}

func (post *Post) addFeature(f *overlandFeature) {
	if f.Properties.Action != "" || f.Properties.Type == "trip" {
		return
	}
	device := string(f.Properties.DeviceID)
	if device == "" {
		device = string(f.Properties.UniqueID)
	}
	if post.Device == "" {
		post.Device = device
	}
	p := f.point()
	p.Device = track.DeviceHash(device)
	post.Points = append(post.Points, p)
}

func (f *overlandFeature) point() track.Point {
	c, props := f.Geometry.Coordinates.v, &f.Properties
	at, timed := parseTime(string(props.Timestamp))
	if len(c) < 2 || props.Accuracy.ok && props.Accuracy.v < 0 {
		return track.Unplaced()
	}
	p := located(at, timed, c[1], c[0])
	set(&p, track.Accuracy, props.Accuracy, 1)
	set(&p, track.Speed, props.Speed, 1)
	set(&p, track.Heading, props.Course, 1)
	set(&p, track.Altitude, props.Altitude, 1)
	set(&p, track.Battery, props.Battery, fullBattery)
	return p
}
