package web

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"doorbell/hub/track"
	"doorbell/hub/track/ride"
	"doorbell/orders"
)

// TestRecord: what is stored of a fix is read again, rounded, and is short.
func TestRecord(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ms := rapid.Int64Range(946_684_800_000, 4_102_444_800_000)
		p := track.Point{
			At: track.UnixMilli(ms.Draw(t, "at")), ReceivedAt: track.UnixMilli(ms.Draw(t, "receivedAt")), Device: rapid.Uint32().Draw(t, "device"),
			Lat: rapid.Float64Range(-90, 90).Draw(t, "lat"), Lon: rapid.Float64Range(-180, 180).Draw(t, "lon"),
			Flags: track.Flags(rapid.IntRange(0, 1).Draw(t, "mock")),
		}
		for _, m := range measures {
			if rapid.Bool().Draw(t, "has") {
				p.Set(m.field, rapid.Float64Range(-100, 200_000).Draw(t, "value"))
			}
		}
		in := ride.Fix{
			Order: "ord_1", Courier: "cou_1", Epoch: rapid.Int64().Draw(t, "epoch"), Point: p,
			Shown: rapid.Bool().Draw(t, "shown"), StopsAhead: rapid.IntRange(0, 99).Draw(t, "stops"),
		}
		if rapid.Bool().Draw(t, "eta") {
			in.ETAAt = time.UnixMilli(ms.Draw(t, "etaAt")).UTC()
		}
		data := appendRecord(nil, &in)
		if len(data) > 80 {
			t.Fatalf("%d bytes", len(data))
		}
		row := orders.TrackFix{Order: "ord_1", Courier: "cou_1", At: p.At.Time(), Device: uint64(p.Device), Data: data}
		out, err := fixOf(&row)
		if err != nil {
			t.Fatal(err)
		}
		close := func(what string, a, b, most float64) {
			if d := a - b; d > most || d < -most {
				t.Fatalf("%s %v became %v", what, a, b)
			}
		}
		close("lat", p.Lat, out.Point.Lat, 1e-7)
		close("lon", p.Lon, out.Point.Lon, 1e-7)
		for _, m := range measures {
			a, had := p.Get(m.field)
			b, has := out.Point.Get(m.field)
			if had != has && !(m.field == track.Accuracy && a < 0.05) { // too small to be kept
				t.Fatalf("field %d: %v became %v", m.field, had, has)
			}
			if m.field == track.Heading && a > 359 && b == 0 {
				b = 360
			}
			close("a field", a, b, 0.1)
		}
		in.Point, out.Point = onlyMarks(in.Point), onlyMarks(out.Point)
		if in != out {
			t.Fatalf("%+v became %+v", in, out)
		}
		for i := range data { // what is cut off is not misread
			row.Data = data[:i]
			if _, err := fixOf(&row); err == nil {
				t.Fatalf("%d of %d bytes were read", i, len(data))
			}
		}
	})
}

func onlyMarks(p track.Point) track.Point {
	return track.Point{At: p.At, ReceivedAt: p.ReceivedAt, Device: p.Device, Flags: p.Flags}
}

func FuzzRecord(f *testing.F) {
	f.Add(appendRecord(nil, &ride.Fix{Point: track.Point{At: 1, Lat: 31.23, Lon: 121.47}}))
	f.Fuzz(func(_ *testing.T, data []byte) {
		_, _ = fixOf(&orders.TrackFix{Data: data}) // does not panic
	})
}
