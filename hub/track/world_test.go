package track_test

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"doorbell/hub/track"
)

// t0 is the time that the tests count from.
var t0 = track.MilliOf(time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC))

// after is a time some seconds from t0.
func after(seconds float64) track.UnixMilli { return t0 + track.UnixMilli(math.Round(seconds*1000)) }

const (
	homeLat, homeLon = 31.2304, 121.4737
	degree           = 111_195.08 // metres of latitude, on the sphere that Distance is on
)

// at is a good fix some seconds from t0, some metres north of home.
func at(seconds, north float64) track.Point {
	p := track.Point{At: after(seconds), Lat: homeLat + north/degree, Lon: homeLon}
	p.Set(track.Accuracy, 10)
	return p
}

func accurate(p track.Point, metres float64) track.Point {
	p.Set(track.Accuracy, metres)
	return p
}

func of(device string, p track.Point) track.Point {
	p.Device = track.DeviceHash(device)
	return p
}

// play is a courier's State and what came of the posts so far.
type play struct {
	testing.TB
	s      track.State
	lim    track.Limits
	res    track.Result
	live   []track.Point
	stored map[string]track.Point // by device and fix time, as a store keeps them
}

func newPlay(t testing.TB) *play {
	return &play{TB: t, lim: track.DefaultLimits, stored: map[string]track.Point{}}
}

// post takes points at a time some seconds from t0, and holds the answer against what is always true.
func (g *play) post(seconds float64, points ...track.Point) *play {
	g.Helper()
	was := append([]track.Point(nil), points...)
	g.s, g.res = track.Accept(g.s, points, after(seconds), g.lim)
	for i := range points {
		if points[i] != was[i] && track.OnEarth(was[i].Lat, was[i].Lon) {
			g.Errorf("the caller's point %d was changed", i)
		}
	}
	if n := g.res.Accepted + len(g.res.Dropped); n != len(points) {
		g.Errorf("%d points, %d accepted, %d dropped", len(points), g.res.Accepted, len(g.res.Dropped))
	}
	for i, d := range g.res.Dropped {
		if d.I < 0 || d.I >= len(points) || i > 0 && d.I <= g.res.Dropped[i-1].I {
			g.Errorf("dropped %v of %d", g.res.Dropped, len(points))
		}
	}
	for i, p := range g.res.History {
		if i > 0 && p.At < g.res.History[i-1].At {
			g.Errorf("history is not in order: %v behind %v", p, g.res.History[i-1])
		}
		if !track.OnEarth(p.Lat, p.Lon) || p.At > after(seconds) || p.ReceivedAt == 0 || p.ReceivedAt > after(seconds) {
			g.Errorf("stored at %v: %v, received %v", seconds, p, p.ReceivedAt.Time())
		}
		g.stored[fmt.Sprint(p.Device, p.At)] = p
	}
	if g.res.HasLive {
		if n := len(g.live); n > 0 && g.res.Live.At < g.live[n-1].At {
			g.Errorf("shown: %v behind %v", g.res.Live, g.live[n-1])
		}
		g.live = append(g.live, g.res.Live)
	}
	if b := g.s.Encode(); len(b) > track.MaxStateBytes || track.Decode(b) != g.s {
		g.Errorf("a state of %d bytes comes back changed", len(b))
	}
	return g
}

// said is the last answer in one line: "accepted 2 dropped 0:INVALID live 31.2 still".
func (g *play) said() string {
	var b strings.Builder
	fmt.Fprintf(&b, "accepted %d", g.res.Accepted)
	for _, d := range g.res.Dropped {
		fmt.Fprintf(&b, " %d:%s", d.I, d.Reason)
	}
	if g.res.HasLive {
		fmt.Fprintf(&b, " live %v", seconds(g.res.Live.At))
	}
	return b.String()
}

func seconds(m track.UnixMilli) float64 { return m.Sub(t0).Seconds() }

// history is the times of the last answer's history, in seconds from t0.
func (g *play) history() string {
	var all []string
	for _, p := range g.res.History {
		all = append(all, fmt.Sprint(seconds(p.At)))
	}
	return strings.Join(all, " ")
}

func (g *play) says(want string) *play {
	g.Helper()
	if got := g.said(); got != want {
		g.Errorf("%s, want %s", got, want)
	}
	return g
}

func (g *play) stores(want string) *play {
	g.Helper()
	if got := g.history(); got != want {
		g.Errorf("stored %s, want %s", got, want)
	}
	return g
}
