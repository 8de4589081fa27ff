package track_test

import (
	"fmt"
	"math"
	"testing"

	"pgregory.net/rapid"

	"doorbell/hub/track"
)

// Points that other implementations of the same formula agree on.
var goldenGCJ = []struct {
	name                           string
	wgsLat, wgsLon, gcjLat, gcjLon float64
}{
	{"Shanghai", 31.1774276, 121.5272106, 31.17530398364597, 121.531541859215},
	{"Shenzhen", 22.543847, 113.912316, 22.540796131694766, 113.9171764808363},
	{"Beijing, west", 39.911954, 116.377817, 39.91334545536069, 116.38404722455657},
	{"Beijing", 39.915, 116.404, 39.91640428150164, 116.41024449916938},
}

func TestGCJ02_Golden(t *testing.T) {
	for _, g := range goldenGCJ {
		t.Run(g.name, func(t *testing.T) {
			lat, lon := track.GCJ02OfWGS84(g.wgsLat, g.wgsLon)
			// Some of them take the ellipsoid of WGS-84: that is a centimetre.
			if d := track.Distance(lat, lon, g.gcjLat, g.gcjLon); d > 0.02 {
				t.Errorf("%v, %v is %.3f m from %v, %v", lat, lon, d, g.gcjLat, g.gcjLon)
			}
			lat, lon = track.WGS84OfGCJ02(g.gcjLat, g.gcjLon)
			if d := track.Distance(lat, lon, g.wgsLat, g.wgsLon); d > 0.02 {
				t.Errorf("back: %v, %v is %.3f m from %v, %v", lat, lon, d, g.wgsLat, g.wgsLon)
			}
			if a, b := fmt.Sprintf("%.5f %.5f", lat, lon), fmt.Sprintf("%.5f %.5f", g.wgsLat, g.wgsLon); a != b {
				t.Errorf("back: %s, want %s", a, b)
			}
		})
	}
}

func TestGCJ02_RoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		lat := rapid.Float64Range(0.8293, 55.8271).Draw(t, "lat")
		lon := rapid.Float64Range(72.004, 137.8347).Draw(t, "lon")
		gLat, gLon := track.GCJ02OfWGS84(lat, lon)
		if d := track.Distance(lat, lon, gLat, gLon); d > 1500 {
			t.Errorf("moved by %.0f m", d)
		}
		backLat, backLon := track.WGS84OfGCJ02(gLat, gLon)
		if d := track.Distance(lat, lon, backLat, backLon); d > 0.001 {
			t.Errorf("%v, %v comes back %.4f m away", lat, lon, d)
		}
	})
}

func TestGCJ02_Outside(t *testing.T) {
	for _, p := range [][2]float64{{51.5, -0.12}, {-33.86, 151.2}, {0.5, 100}, {56.2, 100}, {30, 71.5}, {30, 138.5}, {90, 180}, {-90, -180},
		{math.NaN(), 3}, {math.Inf(1), 100}, {30, math.Inf(-1)}} {
		same := func(a, b float64) bool { return a == b || math.IsNaN(a) && math.IsNaN(b) }
		if lat, lon := track.GCJ02OfWGS84(p[0], p[1]); !same(lat, p[0]) || !same(lon, p[1]) {
			t.Errorf("%v is moved to %v, %v", p, lat, lon)
		}
		if lat, lon := track.WGS84OfGCJ02(p[0], p[1]); !same(lat, p[0]) || !same(lon, p[1]) {
			t.Errorf("%v is moved back to %v, %v", p, lat, lon)
		}
	}
}

func TestCRS(t *testing.T) {
	for s, want := range map[string]track.CRS{"": track.WGS84, "wgs84": track.WGS84, "gcj02": track.GCJ02} {
		if c, ok := track.ParseCRS(s); !ok || c != want {
			t.Errorf("%q is %q, %v", s, c, ok)
		}
	}
	if _, ok := track.ParseCRS("bd09"); ok {
		t.Error("bd09 is not known")
	}
	lat, lon := track.GCJ02.ToWGS84(track.GCJ02.FromWGS84(39.9, 116.4))
	if track.Distance(lat, lon, 39.9, 116.4) > 0.001 {
		t.Errorf("%v, %v", lat, lon)
	}
	if lat, lon := track.WGS84.ToWGS84(track.WGS84.FromWGS84(39.9, 116.4)); lat != 39.9 || lon != 116.4 {
		t.Errorf("%v, %v", lat, lon)
	}
}
