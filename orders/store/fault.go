package store

import (
	"context"
	"errors"

	"doorbell/orders"
)

// Fault is what an engine's error means for a group.
type Fault int

// The faults.
const (
	NoFault   Fault = iota
	RowFault        // one change is at fault: the others may still be written
	AwayFault       // the database cannot work now (full, busy, broken, gone): nobody's change can be written
)

// ErrOutcome wraps the error of a COMMIT: the transaction may be there or not.
var ErrOutcome = errors.New("the outcome of the commit is unknown")

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
func told(f func(error) Fault, err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) || f(err) == AwayFault {
		return unavailable(err)
	}
	return internal(err)
}

// Told translates an error of the engine for a caller: Unavailable or Internal. nil stays nil.
func (s *Store) Told(err error) error {
	if err == nil {
		return nil
	}
	return told(s.engine.Fault, err)
}
