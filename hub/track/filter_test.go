package track_test

import (
	"math"
	"testing"
	"time"

	"doorbell/hub/track"
)

// One subtest for each row of domain.md section 2.
func TestAccept(t *testing.T) {
	t.Run("RangeIsChecked", func(t *testing.T) {
		nan, inf := math.NaN(), math.Inf(1)
		for _, c := range []struct {
			lat, lon float64
			ok       bool
		}{
			{nan, 1, false}, {1, nan, false}, {inf, 1, false}, {1, -inf, false}, {0, 0, false}, {90.001, 0, false},
			{-90.001, 0, false}, {1, 180.001, false}, {1, -180.001, false},
			{homeLon, homeLat, false}, // swapped, where that shows
			{90, 180, true}, {-90, -180, true}, {0, 0.0001, true}, {homeLat, homeLon, true},
		} {
			g := newPlay(t).post(0, track.Point{At: t0, Lat: c.lat, Lon: c.lon})
			if c.ok {
				g.says("accepted 1 live 0")
			} else {
				g.says("accepted 0 0:INVALID").stores("")
			}
		}
		newPlay(t).post(0, track.Unplaced()).says("accepted 0 0:INVALID")
	})
	t.Run("NoClockIsInvalid", func(t *testing.T) {
		for _, m := range []track.UnixMilli{0, 1, -1, math.MinInt64, track.MilliOf(time.Date(1999, 12, 31, 23, 59, 59, 0, time.UTC))} {
			p := at(0, 0)
			p.At = m
			newPlay(t).post(0, p).says("accepted 0 0:INVALID")
		}
	})
	t.Run("TheFarFutureIsDropped", func(t *testing.T) {
		newPlay(t).post(0, at(60.001, 0)).says("accepted 0 0:FUTURE").post(1, at(1, 0)).says("accepted 1 live 1")
		for _, m := range []track.UnixMilli{track.MilliOf(time.Date(2106, 2, 7, 6, 28, 15, 0, time.UTC)), math.MaxInt64} {
			p := at(0, 0)
			p.At = m
			newPlay(t).post(0, p).says("accepted 0 0:FUTURE")
		}
	})
	t.Run("TheFutureComes", func(t *testing.T) { // the same batch again, when it is less far ahead
		batch := []track.Point{at(0, 0), at(70, 70)}
		newPlay(t).post(0, batch...).says("accepted 1 1:FUTURE live 0").post(20, batch...).says("accepted 1 0:DUPLICATE live 20")
	})
	t.Run("TheNearFutureIsNow", func(t *testing.T) {
		g := newPlay(t).post(0, at(60, 0)).says("accepted 1 live 0").stores("0")
		g.post(1, at(60, 0)).says("accepted 0 0:DUPLICATE") // by the time the phone wrote
		g.post(5, at(65, 50)).says("accepted 1 live 5")     // the phone's clock stays ahead: its marker does not freeze
		g.post(10, at(10, 100)).says("accepted 1 live 10")  // and was put right
	})
	t.Run("ABatchFromAFastClock", func(t *testing.T) {
		g := newPlay(t).post(0, at(10, 0), at(20, 100), at(30, 200)).says("accepted 3 live 0").stores("0 0 0")
		if d := track.Distance(g.res.Live.Lat, g.res.Live.Lon, at(0, 200).Lat, homeLon); d > 0.1 {
			t.Errorf("the live fix is %v m from the newest", d)
		}
	})
	t.Run("OlderIsHistoryOnly", func(t *testing.T) {
		g := newPlay(t).post(10, at(10, 0)).says("accepted 1 live 10")
		g.post(11, at(9, 50)).says("accepted 1").stores("9")
		g.post(12, of("another phone", at(10, 50))).says("accepted 1").stores("10")
	})
	t.Run("ARepeatIsDropped", func(t *testing.T) {
		g := newPlay(t).post(0, at(0, 0)).post(1, at(0, 0)).says("accepted 0 0:DUPLICATE").stores("")
		g.post(2, at(0, 70)).says("accepted 0 0:DUPLICATE") // wherever it claims to be
		g.post(20, at(20, 90), at(20, 90)).says("accepted 1 1:DUPLICATE live 20")
		g.post(21, of("another phone", at(20, 90))).says("accepted 1")
	})
	t.Run("OldAtArrivalIsHistoryOnly", func(t *testing.T) {
		newPlay(t).post(120, at(0, 0)).says("accepted 1 live 0")
		newPlay(t).post(120.001, at(0, 0)).says("accepted 1").stores("0")
		newPlay(t).post(400, at(0, 0), at(200, 300), at(390, 600)).says("accepted 3 live 390").stores("0 200 390")
	})
	t.Run("BeyondRetentionIsDropped", func(t *testing.T) {
		const month = 30 * 24 * 3600
		newPlay(t).post(month, at(0, 0)).says("accepted 1").post(month+1, at(0.5, 0)).says("accepted 0 0:STALE")
	})
	t.Run("InaccurateIsNotShown", func(t *testing.T) {
		g := newPlay(t).post(0, accurate(at(0, 0), 101)).says("accepted 1").stores("0")
		g.post(5, accurate(at(5, 0), 100)).says("accepted 1 live 5")
		g.post(10, accurate(at(9, 100), 20), accurate(at(10, 200), 500)).says("accepted 2 live 9") // the newest that may be shown
	})
	t.Run("TheGeofenceWantsBetter", func(t *testing.T) {
		unknown := at(0, 0)
		unknown.Set(track.Accuracy, 0)
		for _, c := range []struct {
			p     track.Point
			posts float64
			want  bool
		}{
			{accurate(at(0, 0), 50), 0, true}, {accurate(at(0, 0), 50.5), 0, false}, {unknown, 0, false},
			{at(0, 0), 120, true}, {at(0, 0), 121, false},
		} {
			c.p.Flags |= track.Fence // whatever a caller says
			g := newPlay(t).post(c.posts, c.p)
			if got := g.res.History[0].Flags&track.Fence != 0; got != c.want {
				t.Errorf("%v posted %v s later: %v", c.p, c.posts, got)
			}
		}
		g := newPlay(t).post(10, at(10, 0)).post(11, at(9, 0))
		if g.res.History[0].Flags&track.Fence != 0 {
			t.Error("a late fix counts for the geofence")
		}
	})
	t.Run("MockIsFlagged", func(t *testing.T) {
		p := at(0, 0)
		p.Flags = track.Mock
		if g := newPlay(t).post(0, p).says("accepted 1 live 0"); g.res.Live.Flags&track.Mock == 0 {
			t.Error("not flagged")
		}
	})
	t.Run("ABatchIsSorted", func(t *testing.T) {
		newPlay(t).post(30, at(20, 200), at(0, 0), at(30, 300), at(10, 100)).says("accepted 4 live 30").stores("0 10 20 30")
		bad := track.Unplaced()
		newPlay(t).post(30, at(20, 200), bad, at(100, 0), at(0, 0)).says("accepted 2 1:INVALID 2:FUTURE live 20").stores("0 20")
	})
	t.Run("AThousandAtMost", func(t *testing.T) {
		points := make([]track.Point, track.MaxPoints+2)
		for i := range points {
			points[i] = at(float64(i), float64(i)*5)
		}
		g := newPlay(t).post(2000, points...)
		if g.res.Accepted != track.MaxPoints || g.said() != "accepted 1000 1000:TOO_MANY 1001:TOO_MANY" {
			t.Error(g.said())
		}
	})
	t.Run("Nothing", func(t *testing.T) { newPlay(t).post(0).says("accepted 0").stores("") })
}

