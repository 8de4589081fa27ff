package store

import (
	"context"
	"errors"

	"doorbell/orders"
)

// fault is what an engine's error means for a group.
type fault int

const (
	noFault   fault = iota
	rowFault        // one change is at fault: the others may still be written
	awayFault       // the database cannot work now (full, busy, broken): nobody's change can be written
)

// errOutcome wraps the error of a COMMIT: the transaction may be there or not.
var errOutcome = errors.New("the outcome of the commit is unknown")

// errStopped is the cause when a store that does not run any more is asked to write.
var errStopped = errors.New("the store has stopped")

// unavailable is what a caller is told when the database cannot work now.
func unavailable(cause error) *orders.Error {
	e := orders.Errorf(orders.Unavailable, "the store cannot do this now, try again")
	e.Err = cause
	return e
}

// internal is what a caller is told when its own change was refused by the database.
func internal(cause error) *orders.Error {
	e := orders.Errorf(orders.Internal, "the store refused this")
	e.Err = cause
	return e
}

// told translates an engine's error for the caller: Unavailable or Internal.
func told(f func(error) fault, err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) || f(err) == awayFault {
		return unavailable(err)
	}
	return internal(err)
}
