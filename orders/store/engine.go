package store

import (
	"context"
	"time"
)

// Engine is what a Store needs of its database. Its methods are called from any goroutine.
type Engine interface {
	// Row reads at most one row into pointers to strings, integers and byte slices. sql.ErrNoRows: there is none.
	Row(ctx context.Context, text string, args []any, into ...any) error
	// Each calls f for every row until f fails, with the function that reads the row. Byte slices of type sql.RawBytes
	// are good until f returns.
	Each(ctx context.Context, text string, args []any, f func(scan Scan) error) error
	// Fault says what an error of the engine means.
	Fault(err error) Fault
	// Now is the clock that the installation goes by.
	Now() time.Time
}

// Scan reads the columns of a row into pointers.
type Scan func(into ...any) error

// Session runs the transactions of one committer, one after another, always from one goroutine at a time.
type Session interface {
	// Commit runs the steps in their order as one transaction, and sets touched[i] to the count of rows that step i
	// touched. After an error nothing of it is there, unless the error is ErrOutcome: then it may all be there, and
	// counts that did not arrive are left as they are.
	Commit(steps []Step, touched []int64) error
	// Mark runs a step that reads one text, and returns it; "" if there is no row.
	Mark(probe Step) (string, error)
	// Close ends the session. It is called once, behind the last Commit.
	Close() error
}

// Step is one statement with its arguments. They are int64, string or []byte (nil for NULL) and are not changed once
// the change is on a queue.
type Step struct {
	Stmt Statement
	Args []any
}
