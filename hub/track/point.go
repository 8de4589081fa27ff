package track

import (
	"math"
	"strconv"
	"time"

	"doorbell/orders"
)

// UnixMilli is a time in milliseconds since 1970, UTC; 0 is no time.
type UnixMilli int64

// MilliOf is t, cut to milliseconds. The zero time is 0.
func MilliOf(t time.Time) UnixMilli {
	if t.IsZero() {
		return 0
	}
	return UnixMilli(t.UnixMilli())
}

// Time is m in UTC; the zero time for 0.
func (m UnixMilli) Time() time.Time {
	if m == 0 {
		return time.Time{}
	}
	return time.UnixMilli(int64(m)).UTC()
}

// Sub is m - o, cut to what a Duration can say: what phones write may be any number.
func (m UnixMilli) Sub(o UnixMilli) time.Duration {
	const most = math.MaxInt64 / int64(time.Millisecond)
	d := int64(m) - int64(o)
	switch {
	case m >= 0 && o < 0 && d < 0, d > most: // the first: overflow
		return math.MaxInt64
	case m < 0 && o >= 0 && d > 0, d < -most:
		return math.MinInt64
	}
	return time.Duration(d) * time.Millisecond
}

// Point is one fix of a courier's phone. What a phone may leave out is read with [Point.Get] and written with
// [Point.Set]; its field is 0 while it is absent, so equal fixes are ==. 56 bytes.
type Point struct {
	At         UnixMilli // when the fix was made; Accept moves one from the near future to now
	ReceivedAt UnixMilli // when it came in; set by Accept
	Lat, Lon   float64   // WGS-84 degrees

	accuracy float32
	speed    float32
	heading  float32
	altitude float32

	Device  uint32 // of which phone, see DeviceHash; 0 = not told apart
	battery uint8
	has     Field
	Flags   Flags
}

// Field names one of the things that a fix may leave out.
type Field uint8

const (
	Accuracy Field = 1 << iota // metres, radius of 68 %; above 0: phones write 0 for "unknown"
	Speed                      // metres a second, 0 or more
	Heading                    // degrees from north, clockwise, [0, 360)
	Altitude                   // metres above the sea
	Battery                    // percent, 0 to 100
)

// Flags are marks of a fix.
type Flags uint8

const (
	Mock  Flags = 1 << iota // the phone says that an app made this position up; accepted, and shown to ops
	Fence                   // set by Accept: good, fresh and in order enough for the geofence
)

// storedFlags are the flags that a State carries with a held fix.
const storedFlags = Mock

// Set stores v, unless it is out of the field's range (-1, NaN and the like): then the field is absent, and the fix
// stays as good as it was.
func (p *Point) Set(f Field, v float64) {
	p.has &^= f
	ok := false
	switch f {
	case Accuracy:
		p.accuracy, ok = ranged(v, math.SmallestNonzeroFloat32, maxAccuracy)
	case Speed:
		p.speed, ok = ranged(v, 0, maxSpeed)
	case Heading:
		if v == 360 {
			v = 0
		}
		if p.heading, ok = ranged(v, 0, 360); p.heading == 360 { // rounded up to float32
			p.heading = 0
		}
	case Altitude:
		p.altitude, ok = ranged(v, -maxAltitude, maxAltitude)
	case Battery:
		if p.battery, ok = 0, v >= 0 && v <= 100; ok {
			p.battery = uint8(math.Round(v))
		}
	}
	if ok {
		p.has |= f
	}
}

// Beyond these a phone has written nonsense, not a measurement.
const (
	maxAccuracy = 100_000 // metres
	maxSpeed    = 1_000   // metres a second
	maxAltitude = 20_000  // metres
)

func ranged(v, least, most float64) (float32, bool) {
	if v >= least && v <= most { // NaN is not
		return float32(v), true
	}
	return 0, false
}

// Get is a field, and whether it is there; 0 when not.
func (p Point) Get(f Field) (float64, bool) {
	var v float64
	switch f {
	case Accuracy:
		v = float64(p.accuracy)
	case Speed:
		v = float64(p.speed)
	case Heading:
		v = float64(p.heading)
	case Altitude:
		v = float64(p.altitude)
	case Battery:
		v = float64(p.battery)
	}
	return v, p.has&f != 0
}

// Unplaced is what a decoder puts in the place of a fix that it cannot read: Accept drops it as INVALID, and the others
// keep their index.
func Unplaced() Point { return Point{Lat: math.Inf(1)} }

// OnEarth reports whether the coordinates are a place: in range, not NaN, and not (0,0), which is what phones without a
// fix write.
func OnEarth(lat, lon float64) bool {
	return lat >= -90 && lat <= 90 && lon >= -180 && lon <= 180 && (lat != 0 || lon != 0)
}

// firstFix is the earliest fix time that is believed: a phone that says less has no clock yet.
var firstFix = MilliOf(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC))

func (p *Point) valid() bool { return OnEarth(p.Lat, p.Lon) && p.At >= firstFix }

// String is the fix on one line, for tests and debugging: never for the log, since it is a place.
func (p Point) String() string {
	b := append([]byte("at="), p.At.Time().Format(orders.TimeFormat)...)
	number := func(name string, v float64, bits int) {
		b = strconv.AppendFloat(append(b, name...), v, 'f', -1, bits)
	}
	number(" lat=", p.Lat, 64)
	number(" lon=", p.Lon, 64)
	for _, f := range []struct {
		name  string
		field Field
	}{{" accuracy=", Accuracy}, {" speed=", Speed}, {" heading=", Heading}, {" altitude=", Altitude}, {" battery=", Battery}} {
		if v, ok := p.Get(f.field); ok {
			number(f.name, v, 32)
		}
	}
	if p.Flags&Mock != 0 {
		b = append(b, " mock"...)
	}
	return string(b)
}

// DeviceHash is how a fix names its phone: enough to tell a courier's few phones apart. "" is 0.
func DeviceHash(id string) uint32 {
	if id == "" {
		return 0
	}
	h := uint32(2166136261) // FNV-1a
	for i := range len(id) {
		h = (h ^ uint32(id[i])) * 16777619
	}
	return max(h, 1)
}
