package store

import (
	"fmt"
	"testing"
)

// queued is a queue with changes of these orders in it.
func queued(locks ...string) chan *change {
	q := make(chan *change, len(locks))
	for _, l := range locks {
		c := newChange()
		c.lock = l
		q <- c
	}
	return q
}

func TestGroups(t *testing.T) {
	t.Run("HoldUpTo256", func(t *testing.T) {
		var locks []string
		for i := range 600 {
			locks = append(locks, fmt.Sprint("o/", i))
		}
		g, queue := gatherer{held: map[string]struct{}{}}, queued(locks...)
		for _, want := range []int{256, 256, 88, 0} {
			if n := len(g.gather(queue)); n != want {
				t.Errorf("a group of %d, want %d", n, want)
			}
		}
	})
	t.Run("HoldOneChangeOfAnOrderAndKeepTheirOrder", func(t *testing.T) {
		g, queue := gatherer{held: map[string]struct{}{}}, queued("a", "a", "b", "a", "")
		first := <-queue
		g.late = append(g.late, first)
		for i, want := range []int{3, 1, 1, 0} { // a, b and what locks nothing; a; a
			group := g.gather(queue)
			if len(group) != want {
				t.Errorf("group %d has %d changes, want %d", i, len(group), want)
			}
			if i == 0 && group[0] != first {
				t.Error("the oldest change is not the first")
			}
		}
	})
}
