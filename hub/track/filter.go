package track

import (
	"cmp"
	"slices"
	"time"
)

// Accept takes a post of a courier's phone: it returns what is remembered from now on, and what becomes of each fix. The
// fixes stay the caller's and are not changed. Posts of one courier must be taken one after the other; where two nodes
// race, the loser of the compare-and-set on the state reads again and calls Accept again.
//
//	not a place, (0,0), before 2000    dropped, INVALID
//	more than 60 s ahead of now        dropped, FUTURE; less: its time is now
//	older than the retention           dropped, STALE
//	device and time seen before        dropped, DUPLICATE
//	older than the newest fix taken    history only
//	faster than MaxSpeed from there    held and answered as TELEPORT; three in agreement are taken, and go on from there
//	older than 120 s                   history only
//	less accurate than 100 m           history only; than 50 m: not for the geofence
//	hardly moved since last shown      history only; every 15 s shown again, where it was
//
// Of what is left, the newest of the post is Result.Live.
func Accept(s State, points []Point, now UnixMilli, lim Limits) (State, Result) {
	a := pass{State: s, now: now, lim: lim, points: points[:min(len(points), MaxPoints)]}
	a.takeAll()
	a.answerHeld()
	for i := range points[len(a.points):] {
		a.drop(len(a.points)+i, TooMany)
	}
	a.show()
	a.result.Still = a.last.at != 0 && a.last.at.Sub(a.moved) >= lim.StillAfter
	a.tidy()
	return a.State, a.result
}

// pass is one post on its way through.
type pass struct {
	State
	now    UnixMilli
	lim    Limits
	points []Point
	result Result

	heldAt    [maxHeld]int // beside State.held: index in points + 1; 0: of an earlier post
	best      Point        // the newest that may be shown
	hasBest   bool
	anyFuture bool
}

func (a *pass) takeAll() {
	known, mark := 0, uint64(0)
	if len(a.points) > 1 {
		known, mark = a.posts.known(a.points)
	}
	byTime := func(p, q Point) int { return cmp.Compare(p.At, q.At) }
	if slices.IsSortedFunc(a.points, byTime) {
		for i := range a.points {
			a.take(i, i < known)
		}
	} else {
		order := make([]int, len(a.points))
		for i := range order {
			order[i] = i
		}
		slices.SortStableFunc(order, func(i, j int) int { return byTime(a.points[i], a.points[j]) })
		for _, i := range order {
			a.take(i, i < known)
		}
	}
	// What came from the future may be right when it is sent again.
	if len(a.points) > 1 && known < len(a.points) && !a.anyFuture {
		a.posts.add(mark)
	}
}

// take takes the fix at index i of the post, which is not older than those taken before; repeat: it is
// part of a post that came before.
func (a *pass) take(i int, repeat bool) {
	p := a.points[i]
	raw := p.At
	switch {
	case !p.valid():
		a.drop(i, Invalid)
		return
	case raw.Sub(a.now) > a.lim.MaxFuture:
		a.anyFuture = true
		a.drop(i, Future)
		return
	case a.lim.MaxAge > 0 && a.now.Sub(raw) > a.lim.MaxAge:
		a.drop(i, Stale)
		return
	case repeat || a.recent.add(p.Device, raw):
		a.drop(i, Duplicate)
		return
	}
	p.ReceivedAt = a.now
	p.Flags &= storedFlags
	ahead := int32(0)
	if raw > a.now {
		p.At, ahead = a.now, int32(raw-a.now)
	}
	if !a.newer(p.At, raw) {
		a.result.Accepted++
		a.keep(p)
		return
	}
	f := fixOf(&p, ahead)
	way := a.wayTo(&f)
	if way.tooFast(&a.lim) {
		a.hold(i, p, ahead)
		return
	}
	if a.holding > 0 && p.At >= a.newestHeld() {
		a.letGo() // back to normal: those were outliers
	}
	a.result.Accepted++
	a.follow(p, ahead, way)
}

// newer reports whether a fix comes after the last one. Of two that were moved to the same now, the phone's own clock
// decides.
func (a *pass) newer(at, raw UnixMilli) bool {
	return at > a.last.at || at == a.last.at && raw > a.last.raw()
}

// follow makes p the last fix.
func (a *pass) follow(p Point, ahead int32, w way) {
	accuracy, known := p.Get(Accuracy)
	fresh := a.now.Sub(p.At) <= a.lim.MaxLiveAge
	if fresh && known && accuracy <= a.lim.FenceWithin {
		p.Flags |= Fence
	}
	if accuracy <= a.lim.ShowWithin { // 0: unknown
		a.learnPace(&p, w)
		if fresh {
			a.best, a.hasBest = p, true
		}
		if w.metres >= a.lim.jitter(accuracy) {
			a.moved = p.At
		}
	}
	if a.moved == 0 {
		a.moved = p.At // the first: nobody knows better
	}
	a.last = fixOf(&p, ahead)
	a.keep(p)
}

// show decides on the newest fix that may be shown. The marker of a courier that stands still stays where it is, while
// its time goes on.
func (a *pass) show() {
	if !a.hasBest {
		return
	}
	p := a.best
	accuracy, _ := p.Get(Accuracy)
	stands := a.shown.at != 0 && Distance(a.shown.lat, a.shown.lon, p.Lat, p.Lon) < a.lim.jitter(accuracy)
	if stands {
		if p.At.Sub(a.shown.at) < a.lim.Refresh {
			return
		}
		p.Lat, p.Lon = a.shown.lat, a.shown.lon
	} else {
		a.moved = p.At
	}
	a.shown = marker{at: p.At, lat: p.Lat, lon: p.Lon}
	a.result.Live, a.result.HasLive = p, true
}

// jitter is how far a fix of this accuracy must be away to count as movement, in metres.
func (l *Limits) jitter(accuracy float64) float64 { return max(l.Jitter, accuracy/2) }

func (a *pass) keep(p Point) {
	if a.result.History == nil {
		a.result.History = make([]Point, 0, len(a.points)+int(a.holding))
	}
	a.result.History = append(a.result.History, p)
}

func (a *pass) drop(i int, why Reason) {
	if a.result.Dropped == nil {
		a.result.Dropped = make([]Drop, 0, len(a.points))
	}
	a.result.Dropped = append(a.result.Dropped, Drop{I: i, Reason: why})
}

// tidy puts the answer in order: held fixes come out late.
func (a *pass) tidy() {
	byTime := func(p, q Point) int { return cmp.Compare(p.At, q.At) }
	if h := a.result.History; !slices.IsSortedFunc(h, byTime) {
		slices.SortStableFunc(h, byTime)
	}
	byIndex := func(d, e Drop) int { return cmp.Compare(d.I, e.I) }
	if d := a.result.Dropped; !slices.IsSortedFunc(d, byIndex) {
		slices.SortFunc(d, byIndex)
	}
}

// paceOver is the time over which speed is averaged: a few streets and a red light.
const paceOver = 2 * time.Minute

// learnPace takes the speed of one fix into the rolling one: as the phone measured it, else from the way since the last
// fix, where that is not too long ago to tell.
func (a *pass) learnPace(p *Point, w way) {
	v, measured := p.Get(Speed)
	if !measured {
		if w.took <= 0 || w.took > paceOver {
			return
		}
		v = w.metres / w.took.Seconds()
	}
	if !a.paced {
		a.pace, a.paced = float32(v), true
		return
	}
	part := w.took.Seconds() / (w.took + paceOver).Seconds()
	a.pace += float32((v - float64(a.pace)) * part)
}
