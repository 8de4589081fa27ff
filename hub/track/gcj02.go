package track

import "math"

// CRS names a coordinate system, as callers label coordinates: "coordSys" of a post, "crs" of a question.
type CRS string

const (
	WGS84 CRS = "wgs84" // what phones measure and what we keep
	GCJ02 CRS = "gcj02" // what Amap's and Tencent's maps and libraries speak; only on request, never guessed
)

// ParseCRS reads a label; "" is WGS84.
func ParseCRS(s string) (CRS, bool) {
	switch c := CRS(s); c {
	case "":
		return WGS84, true
	case WGS84, GCJ02:
		return c, true
	}
	return "", false
}

// ToWGS84 turns coordinates of this system into WGS-84.
func (c CRS) ToWGS84(lat, lon float64) (float64, float64) {
	if c == GCJ02 {
		return WGS84OfGCJ02(lat, lon)
	}
	return lat, lon
}

// FromWGS84 turns WGS-84 coordinates into this system's.
func (c CRS) FromWGS84(lat, lon float64) (float64, float64) {
	if c == GCJ02 {
		return GCJ02OfWGS84(lat, lon)
	}
	return lat, lon
}

// The box in which GCJ-02 is shifted, in WGS-84 degrees. It is crude: it holds places (Hong Kong, Macau, Taiwan and
// neighbouring countries) whose maps are not shifted, so who asks for a conversion must know.
const (
	shiftSouth, shiftNorth = 0.8293, 55.8271
	shiftWest, shiftEast   = 72.004, 137.8347
)

func shifted(lat, lon float64) bool {
	return lat >= shiftSouth && lat <= shiftNorth && lon >= shiftWest && lon <= shiftEast
}

// GCJ02OfWGS84 is the GCJ-02 of a place: 100 to 700 m away inside the box, the same outside.
func GCJ02OfWGS84(lat, lon float64) (float64, float64) {
	if !shifted(lat, lon) {
		return lat, lon
	}
	north, east := gcjShift(lat, lon)
	return lat + north, lon + east
}

// WGS84OfGCJ02 undoes GCJ02OfWGS84, to less than a millimetre. There is no formula for it: the shift is that of the place
// looked for, which is found by trying, each time some fifty times closer.
func WGS84OfGCJ02(lat, lon float64) (float64, float64) {
	wgsLat, wgsLon := lat, lon
	for range 12 {
		if math.IsNaN(wgsLat) || math.Abs(wgsLat-lat) > 1 || math.Abs(wgsLon-lon) > 1 {
			return lat, lon // no shift is that long: far from the box
		}
		north, east := gcjShift(wgsLat, wgsLon)
		nextLat, nextLon := lat-north, lon-east
		done := math.Abs(nextLat-wgsLat) < 1e-9 && math.Abs(nextLon-wgsLon) < 1e-9 // 0.1 mm
		wgsLat, wgsLon = nextLat, nextLon
		if done {
			break
		}
	}
	if !shifted(inward(wgsLat, shiftSouth, shiftNorth), inward(wgsLon, shiftWest, shiftEast)) {
		return lat, lon
	}
	return wgsLat, wgsLon
}

// inward moves v a hair (a centimetre) towards the middle: the search for a place on the edge may end just outside.
func inward(v, least, most float64) float64 {
	const hair = 1e-7
	if v > (least+most)/2 {
		return v - hair
	}
	return v + hair
}

// gcjShift is how far GCJ-02 moves a place, in degrees. The numbers are those that everybody who had to reverse the
// secret formula arrived at; the ellipsoid is Krasovsky's of 1940.
func gcjShift(lat, lon float64) (north, east float64) {
	const (
		axis         = 6_378_245.0               // metres, half the longer one
		eccentricity = 0.006_693_421_622_965_943 // squared
	)
	x, y := lon-105, lat-35
	wave := func(v, period float64) float64 { return math.Sin(v * math.Pi / period) }
	root := math.Sqrt(math.Abs(x))
	common := 20*wave(x, 1./6) + 20*wave(x, 1./2)
	metresNorth := -100 + 2*x + 3*y + 0.2*y*y + 0.1*x*y + 0.2*root +
		(common+20*wave(y, 1)+40*wave(y, 3)+160*wave(y, 12)+320*wave(y, 30))*2/3
	metresEast := 300 + x + 2*y + 0.1*x*x + 0.1*x*y + 0.1*root +
		(common+20*wave(x, 1)+40*wave(x, 3)+150*wave(x, 12)+300*wave(x, 30))*2/3

	sin, cos := math.Sincos(lat * radian)
	bend := 1 - eccentricity*sin*sin
	perDegreeNorth := axis * (1 - eccentricity) / (bend * math.Sqrt(bend)) * radian
	perDegreeEast := axis / math.Sqrt(bend) * cos * radian
	return metresNorth / perDegreeNorth, metresEast / perDegreeEast
}
