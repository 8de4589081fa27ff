package track

import "math"

// recentFixes remembers which fixes came last, to know a repeat. What is repeated after more others than fit is not known
// here; whoever stores the history lets it go.
type recentFixes struct {
	marks [24]uint64
	next  uint8 // where the next goes
	n     uint8
}

// add remembers a fix, and reports whether it was there already.
func (r *recentFixes) add(device uint32, at UnixMilli) (repeat bool) {
	m := mix(uint64(at)) ^ mix(uint64(device)<<1|1)
	for _, other := range r.marks[:r.n] {
		if other == m {
			return true
		}
	}
	r.marks[r.next] = m
	r.next = (r.next + 1) % uint8(len(r.marks))
	r.n = min(r.n+1, uint8(len(r.marks)))
	return false
}

// recentPosts remembers the last posts of several fixes as a whole: an app that missed our answer sends the same batch
// again, perhaps for ever, or with more behind it each time, and it may be longer than recentFixes.
type recentPosts struct {
	marks [4]uint64
	next  uint8
	n     uint8
}

// known is how many fixes at the beginning of a post are a whole post that came before, and the mark of all of it.
func (r *recentPosts) known(points []Point) (n int, mark uint64) {
	for i := range points {
		p := &points[i]
		mark = mix(mark ^ uint64(p.At))
		mark = mix(mark ^ math.Float64bits(p.Lat))
		mark = mix(mark ^ math.Float64bits(p.Lon))
		mark = mix(mark ^ uint64(p.Device))
		for _, other := range r.marks[:r.n] {
			if other == mark {
				n = i + 1
			}
		}
	}
	return n, mark
}

func (r *recentPosts) add(mark uint64) {
	r.marks[r.next] = mark
	r.next = (r.next + 1) % uint8(len(r.marks))
	r.n = min(r.n+1, uint8(len(r.marks)))
}

// mix spreads every bit of x over all of the result, one to one (the last steps of splitmix64).
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
