package store

import (
	"cmp"
	"slices"
)

// maxGroup is how many changes share one transaction. Beyond this the fsync's share of a change is small already.
const maxGroup = 256

// group is the changes of one transaction. No two of them have a lock in common.
type group []*change

// steps appends all steps to buf, which is empty: idempotency keys first, then by what they are about, each in one
// sorted order. So groups of several committers wait for each other and never in a circle.
func (g group) steps(buf []Step) []Step {
	slices.SortFunc(g, func(a, b *change) int { return cmp.Compare(a.key, b.key) })
	for _, c := range g {
		c.keysAt = len(buf)
		buf = append(buf, c.keys...)
	}
	slices.SortFunc(g, func(a, b *change) int { return cmp.Compare(a.lock, b.lock) })
	for _, c := range g {
		c.rowsAt = len(buf)
		buf = append(buf, c.rows...)
	}
	return buf
}

// take hands each change the counts of its own steps.
func (g group) take(counts []int64) {
	for _, c := range g {
		c.touched = append(c.touched[:0], counts[c.keysAt:c.keysAt+len(c.keys)]...)
		c.touched = append(c.touched, counts[c.rowsAt:c.rowsAt+len(c.rows)]...)
	}
}

// gatherer makes groups of what arrives. It is owned by its committer.
type gatherer struct {
	late []*change // wait for the next group, since this one has a change of the same order or key; oldest first
	held map[string]struct{}
}

// gather takes what is there, without waiting, until the group is full. A second change of one order, or with one
// idempotency key, waits for the next group: its outcome is then told from what the first one really left.
func (q *gatherer) gather(queue <-chan *change) group {
	clear(q.held)
	var g group
	take := func(c *change) {
		if q.holds(c) {
			q.late = append(q.late, c)
			return
		}
		g = append(g, c)
	}
	waiting := q.late
	q.late = nil
	for _, c := range waiting {
		take(c)
	}
	for len(g) < maxGroup && len(q.late) < maxGroup {
		select {
		case c := <-queue:
			take(c)
		default:
			return g
		}
	}
	return g
}

// holds reports whether the group has one of the change's locks; if not, it takes them all.
func (q *gatherer) holds(c *change) bool {
	locks := c.locks()
	for _, l := range locks {
		if _, ok := q.held[l]; ok {
			for _, l := range locks {
				q.held[l] = struct{}{} // what follows on the other lock keeps its place behind this change
			}
			return true
		}
	}
	for _, l := range locks {
		q.held[l] = struct{}{}
	}
	return false
}
