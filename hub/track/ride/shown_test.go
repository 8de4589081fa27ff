package ride_test

import (
	"bytes"
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"doorbell/hub"
	"doorbell/hub/track"
	"doorbell/hub/track/ride"
)

var samples = map[string]ride.Shown{
	"riding": {Courier: "cou_1", Epoch: 3, Phase: ride.Riding, Point: received(fixAt(start, 1234.5)), Distance: -1},
	"behind others": {Courier: "cou_1", Epoch: 3, Phase: ride.Riding, StopsAhead: 2, Point: received(fixAt(start, -1)), Distance: -1,
		ETA:     track.Estimate{At: start.Add(10 * time.Minute), Earliest: start.Add(9 * time.Minute), Latest: start.Add(99 * time.Minute)},
		TellETA: true},
	"bare": {Courier: "c", Phase: ride.Riding, Point: track.Point{At: 1, ReceivedAt: 2, Lat: -89.99999, Lon: -180}, Distance: -1},
	"approach": {Courier: "cou_1", Epoch: 1, Phase: ride.Approach, Point: track.Point{At: track.MilliOf(start), ReceivedAt: track.MilliOf(start) + 900},
		ETA:      track.Estimate{At: start.Add(20*time.Minute + 700*time.Millisecond), Earliest: start, Latest: start},
		Distance: 740, Arrives: start.Add(3 * time.Minute), Merchant: true},
	"nowhere": {Courier: "cou_1", Phase: ride.Approach, Point: track.Point{At: track.MilliOf(start), ReceivedAt: track.MilliOf(start)},
		ETA: track.Estimate{At: start, Earliest: start, Latest: start}, TellETA: true, Merchant: true, Distance: -1},
}

func received(p track.Point) track.Point {
	p.ReceivedAt = p.At + 350
	return p
}

func TestShown_Position(t *testing.T) {
	for name, want := range map[string][4]string{
		"riding": {`{"at":"2026-03-14T12:00:00.000Z","lat":31.2415,"lon":121.4737,"accuracy":8,"speed":5,"heading":0}`},
		"behind others": {
			`{"at":"2026-03-14T12:00:00.000Z","lat":31.23039,"lon":121.4737,"accuracy":8,"speed":5,"heading":0,"stopsAhead":2}`,
			`{"at":"2026-03-14T12:00:00.000Z","lat":31.23,"lon":121.474,"stopsAhead":2,"coarse":true}`,
			`{"etaAt":"2026-03-14T12:10:00.000Z","etaEarliest":"2026-03-14T12:09:00.000Z","etaLatest":"2026-03-14T13:39:00.000Z","estimatedTime":10,"stopsAhead":2}`,
		},
		"bare": {`{"at":"1970-01-01T00:00:00.001Z","lat":-89.99999,"lon":-180}`},
		"approach": {3: `{"etaAt":"2026-03-14T12:20:00.000Z","etaEarliest":"2026-03-14T12:00:00.000Z","etaLatest":"2026-03-14T12:00:00.000Z",` +
			`"estimatedTime":20,"distance":740,"arrivesAt":"2026-03-14T12:03:00.000Z"}`},
	} {
		s := samples[name]
		p := s.Position()
		if got := [4]string{string(p.Exact), string(p.Coarse), string(p.ETA), string(p.MerchantETA)}; got != want {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func TestShown_TravelsUnchanged(t *testing.T) {
	for name, s := range samples {
		b := s.Append(nil)
		got, err := ride.DecodeShown("", b)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if p, q := got.Position(), s.Position(); !reflect.DeepEqual(p, q) {
			t.Errorf("%s: %s %s %s %s of %d bytes, was %s %s %s %s", name, p.Exact, p.Coarse, p.ETA, p.MerchantETA, len(b), q.Exact, q.Coarse, q.ETA, q.MerchantETA)
		}
		if got.Epoch != s.Epoch || got.Phase != s.Phase || len(b) > 80 {
			t.Errorf("%s: epoch %d, phase %d, %d bytes", name, got.Epoch, got.Phase, len(b))
		}
		for n := range b {
			if _, err := ride.DecodeShown("", b[:n]); err == nil {
				t.Errorf("%s: %d bytes of it are one too", name, n)
			}
		}
	}
	// A script compares the times as strings.
	early, late := samples["riding"], samples["riding"]
	late.Point.At += 70_000
	if a, b := early.Append(nil), late.Append(nil); bytes.Compare(a[1:9], b[1:9]) >= 0 {
		t.Error("the later fix is not the greater string")
	}
}

func FuzzShown(f *testing.F) {
	for _, s := range samples {
		f.Add(s.Append(nil))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := ride.DecodeShown("ord_1", b)
		if err != nil {
			return
		}
		p := s.Position()
		again, err := ride.DecodeShown("ord_1", s.Append(nil))
		if err != nil {
			t.Fatalf("%+v: %v", s, err)
		}
		if q := again.Position(); !reflect.DeepEqual(p, q) || again.Epoch != s.Epoch || again.Phase != s.Phase {
			t.Fatalf("%+v comes back as %+v", s, again)
		}
		for _, v := range jsonOf(p) {
			if v != nil && !json.Valid(v) {
				t.Fatalf("not JSON: %s", v)
			}
		}
		if p.Exact != nil && s.Phase != ride.Riding {
			t.Fatal("a point before pick-up")
		}
	})
}

func jsonOf(p hub.Position) [][]byte { return [][]byte{p.Exact, p.Coarse, p.ETA, p.MerchantETA} }

func FuzzMemory(f *testing.F) {
	f.Add(ride.Memory(track.State{}, nil))
	f.Add(ride.Memory(track.State{}, []string{"ord_1", "ord_2"}))
	f.Fuzz(func(t *testing.T, b []byte) {
		once := ride.Again(b)
		if len(once) > ride.MaxData || !bytes.Equal(ride.Again(once), once) {
			t.Fatalf("%d bytes, and again %x", len(once), once)
		}
	})
}
