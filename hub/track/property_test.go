package track_test

import (
	"maps"
	"math"
	"slices"
	"testing"
	"unsafe"

	"pgregory.net/rapid"

	"doorbell/hub/track"
)

// ride is a courier's fixes over a while, as its phone made them, without jumps.
func ride(t *rapid.T) []track.Point {
	n := rapid.IntRange(1, 60).Draw(t, "fixes")
	var (
		all   []track.Point
		s, y  float64
		speed float64
	)
	for range n {
		gap := float64(rapid.IntRange(1, 60_000).Draw(t, "gap ms")) / 1000
		speed = rapid.Float64Range(-20, 20).Draw(t, "speed")
		s, y = s+gap, y+speed*gap
		p := accurate(at(s, y), rapid.Float64Range(1, 80).Draw(t, "accuracy"))
		all = append(all, of(rapid.SampledFrom([]string{"", "phone", "watch"}).Draw(t, "device"), p))
	}
	return all
}

// split cuts a ride into posts.
func split(t *rapid.T, all []track.Point) [][]track.Point {
	var posts [][]track.Point
	for len(all) > 0 {
		n := rapid.IntRange(1, min(len(all), 20)).Draw(t, "post")
		posts = append(posts, all[:n])
		all = all[n:]
	}
	return posts
}

// In whatever order posts come, and however often: the same history, each fix once where it is remembered, and what is
// shown never steps back (play.post holds that).
func TestAccept_AnyOrder(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		all := ride(rt)
		arrives := all[len(all)-1].At.Sub(t0).Seconds() + 1
		straight := newPlay(t)
		straight.post(arrives, all...)

		posts := split(rt, all)
		posts = append(posts, rapid.SliceOfN(rapid.SampledFrom(posts), 0, 10).Draw(rt, "again")...)
		posts = rapid.Permutation(posts).Draw(rt, "order")
		g := newPlay(t)
		for i, p := range posts {
			p = rapid.Permutation(p).Draw(rt, "within")
			g.post(arrives+float64(i), p...)
		}
		if !slices.Equal(slices.Sorted(maps.Keys(straight.stored)), slices.Sorted(maps.Keys(g.stored))) {
			rt.Errorf("stored %d fixes in order, %d in another", len(straight.stored), len(g.stored))
		}
		if len(g.stored) != len(all) {
			rt.Errorf("stored %d of %d", len(g.stored), len(all))
		}
	})
}

// A ride in one post is the same as in many: what is stored and what is shown last.
func TestAccept_AnyPosts(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		all := ride(rt)
		arrives := all[len(all)-1].At.Sub(t0).Seconds() + 1
		one, many := newPlay(t), newPlay(t)
		one.post(arrives, all...)
		for _, p := range split(rt, all) {
			many.post(arrives, p...)
		}
		if !maps.EqualFunc(one.stored, many.stored, func(p, q track.Point) bool { return p == q }) {
			rt.Error("another history")
		}
		if one.s.Pace() != many.s.Pace() {
			rt.Error("another pace")
		}
	})
}

// Wherever a courier is moved to: after three fixes that agree, it is found again.
func TestAccept_Resync(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		g := newPlay(t)
		all := ride(rt)
		s := all[len(all)-1].At.Sub(t0).Seconds()
		g.post(s, all...)
		for range rapid.IntRange(0, 5).Draw(rt, "noise") {
			s++
			g.post(s, at(s, rapid.Float64Range(-1e6, 1e6).Draw(rt, "where")))
		}
		y := rapid.Float64Range(-1e6, 1e6).Draw(rt, "to")
		for range 3 {
			s++
			g.post(s, at(s, y))
			y += rapid.Float64Range(-40, 40).Draw(rt, "step")
		}
		if _, _, when, _ := g.s.Last(); when != after(s) {
			rt.Errorf("the last fix is of %v, want %v: %s", seconds(when), s, g.said())
		}
	})
}

