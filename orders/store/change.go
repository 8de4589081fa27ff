package store

import (
	"slices"

	"doorbell/orders"
)

// change is one caller's write, encoded and ready: whole or not at all. No step depends on the counts of another, so
// an engine may send them all at once; the counts only decide what the caller is told.
type change struct {
	keys []Step // idempotency rows: of all changes of a group these come first
	rows []Step
	lock string // what the change is about, e.g. o/ord_…; a group holds at most one change per lock; "" = nothing
	key  string // likewise for its idempotency key

	// verdict says from the rows each step touched (keys before rows; -1 = not known) whether the change was made: nil,
	// or ErrLost or ErrKeyTaken. nil = always made.
	verdict func(touched []int64) error
	// probe reads the mark that this change leaves, for when nobody knows whether a COMMIT came through.
	probe *Step
	mark  string

	// tell adds to a group what everybody is to be told of this change; nil = nothing.
	tell func(*orders.Group)
	// after runs in the committer, before the caller is answered and also when the caller has gone; nil = nothing.
	after func(error)

	keysAt, rowsAt int // where its steps begin in its group's; owned by the committer, as touched is
	touched        []int64
	done           chan error // capacity 1; the committer sends once
}

func newChange(rows ...Step) *change { return &change{rows: rows, done: make(chan error, 1)} }

// judge is the caller's answer after the commit.
func (c *change) judge() error {
	if c.verdict == nil {
		return nil
	}
	return c.verdict(c.touched)
}

// answer tells the caller. It is called once.
func (c *change) answer(err error) {
	if c.after != nil {
		c.after(err)
	}
	c.done <- err
}

// locks are the names of which a group holds at most one change.
func (c *change) locks() []string {
	return slices.DeleteFunc([]string{c.lock, c.key}, func(s string) bool { return s == "" })
}
