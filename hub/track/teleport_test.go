package track_test

import (
	"testing"
	"time"

	"doorbell/hub/track"
)

const far = 5000 // metres: a jump in the few seconds between fixes

func TestTeleport(t *testing.T) {
	t.Run("OneJumpIsHeld", func(t *testing.T) {
		g := newPlay(t).post(0, at(0, 0)).post(5, at(5, far)).says("accepted 0 0:TELEPORT").stores("")
		g.post(10, at(10, 60)).says("accepted 1 live 10").stores("10")
		g.post(15, at(15, far)).says("accepted 0 0:TELEPORT")
		g.post(20, at(20, far)).says("accepted 0 0:TELEPORT") // the one before the good fix does not count
		g.post(20, at(20, far)).says("accepted 0 0:DUPLICATE")
		g.post(25, at(25, far)).says("accepted 1 live 25").stores("15 20 25")
		g.post(30, at(30, far+50)).says("accepted 1 live 30").stores("30")
	})
	t.Run("ThreeInOnePost", func(t *testing.T) {
		newPlay(t).post(0, at(0, 0)).post(20, at(5, far), at(10, far+20), at(15, far+40), at(20, far+80)).
			says("accepted 4 live 20").stores("5 10 15 20")
	})
	t.Run("TwoInOnePostThenOne", func(t *testing.T) {
		g := newPlay(t).post(0, at(0, 0)).post(10, at(5, far), at(10, far)).says("accepted 0 0:TELEPORT 1:TELEPORT")
		g.post(15, at(15, far)).says("accepted 1 live 15").stores("5 10 15")
		if r := g.res.History; r[0].ReceivedAt != after(10) || r[2].ReceivedAt != after(15) {
			t.Errorf("received %v and %v", seconds(r[0].ReceivedAt), seconds(r[2].ReceivedAt))
		}
	})
	t.Run("ThoseThatDisagreeAreLetGo", func(t *testing.T) {
		g := newPlay(t).post(0, at(0, 0)).post(5, at(5, far)).post(10, at(10, -far)).says("accepted 0 0:TELEPORT")
		g.post(15, at(15, far)).says("accepted 0 0:TELEPORT")
		g.post(20, at(20, -far)).says("accepted 0 0:TELEPORT")
		g.post(25, at(25, -far)).says("accepted 0 0:TELEPORT")
		g.post(30, at(30, -far)).says("accepted 1 live 30").stores("20 25 30")
	})
	t.Run("AJumpAndBackInOnePost", func(t *testing.T) {
		newPlay(t).post(20, at(0, 0), at(5, 50), at(10, far), at(15, 100), at(20, 150)).
			says("accepted 4 2:TELEPORT live 20").stores("0 5 15 20")
	})
	t.Run("LateBetween", func(t *testing.T) { // a good fix from before the jump arrives behind it: the jump is still held
		g := newPlay(t).post(0, at(0, 0)).post(10, at(10, far)).post(11, at(5, 10)).says("accepted 1 live 5")
		g.post(15, at(15, far)).post(20, at(20, far)).says("accepted 1 live 20").stores("10 15 20")
	})
	t.Run("UnsortedHeld", func(t *testing.T) {
		newPlay(t).post(0, at(0, 0)).post(10, at(10, far)).post(11, at(8, far)).post(15, at(15, far)).
			says("accepted 1 live 15").stores("8 10 15")
		g := newPlay(t).post(0, at(0, 0)).post(10, at(10, far)).post(15, at(15, far)).post(16, at(12, far)).
			says("accepted 1 live 15").stores("10 12 15")
		g.post(17, at(14, far)).says("accepted 1") // older than the newest of them
	})
	t.Run("TheFirstFixWasWrong", func(t *testing.T) { // phones begin with the place they remember
		g := newPlay(t).post(0, at(0, 9*far)).post(5, at(5, 0)).post(10, at(10, 20)).says("accepted 0 0:TELEPORT")
		g.post(15, at(15, 40)).says("accepted 1 live 15")
	})
	t.Run("WithinTheAccuracies", func(t *testing.T) {
		newPlay(t).post(0, accurate(at(0, 0), 60)).post(1, accurate(at(1, 110), 60)).says("accepted 1 live 1")
		newPlay(t).post(0, accurate(at(0, 0), 50)).post(1, accurate(at(1, 110), 50)).says("accepted 0 0:TELEPORT")
	})
	t.Run("TheLimit", func(t *testing.T) {
		newPlay(t).post(0, at(0, 0)).post(10, at(10, 449)).says("accepted 1 live 10")
		newPlay(t).post(0, at(0, 0)).post(10, at(10, 451)).says("accepted 0 0:TELEPORT")
		g := newPlay(t)
		g.lim.MaxSpeed = 0
		g.post(0, at(0, 0)).post(10, at(10, far)).says("accepted 1 live 10")
	})
	t.Run("AfterALongSilence", func(t *testing.T) {
		newPlay(t).post(0, at(0, 0)).post(600, at(600, far)).says("accepted 1 live 600")
	})
	t.Run("AFastClockIsNoTeleport", func(t *testing.T) { // five fixes moved to the same now
		g := newPlay(t).post(0, at(10, 0), at(20, 200), at(30, 400), at(40, 600), at(50, 800)).says("accepted 5 live 0")
		g.post(10, at(55, 900), at(60, 1000)).says("accepted 2 live 10")
	})
	t.Run("OldOnes", func(t *testing.T) {
		newPlay(t).post(1000, at(0, 0), at(5, far), at(10, far), at(15, far)).says("accepted 4").stores("0 5 10 15")
	})
	t.Run("ForEver", func(t *testing.T) { // nothing fits anything: nothing is shown, and nothing grows
		g := newPlay(t).post(0, at(0, 0))
		for i := range 100 {
			s := float64(i + 1)
			if g.post(s, at(s, far*(s+1))); g.res.HasLive || len(g.res.History) > 0 {
				t.Fatalf("%v: %s", s, g.said())
			}
		}
	})
}

func TestUnixMilli(t *testing.T) {
	const most = track.UnixMilli(1<<63 - 1)
	for _, c := range []struct {
		a, b track.UnixMilli
		want time.Duration
	}{
		{5, 3, 2 * time.Millisecond}, {3, 5, -2 * time.Millisecond}, {most, -1, 1<<63 - 1}, {-most, 1, -1 << 63}, {most, 0, 1<<63 - 1},
		{-most - 1, most, -1 << 63}, {most, -most - 1, 1<<63 - 1}, {most, most, 0}, {-most, -most, 0},
	} {
		if got := c.a.Sub(c.b); got != c.want {
			t.Errorf("%d - %d = %v, want %v", c.a, c.b, got, c.want)
		}
	}
	if !track.UnixMilli(0).Time().IsZero() || track.MilliOf(time.Time{}) != 0 {
		t.Error("no time is 0")
	}
}
