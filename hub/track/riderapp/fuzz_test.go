package riderapp_test

import (
	"encoding/json"
	"net/url"
	"path/filepath"
	"testing"

	"doorbell/hub/track"
	"doorbell/hub/track/riderapp"
	"doorbell/orders"
)

func FuzzOwnTracks(f *testing.F) { fuzz(f, "owntracks") }
func FuzzOsmAnd(f *testing.F)    { fuzz(f, "osmand") }
func FuzzOverland(f *testing.F)  { fuzz(f, "overland") }
func FuzzGPSLogger(f *testing.F) { fuzz(f, "gpslogger") }

// fuzz begins with the requests of testdata. Whatever comes: an error that says so, or fixes that the filter can take.
func fuzz(f *testing.F, app string) {
	files, err := filepath.Glob(filepath.Join("testdata", app, "*.http"))
	if err != nil || len(files) == 0 {
		f.Fatal(err)
	}
	for _, file := range files {
		r := readRequest(f, file)
		f.Add(r.ContentType, r.Query.Encode(), r.Body)
	}
	f.Fuzz(func(t *testing.T, contentType, query string, body []byte) {
		q, _ := url.ParseQuery(query)
		p, err := doors[app](riderapp.Request{ContentType: contentType, Query: q, Body: body, Now: now})
		sound(t, p, err)
		if err == nil && (p.Answer.Status != 200 || app == "overland" && p.Answer.Body != `{"result":"ok"}`) {
			t.Errorf("answers %+v", p.Answer)
		}
	})
}

// sound holds what every decoder promises, and runs the fixes through the filter.
func sound(t *testing.T, p riderapp.Post, err error) {
	t.Helper()
	if err != nil {
		if k := orders.KindOf(err); k != orders.Invalid && k != orders.TooLarge || len(p.Points) > 0 {
			t.Errorf("%d points and %v", len(p.Points), err)
		}
		return
	}
	if len(p.Points) > track.MaxPoints {
		t.Errorf("%d points", len(p.Points))
	}
	for _, pt := range p.Points {
		for field, most := range map[track.Field]float64{
			track.Accuracy: 1e5, track.Speed: 1e3, track.Heading: 359.9999999, track.Altitude: 2e4, track.Battery: 100,
		} {
			if v, ok := pt.Get(field); !(v >= -2e4 && v <= most) || v < 0 && field != track.Altitude || !ok && v != 0 {
				t.Errorf("field %d is %v", field, v)
			}
		}
	}
	s, res := track.Accept(track.State{}, p.Points, now, track.DefaultLimits)
	for _, pt := range res.History {
		if !track.OnEarth(pt.Lat, pt.Lon) || pt.At > now {
			t.Errorf("stored %v", pt)
		}
	}
	if res.Accepted+len(res.Dropped) != len(p.Points) || len(s.Encode()) > track.MaxStateBytes {
		t.Errorf("%d and %d of %d", res.Accepted, len(res.Dropped), len(p.Points))
	}
}

// FuzzNative has an oracle besides: what was read, written and read again is the same.
func FuzzNative(f *testing.F) {
	files, err := filepath.Glob("testdata/native/*.http")
	if err != nil || len(files) == 0 {
		f.Fatal(err)
	}
	for _, file := range files {
		f.Add(readRequest(f, file).Body)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		p, err := riderapp.Native(body)
		sound(t, p, err)
		if err != nil {
			return
		}
		again, err := riderapp.Native(format(t, p.Points))
		if err != nil || len(again.Points) != len(p.Points) {
			t.Fatalf("%d points come back as %d, %v", len(p.Points), len(again.Points), err)
		}
		for i, pt := range p.Points {
			if got := again.Points[i]; got != pt && (track.OnEarth(pt.Lat, pt.Lon) || track.OnEarth(got.Lat, got.Lon)) {
				t.Errorf("%v comes back as %v", pt, got)
			}
		}
	})
}

// format writes fixes as our own app would.
func format(t *testing.T, points []track.Point) []byte {
	all := make([]map[string]any, len(points))
	for i, p := range points {
		m := map[string]any{}
		all[i] = m
		if !track.OnEarth(p.Lat, p.Lon) {
			continue
		}
		m["at"], m["lat"], m["lon"], m["mock"] = p.At.Time().Format(orders.TimeFormat), p.Lat, p.Lon, p.Flags&track.Mock != 0
		for name, field := range map[string]track.Field{
			"accuracy": track.Accuracy, "speed": track.Speed, "heading": track.Heading, "altitude": track.Altitude, "battery": track.Battery,
		} {
			if v, ok := p.Get(field); ok {
				m[name] = v
			}
		}
	}
	b, err := json.Marshal(map[string]any{"points": all})
	if err != nil {
		t.Fatal(err)
	}
	return b
}
