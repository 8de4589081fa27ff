package store

import "slices"

// step is one statement of a change. Its args are int64, string or []byte (nil for NULL) and are not changed once
// the change is on the queue.
type step struct {
	stmt statement
	args []any
}

// change is one caller's write, encoded and ready: whole or not at all. No step depends on the counts of another, so
// an engine may send them all at once; the counts only decide what the caller is told.
type change struct {
	keys []step // idempotency rows: of all changes of a group these come first
	rows []step
	lock string // what the change is about, e.g. o/ord_…; a group holds at most one change per lock; "" = nothing
	key  string // likewise for its idempotency key

	// verdict says from the rows each step touched (keys before rows) whether the change was made: nil, or
	// ErrLost or ErrKeyTaken. nil = always made.
	verdict func(touched []int64) error
	// probe reads the mark that this change leaves, for when nobody knows whether a COMMIT came through.
	probe *step
	mark  string

	// after runs in the writer, before the caller is answered and also when the caller has gone; nil = nothing.
	after func(error)

	touched []int64    // owned by the writer
	done    chan error // capacity 1; the writer sends once
}

func newChange(rows ...step) *change { return &change{rows: rows, done: make(chan error, 1)} }

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
