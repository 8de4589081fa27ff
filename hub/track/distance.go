package track

import "math"

// earthRadius is the mean radius in metres (IUGG R1): haversine with it is right to 0.5 %.
const earthRadius = 6_371_008.8

const radian = math.Pi / 180

// Distance is the way over ground between two places, in metres, by haversine.
func Distance(lat1, lon1, lat2, lon2 float64) float64 {
	if lat1 == lat2 && lon1 == lon2 {
		return 0
	}
	sinLat := math.Sin((lat2 - lat1) * (radian / 2))
	sinLon := math.Sin((lon2 - lon1) * (radian / 2))
	h := sinLat*sinLat + math.Cos(lat1*radian)*math.Cos(lat2*radian)*sinLon*sinLon
	return 2 * earthRadius * math.Asin(math.Sqrt(min(h, 1))) // rounding may take the far side of the earth above 1
}
