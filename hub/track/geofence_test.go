package track_test

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"doorbell/hub/track"
	"doorbell/orders"
)

// customer is a stop at home.
func customer() track.Stop {
	return track.Stop{OrderID: "ord_1", Kind: orders.StopCustomer, Epoch: 1, Lat: homeLat, Lon: homeLon}
}

// usable is a fix as Accept lets it through for the geofence.
func usable(seconds, north float64) track.Point {
	p := at(seconds, north)
	p.Flags |= track.Fence
	return p
}

// told is what the geofence said of each fix: "0:nearby 12:arrived".
func told(stop *track.Stop, points ...track.Point) string {
	var all []string
	for _, p := range points {
		stops := []track.Stop{*stop}
		for _, c := range track.Geofence(nil, stops, []track.Point{p}, track.DefaultLimits) {
			all = append(all, fmt.Sprintf("%v:%v", seconds(p.At), c.Kind))
		}
		*stop = stops[0]
		stop.Memory = track.DecodeFence(stop.Memory.Append(nil)) // it lives elsewhere between posts
	}
	return strings.Join(all, " ")
}

func TestGeofence(t *testing.T) {
	for _, c := range []struct {
		name   string
		points []track.Point
		want   string
	}{
		{"Outside", []track.Point{usable(0, 301), usable(30, 400)}, ""},
		{"NearbyOnce", []track.Point{usable(0, 299), usable(5, 290), usable(10, 500), usable(20, 250)}, "0:nearby"},
		{"OneFixIsNoArrival", []track.Point{usable(0, 79)}, "0:nearby"},
		{"TwoFixes", []track.Point{usable(0, 79), usable(10, 10)}, "0:nearby 10:arrived"},
		{"TooClose", []track.Point{usable(0, 79), usable(9.999, 10)}, "0:nearby"},
		{"TooFarApart", []track.Point{usable(0, 79), usable(20.001, 10)}, "0:nearby"},
		{"EverySecond", append(seconded(0, 9, 50), usable(10, 50)), "0:nearby 10:arrived"},
		{"EveryTwentySeconds", []track.Point{usable(0, 9), usable(20, 9)}, "0:nearby 20:arrived"},
		{"TheLastOfThemCounts", []track.Point{usable(0, 9), usable(5, 9), usable(22, 9)}, "0:nearby 22:arrived"},
		{"BeginAnew", []track.Point{usable(0, 9), usable(30, 9), usable(41, 9)}, "0:nearby 41:arrived"},
		{"BesideTheHouse", []track.Point{usable(0, 79), usable(5, 119), usable(12, 79)}, "0:nearby 12:arrived"},
		{"GoneBetween", []track.Point{usable(0, 79), usable(5, 121), usable(12, 79), usable(22, 79)}, "0:nearby 22:arrived"},
		{"Once", []track.Point{usable(0, 9), usable(10, 9), usable(20, 9), usable(100, 900), usable(200, 9), usable(210, 9)}, "0:nearby 10:arrived"},
		{"NotUsable", []track.Point{at(0, 9), at(10, 9)}, ""},
		{"StraightIn", []track.Point{usable(0, 900), usable(60, 0), usable(70, 0)}, "60:nearby 70:arrived"},
	} {
		t.Run(c.name, func(t *testing.T) {
			stop := customer()
			if got := told(&stop, c.points...); got != c.want {
				t.Errorf("told %q, want %q", got, c.want)
			}
		})
	}
}

func seconded(from, to int, north float64) []track.Point {
	var all []track.Point
	for s := from; s <= to; s++ {
		all = append(all, usable(float64(s), north))
	}
	return all
}

func TestGeofence_ByTravelTime(t *testing.T) {
	stop := customer()
	stop.Travel = 121 * time.Second
	if got := told(&stop, usable(0, 1000)); got != "" {
		t.Error(got)
	}
	stop.Travel = 120 * time.Second
	if got := told(&stop, usable(5, 950), usable(10, 900)); got != "5:nearby" {
		t.Error(got)
	}
}