func TestAccept_StandStill(t *testing.T) {
	g := newPlay(t).post(0, at(0, 0)).says("accepted 1 live 0")
	g.post(5, at(5, 9)).says("accepted 1").stores("5")
	g.post(10, at(10, -9)).says("accepted 1")
	g.post(15, at(15, 8)).says("accepted 1 live 15")
	if g.res.Live.Lat != homeLat || g.res.History[0].Lat == homeLat {
		t.Errorf("shown at %v, stored at %v: want it shown where it was, stored where it is", g.res.Live, g.res.History[0])
	}
	g.post(20, at(20, 9)).says("accepted 1")
	g.post(25, accurate(at(25, 24), 50)).says("accepted 1")         // within half of the accuracy
	g.post(29, accurate(at(29, 26), 50)).says("accepted 1 live 29") // beyond it
	g.post(34, at(34, 37)).says("accepted 1 live 34")

	if g.res.Still {
		t.Error("still")
	}
	for s := 40.0; s <= 200; s += 10 {
		g.post(s, at(s, 37+math.Mod(s, 7)))
		if got, want := g.res.Still, s-34 >= 120; got != want {
			t.Errorf("still %v s after the last movement: %v", s-34, got)
		}
	}
	if g.post(210, at(210, 80)); g.res.Still {
		t.Error("it moved")
	}
}

