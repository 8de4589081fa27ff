package track

import (
	"cmp"
	"slices"
	"time"
)

// way is what lies between two fixes.
type way struct {
	metres float64
	took   time.Duration
	unsure float64 // metres: the accuracies of both, summed; an unknown one counts 0
}

// wayTo is the way from the last fix to f; zero when f is the first.
func (s *State) wayTo(f *fix) way {
	if s.last.at == 0 {
		return way{}
	}
	return between(&s.last, f)
}

// between is the way between two fixes, in either direction. Where times were moved to now, or a phone's clock was put
// right between them, the longer of both readings counts.
func between(f, g *fix) way {
	return way{
		metres: Distance(f.lat, f.lon, g.lat, g.lon),
		took:   max((g.at - f.at).abs(), (g.raw() - f.raw()).abs()),
		unsure: float64(f.accuracy) + float64(g.accuracy),
	}
}

func (m UnixMilli) abs() time.Duration {
	if m < 0 {
		m = -m
	}
	return time.Duration(m) * time.Millisecond
}

// tooFast reports whether nobody rides like this, and it is not the phone's inaccuracy either.
func (w way) tooFast(lim *Limits) bool {
	return lim.MaxSpeed > 0 && w.metres > w.unsure && w.metres > lim.MaxSpeed*w.took.Seconds()
}

// hold keeps a fix aside that is too far from the last. When it agrees with two held before, it was the last fix that
// was wrong: all three are taken. Those that do not agree with it are let go.
func (a *pass) hold(i int, p Point, ahead int32) {
	f, n := fixOf(&p, ahead), 0
	for j := range a.holding {
		h := a.held[j]
		if g := fixOf(&h.p, h.ahead); between(&g, &f).tooFast(&a.lim) {
			a.answerTeleport(int(j))
			continue
		}
		a.held[n], a.heldAt[n] = h, a.heldAt[j]
		n++
	}
	a.setHolding(n)
	if n < maxHeld {
		a.held[n], a.heldAt[n] = heldFix{p: p, ahead: ahead}, i+1
		a.holding++
		return
	}
	a.startOver(p, ahead)
}

// startOver takes the held fixes and p, by time, and forgets where the courier was thought to be.
func (a *pass) startOver(p Point, ahead int32) {
	all := [...]heldFix{a.held[0], a.held[1], {p: p, ahead: ahead}}
	for _, at := range a.heldAt {
		if at > 0 {
			a.result.Accepted++
		}
	}
	a.result.Accepted++
	a.setHolding(0)
	a.last, a.moved, a.paced, a.pace = fix{}, 0, false, 0
	slices.SortStableFunc(all[:], func(f, g heldFix) int { return cmp.Compare(f.p.At, g.p.At) })
	for _, h := range all {
		f := fixOf(&h.p, h.ahead)
		a.follow(h.p, h.ahead, a.wayTo(&f))
	}
}

func (a *pass) newestHeld() UnixMilli {
	newest := UnixMilli(0)
	for _, h := range a.held[:a.holding] {
		newest = max(newest, h.p.At)
	}
	return newest
}

// letGo forgets what is held.
func (a *pass) letGo() {
	for j := range int(a.holding) {
		a.answerTeleport(j)
	}
	a.setHolding(0)
}

// setHolding keeps the first n held fixes, and leaves nothing behind them, so that equal states are ==.
func (a *pass) setHolding(n int) {
	for j := n; j < maxHeld; j++ {
		a.held[j], a.heldAt[j] = heldFix{}, 0
	}
	a.holding = uint8(n)
}

// answerTeleport tells the phone of a held fix, if it is one of this post.
func (a *pass) answerTeleport(j int) {
	if a.heldAt[j] > 0 {
		a.drop(a.heldAt[j]-1, Teleport)
	}
}

// answerHeld tells the phone of what is still held at the end of the post.
func (a *pass) answerHeld() {
	for j := range int(a.holding) {
		a.answerTeleport(j)
	}
}