func TestGeofence_AnotherLegOrCourier(t *testing.T) {
	stop := customer()
	told(&stop, usable(0, 0), usable(10, 0))
	stop.Epoch = 2
	if got := told(&stop, usable(20, 0), usable(30, 0)); got != "20:nearby 30:arrived" {
		t.Errorf("another courier: %q", got)
	}
	stop.Kind = orders.StopMerchant
	if got := told(&stop, usable(40, 0), usable(50, 0)); got != "40:nearby 50:arrived" {
		t.Errorf("another leg: %q", got)
	}
}

func TestGeofence_SeveralStops(t *testing.T) {
	next, later, nowhere := customer(), customer(), customer()
	later.OrderID, later.Lat = "ord_2", homeLat+1
	nowhere.OrderID, nowhere.Lat, nowhere.Lon = "ord_3", 0, 0
	g := newPlay(t).post(30, at(0, 0), at(10, 0), at(20, 0)) // as it comes out of Accept
	got := track.Geofence(nil, []track.Stop{later, next, nowhere}, g.res.History, g.lim)
	want := []track.Crossing{{OrderID: "ord_1", Stop: orders.StopCustomer, Kind: track.IsNearby}, {OrderID: "ord_1", Stop: orders.StopCustomer, Kind: track.HasArrived}}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// The two times that FenceMemory keeps say the same as all of them would.
func TestGeofence_SameAsLookingAtAll(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		stop := customer()
		var inside []float64
		s, want := 0.0, ""
		var points []track.Point
		for range rapid.IntRange(1, 30).Draw(rt, "fixes") {
			s += float64(rapid.IntRange(1, 25).Draw(rt, "gap"))
			metres := rapid.SampledFrom([]float64{0, 79, 81, 119, 121}).Draw(rt, "metres")
			points = append(points, usable(s, metres))
			switch {
			case metres > 120:
				inside = nil
			case metres <= 80:
				for _, before := range inside {
					if d := s - before; want == "" && d >= 10 && d <= 20 {
						want = fmt.Sprintf("%v:arrived", s)
					}
				}
				inside = append(inside, s)
			}
		}
		got := told(&stop, points...)
		got = strings.TrimSpace(strings.TrimPrefix(got, strings.Fields(got + " -")[0]))
		if got != want {
			rt.Errorf("told %q, want %q", got, want)
		}
	})
}

func TestFenceMemory(t *testing.T) {
	stop := customer()
	told(&stop, usable(0, 0))
	b := stop.Memory.Append(nil)
	if len(b) != 27 || track.DecodeFence(b) != stop.Memory {
		t.Errorf("%d bytes", len(b))
	}
	var none track.FenceMemory
	for _, b := range [][]byte{nil, b[1:], b[:26], append(b, 0), make([]byte, 27), none.Append(nil)} {
		if track.DecodeFence(b) != none {
			t.Errorf("% x is a memory", b)
		}
	}
}

func TestDistance(t *testing.T) {
	for _, c := range []struct {
		lat1, lon1, lat2, lon2, want float64
	}{
		{0, 0, 0, 0, 0}, {0, 0, 1, 0, degree}, {0, 0, 0, 1, degree}, {0, 179.5, 0, -179.5, degree}, {90, 0, 90, 90, 0},
		{0, 0, 0, 180, math.Pi * 6371008.8}, {89.9999, 0, -89.9999, 180, math.Pi * 6371008.8},
		{48.8583, 2.2945, 48.8606, 2.3376, 3162}, // Eiffel tower to Louvre
	} {
		if got := track.Distance(c.lat1, c.lon1, c.lat2, c.lon2); math.Abs(got-c.want) > 1e-3*c.want+0.01 {
			t.Errorf("%+v: %v", c, got)
		}
	}
}

// The far side of the earth, where a sine above 1 by rounding would give NaN.
func TestDistance_Antipode(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		lat, lon := rapid.Float64Range(-90, 90).Draw(t, "lat"), rapid.Float64Range(-180, 0).Draw(t, "lon")
		if d := track.Distance(lat, lon, -lat, lon+180); !(math.Abs(d-math.Pi*6371008.8) < 1) {
			t.Errorf("%v", d)
		}
	})
}