// Whatever phones write, the promises of play.post hold.
func TestAccept_Anything(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		g := newPlay(t)
		now := 0.0
		coordinate := rapid.OneOf(rapid.Float64(), rapid.Float64Range(-200, 200), rapid.Just(homeLat), rapid.Just(homeLon),
			rapid.Just(0.0), rapid.Just(math.NaN()))
		when := rapid.OneOf(rapid.Int64(), rapid.Int64Range(-200_000, 100_000))
		for range rapid.IntRange(1, 8).Draw(rt, "posts") {
			now += rapid.Float64Range(0, 100).Draw(rt, "pause")
			points := make([]track.Point, rapid.IntRange(0, 12).Draw(rt, "fixes"))
			for i := range points {
				p := &points[i]
				p.At = track.UnixMilli(when.Draw(rt, "at"))
				if p.At > -1e6 && p.At < 1e6 {
					p.At += after(now)
				}
				p.Lat, p.Lon = coordinate.Draw(rt, "lat"), coordinate.Draw(rt, "lon")
				for _, f := range []track.Field{track.Accuracy, track.Speed, track.Heading, track.Altitude, track.Battery} {
					p.Set(f, rapid.OneOf(rapid.Float64(), rapid.Float64Range(-1, 400)).Draw(rt, "field"))
				}
				p.Flags = track.Flags(rapid.Byte().Draw(rt, "flags"))
			}
			g.post(now, points...)
		}
	})
}

func TestState_Size(t *testing.T) {
	g := newPlay(t).post(0, at(0, 0)) // then everything full
	for i := range 100 {
		s := float64(i + 1)
		g.post(s, at(s, s), of("watch", at(s+0.5-1, s)))
	}
	g.post(102, at(101, 9*far), at(102, 9*far))
	if n := len(g.s.Encode()); n > track.MaxStateBytes || n < 400 {
		t.Errorf("%d bytes encoded", n)
	}
	if n := unsafe.Sizeof(g.s); n > 1024 {
		t.Errorf("%d bytes in memory", n)
	}
	if n := unsafe.Sizeof(track.Point{}); n > 64 {
		t.Errorf("a point takes %d bytes", n)
	}
	t.Logf("state: %d bytes encoded, %d in memory; point: %d", len(g.s.Encode()), unsafe.Sizeof(g.s), unsafe.Sizeof(track.Point{}))
}

func TestDecode_Garbage(t *testing.T) {
	g := newPlay(t).post(0, at(0, 0), at(1, 2)).post(5, at(5, far))
	whole := g.s.Encode()
	for n := range whole {
		if track.Decode(whole[:n]) != (track.State{}) {
			t.Errorf("the first %d bytes are a state", n)
		}
		harmed := slices.Clone(whole)
		harmed[n] ^= 0x10
		if track.Decode(harmed) != (track.State{}) {
			t.Errorf("with byte %d harmed it is a state", n)
		}
	}
	for _, b := range [][]byte{nil, {}, {1}, make([]byte, 5), make([]byte, 500), make([]byte, 5000), append(slices.Clone(whole), 0)} {
		if track.Decode(b) != (track.State{}) {
			t.Errorf("%d bytes are a state", len(b))
		}
	}
	var none track.State
	if track.Decode(none.Encode()) != none {
		t.Error("the zero state comes back changed")
	}
}

func FuzzDecode(f *testing.F) {
	s, _ := track.Accept(track.State{}, []track.Point{at(0, 0), at(5, far), at(6, 9)}, after(10), track.DefaultLimits)
	f.Add(s.Encode())
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		s := track.Decode(b)
		if s != s { // NaN: what was written by us has none
			return
		}
		if track.Decode(s.Encode()) != s {
			t.Error("another state comes back")
		}
		next, _ := track.Accept(s, []track.Point{at(1, 2), at(3, 4)}, after(5), track.DefaultLimits)
		if n := len(next.Encode()); n > track.MaxStateBytes {
			t.Errorf("%d bytes", n)
		}
	})
}
