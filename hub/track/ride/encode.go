package ride

import (
	"encoding/binary"
	"errors"
	"math"
	"time"

	"doorbell/hub/track"
)

// shownVersion is the first byte of an encoded Shown. Another version is not read: the next fix comes in seconds.
const shownVersion = 1

// What an encoded Shown holds.
const (
	bitRiding = 1 << iota
	bitETA
	bitTellETA
	bitMerchant
	bitDistance
	bitArrives
	bitAccuracy
	bitSpeed
	bitHeading
)

var errShown = errors.New("ride: not a position of this version")

// Append appends s to b, without the order, whose channel it travels on: the version; the fix time in milliseconds as
// eight bytes, the highest first, so that a script can compare two positions' bytes 2 to 9 as strings; what it holds; then
// numbers as varints, rounded as they are shown. Some 60 bytes.
func (s *Shown) Append(b []byte) []byte {
	b = append(b, shownVersion)
	b = binary.BigEndian.AppendUint64(b, uint64(s.Point.At))
	has := uint64(0)
	flag := func(bit uint64, on bool) bool {
		if on {
			has |= bit
		}
		return on
	}
	riding := flag(bitRiding, s.Phase == Riding)
	eta := flag(bitETA, !s.ETA.At.IsZero())
	flag(bitTellETA, s.TellETA)
	flag(bitMerchant, s.Merchant)
	distance := flag(bitDistance, !riding && s.Distance >= 0)
	arrives := flag(bitArrives, !riding && !s.Arrives.IsZero())
	var values [3]uint64
	for i, f := range measures {
		v, ok := measured(&s.Point, f)
		values[i] = v
		flag(bitAccuracy<<i, riding && ok)
	}
	b = binary.AppendUvarint(b, has)
	b = binary.AppendUvarint(b, uint64(s.Epoch))
	b = append(binary.AppendUvarint(b, uint64(len(s.Courier))), s.Courier...)
	b = binary.AppendVarint(b, int64(s.Point.ReceivedAt-s.Point.At))
	b = binary.AppendUvarint(b, uint64(s.StopsAhead))
	if riding {
		b = binary.AppendVarint(b, hundredThousandths(s.Point.Lat))
		b = binary.AppendVarint(b, hundredThousandths(s.Point.Lon))
	}
	for i, v := range values {
		if has&(bitAccuracy<<i) != 0 {
			b = binary.AppendUvarint(b, v)
		}
	}
	from := int64(s.Point.At) / 1000
	if eta {
		for _, t := range [...]time.Time{s.ETA.At, s.ETA.Earliest, s.ETA.Latest} {
			b = binary.AppendVarint(b, t.Unix()-from)
		}
	}
	if distance {
		b = binary.AppendUvarint(b, uint64(s.Distance))
	}
	if arrives {
		b = binary.AppendVarint(b, s.Arrives.Unix()-from)
	}
	return b
}

// DecodeShown reads what Append wrote, of this order.
func DecodeShown(order string, b []byte) (Shown, error) {
	if len(b) < 9 || b[0] != shownVersion {
		return Shown{}, errShown
	}
	s := Shown{Order: order, Phase: Approach, Distance: -1}
	s.Point.At = track.UnixMilli(binary.BigEndian.Uint64(b[1:]))
	r := varints{b: b[9:]}
	has := r.unsigned(1<<9 - 1)
	s.Epoch = int64(r.unsigned(math.MaxInt64))
	s.Courier = r.text(maxCourier)
	s.Point.ReceivedAt = s.Point.At + track.UnixMilli(r.signed(mostMillis))
	s.StopsAhead = int(r.unsigned(maxStops))
	if has&bitRiding != 0 {
		s.Phase = Riding
		s.Point.Lat = float64(r.signed(90e5)) / 1e5
		s.Point.Lon = float64(r.signed(180e5)) / 1e5
	}
	for i, f := range measures {
		if has&(bitAccuracy<<i) != 0 {
			s.Point.Set(f, float64(r.unsigned(1e9))/scales[i])
		}
	}
	from := int64(s.Point.At) / 1000
	second := func() time.Time { return time.Unix(from+r.signed(mostMillis/1000), 0).UTC() }
	if has&bitETA != 0 {
		s.ETA = track.Estimate{At: second(), Earliest: second(), Latest: second()}
	}
	s.TellETA, s.Merchant = has&bitTellETA != 0, has&bitMerchant != 0
	if has&bitDistance != 0 {
		s.Distance = int(r.unsigned(maxDistance))
	}
	if has&bitArrives != 0 {
		s.Arrives = second()
	}
	if at := s.Point.At; r.broken || len(r.b) > 0 || at < 0 || at > lastFix {
		return Shown{}, errShown
	}
	return s, nil
}

const (
	maxCourier  = 1 << 10                    // bytes of an id
	maxStops    = 1 << 10                    //
	maxDistance = 21_000_000                 // metres, half around the earth
	mostMillis  = 400 * 24 * 60 * 60 * 1_000 // between times of one position: more than any fix is kept for
	lastFix     = 4_102_444_800_000          // the year 2100
)

// measures are what a phone may leave out and is shown, and scales how many units each has in what is shown.
var (
	measures = [...]track.Field{track.Accuracy, track.Speed, track.Heading}
	scales   = [...]float64{1, 10, 1}
)

// measured is a field of p, rounded, in units as it is shown: metres, decimetres a second, degrees.
func measured(p *track.Point, f track.Field) (uint64, bool) {
	v, ok := p.Get(f)
	switch f {
	case track.Accuracy:
		v = max(1, math.Round(v))
	case track.Speed:
		v = math.Round(v * 10)
	case track.Heading:
		if v = math.Round(v); v >= 360 {
			v = 0
		}
	}
	return uint64(v), ok
}

// hundredThousandths is degrees to five decimals, as a whole number.
func hundredThousandths(v float64) int64 { return int64(math.Round(v * 1e5)) }

// varints reads numbers; past the end, or beyond a limit, it gives 0 and is broken.
type varints struct {
	b      []byte
	broken bool
}

func (r *varints) unsigned(most uint64) uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 || v > most {
		r.broken, r.b = true, nil
		return 0
	}
	r.b = r.b[n:]
	return v
}

// signed reads a number from -most to most.
func (r *varints) signed(most int64) int64 {
	v, n := binary.Varint(r.b)
	if n <= 0 || v > most || v < -most {
		r.broken, r.b = true, nil
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *varints) text(most uint64) string {
	n := r.unsigned(most)
	if uint64(len(r.b)) < n {
		r.broken, r.b = true, nil
		return ""
	}
	s := string(r.b[:n])
	r.b = r.b[n:]
	return s
}
