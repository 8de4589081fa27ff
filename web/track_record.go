package web

import (
	"context"
	"encoding/binary"
	"errors"
	"math"
	"time"

	"doorbell/hub/track"
	"doorbell/hub/track/ride"
	"doorbell/orders"
)

// TrackWriter lets a ride.Service keep the history of orders in a store.
type TrackWriter struct{ Store orders.TrackStore }

var _ ride.Tracks = TrackWriter{}

// WriteTrack implements ride.Tracks.
func (t TrackWriter) WriteTrack(ctx context.Context, fixes []ride.Fix) error {
	rows := make([]orders.TrackFix, len(fixes))
	for i := range fixes {
		f := &fixes[i]
		rows[i] = orders.TrackFix{
			Order: f.Order, Courier: f.Courier, At: f.Point.At.Time(), Device: uint64(f.Point.Device), Data: appendRecord(nil, f),
		}
	}
	return t.Store.AddTrack(ctx, rows)
}

// recordVersion is the first byte of a record, so that one of another version is not misread.
const recordVersion = 1

// What a record holds beside time and place.
const (
	recordAccuracy = 1 << iota
	recordSpeed
	recordHeading
	recordAltitude
	recordBattery
	recordMock
	recordShown
	recordETA
)

// measures are what a phone may leave out, each with its bit and how many units it is stored in.
var measures = [...]struct {
	bit   uint64
	field track.Field
	scale float64
}{
	{recordAccuracy, track.Accuracy, 10}, {recordSpeed, track.Speed, 100}, {recordHeading, track.Heading, 10},
	{recordAltitude, track.Altitude, 10}, {recordBattery, track.Battery, 1},
}

// degreeUnits is how many units a degree is stored in: one is a centimetre.
const degreeUnits = 1e7

// appendRecord appends what orders.TrackFix does not say of a fix: the version, what it holds, then varints. Some 25 bytes,
// 80 at most.
func appendRecord(b []byte, f *ride.Fix) []byte {
	p, has := &f.Point, uint64(0)
	for _, m := range measures {
		if _, ok := p.Get(m.field); ok {
			has |= m.bit
		}
	}
	if p.Flags&track.Mock != 0 {
		has |= recordMock
	}
	if f.Shown {
		has |= recordShown
	}
	if !f.ETAAt.IsZero() {
		has |= recordETA
	}
	b = binary.AppendUvarint(append(b, recordVersion), has)
	b = binary.AppendVarint(b, int64(p.ReceivedAt-p.At))
	b = binary.AppendVarint(b, int64(math.Round(p.Lat*degreeUnits)))
	b = binary.AppendVarint(b, int64(math.Round(p.Lon*degreeUnits)))
	for _, m := range measures {
		if v, ok := p.Get(m.field); ok {
			b = binary.AppendVarint(b, int64(math.Round(v*m.scale)))
		}
	}
	b = binary.AppendVarint(b, f.Epoch)
	b = binary.AppendVarint(b, int64(f.StopsAhead))
	if has&recordETA != 0 {
		b = binary.AppendVarint(b, f.ETAAt.UnixMilli()-int64(p.At))
	}
	return b
}

var errRecord = errors.New("web: a track holds a record of another version")

// fixOf is a fix as appendRecord was given it, rounded.
func fixOf(row *orders.TrackFix) (ride.Fix, error) {
	f := ride.Fix{Order: row.Order, Courier: row.Courier}
	p, b := &f.Point, row.Data
	p.At, p.Device = track.MilliOf(row.At), uint32(row.Device)
	if len(b) == 0 || b[0] != recordVersion {
		return f, errRecord
	}
	has, n := binary.Uvarint(b[1:])
	if n <= 0 {
		return f, errRecord
	}
	b = b[1+n:]
	broken := false
	next := func() int64 {
		v, n := binary.Varint(b)
		if n <= 0 {
			broken = true
			return 0
		}
		b = b[n:]
		return v
	}
	p.ReceivedAt = p.At + track.UnixMilli(next())
	p.Lat, p.Lon = float64(next())/degreeUnits, float64(next())/degreeUnits
	for _, m := range measures {
		if has&m.bit != 0 {
			p.Set(m.field, float64(next())/m.scale)
		}
	}
	if has&recordMock != 0 {
		p.Flags |= track.Mock
	}
	f.Shown = has&recordShown != 0
	f.Epoch, f.StopsAhead = next(), int(next())
	if has&recordETA != 0 {
		f.ETAAt = time.UnixMilli(int64(p.At) + next()).UTC()
	}
	if broken || len(b) > 0 {
		return f, errRecord
	}
	return f, nil
}