// Not moving is seen, not guessed: not from the first fix, from one that says little, or from one that was wrong.
func TestAccept_NotStillYet(t *testing.T) {
	for name, g := range map[string]*play{
		"TheFirst":   newPlay(t).post(0, at(0, 0)),
		"Inaccurate": newPlay(t).post(0, accurate(at(0, 0), 500)).post(60, accurate(at(60, 0), 500)),
		"FoundAgain": newPlay(t).post(0, at(0, 0)).post(800, at(780, 20*far), at(790, 20*far), at(800, 20*far)),
		"Offline":    newPlay(t).post(0, at(0, 0)).post(2000, at(500, 500), at(600, 600), at(700, 700)),
		"Nothing":    newPlay(t).post(1e6),
	} {
		if g.res.Still {
			t.Errorf("%s: still", name)
		}
	}
}

func TestNextInterval(t *testing.T) {
	for _, c := range []struct {
		onDelivery, still bool
		want              int
	}{{true, false, 5_000}, {true, true, 5_000}, {false, false, 30_000}, {false, true, 60_000}} {
		r := track.Result{Still: c.still}
		if got := r.NextIntervalMs(c.onDelivery); got != c.want {
			t.Errorf("%+v: %d", c, got)
		}
	}
}

// An app that never hears our answer sends its batch for ever, and one that was offline for long has a long one.
func TestAccept_BatchAgainAndAgain(t *testing.T) {
	year := make([]track.Point, track.MaxPoints)
	for i := range year {
		year[i] = at(-365*24*3600*float64(len(year)-i)/float64(len(year)), float64(i))
	}
	g := newPlay(t).post(0, year...)
	stale, kept := len(g.res.Dropped), g.res.Accepted
	if stale+kept != len(year) || kept == 0 || kept > 100 {
		t.Errorf("%d dropped, %d kept", stale, kept)
	}
	day := make([]track.Point, track.MaxPoints)
	for i := range day {
		day[i] = at(-24*3600*float64(len(day)-i)/float64(len(day)), float64(i))
	}
	g = newPlay(t).post(0, day...)
	if g.res.Accepted != len(day) {
		t.Error(g.res.Accepted)
	}
	for i := range 3 {
		g.post(float64(10*i+10), day...)
		if len(g.res.Dropped) != len(day) || g.res.Dropped[0].Reason != track.Duplicate || len(g.res.History) != 0 || g.res.HasLive {
			t.Errorf("again: %d dropped", len(g.res.Dropped))
		}
	}
	growing := newPlay(t).post(0, day[:900]...)
	for n := 910; n <= len(day); n += 30 {
		if growing.post(float64(n), day[:n]...); growing.res.Accepted > 30 {
			t.Errorf("%d taken of a file of %d", growing.res.Accepted, n)
		}
	}
}

func TestPace(t *testing.T) {
	g := newPlay(t)
	if g.s.Pace() != 0 {
		t.Error("of nothing")
	}
	for s := 0.0; s < 600; s += 5 {
		g.post(s, at(s, s*6))
	}
	if v := g.s.Pace(); math.Abs(v-6) > 0.1 {
		t.Errorf("%v m/s, rode 6", v)
	}
	for s := 600.0; s < 1200; s += 5 {
		p := at(s, 3600) // at a red light that it measures itself
		p.Set(track.Speed, 0)
		g.post(s, p)
	}
	if v := g.s.Pace(); v > 0.5 {
		t.Errorf("%v m/s, stood for ten minutes", v)
	}
	if lat, _, when, ok := g.s.Last(); !ok || when != after(1195) || math.Abs(lat-homeLat-3600/degree) > 1e-9 {
		t.Error(lat, when, ok)
	}
}

func TestRideSpeed(t *testing.T) {
	for _, c := range []struct {
		vehicle    string
		pace, want float64
	}{
		{"", 0, 5}, {"", 1, 3}, {"", 100, 8}, {"zeppelin", 6, 6}, {"Scooter", 0, 6.5}, {"scooter", 2, 4}, {"bicycle", 7, 6},
		{"foot", 1.4, 3}, {"car", 0, 6}, {"car", math.NaN(), 6},
	} {
		if got := track.RideSpeed(c.vehicle, c.pace); got != c.want {
			t.Errorf("%q at %v: %v, want %v", c.vehicle, c.pace, got, c.want)
		}
	}
}
