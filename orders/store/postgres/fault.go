package postgres

import (
	"errors"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"doorbell/orders/store"
)

// awayError wraps what a connection or an attempt at one failed with.
type awayError struct{ error }

func (e awayError) Unwrap() error { return e.error }

// SQLSTATEs that are looked at one by one.
const (
	codeDeadlock      = "40P01"
	codeSerialization = "40001"
	codeCheck         = "23514" // also: no partition for the row
	codeNotInSet      = "22021" // a byte that text cannot hold
	codeNotSupported  = "0A000" // also: a prepared statement's result has changed
	codeNoStatement   = "26000" // a prepared statement is gone
	codeNoTable       = "42P01" // no such table: a restore is under way
)

func codeOf(err error) string {
	var e *pgconn.PgError
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

// faultOf sorts errors. What is neither the data's nor the statement's fault is a state of the server.
func faultOf(err error) store.Fault {
	if err == nil {
		return store.NoFault
	}
	var away awayError
	if errors.As(err, &away) || errors.Is(err, store.ErrOutcome) {
		return store.AwayFault
	}
	code := codeOf(err)
	switch {
	case code == codeNoTable:
		return store.AwayFault
	case code == "", strings.HasPrefix(code, "22"), strings.HasPrefix(code, "23"), strings.HasPrefix(code, "42"),
		strings.HasPrefix(code, "54"):
		return store.RowFault
	}
	return store.AwayFault
}

// outdated reports whether a prepared statement was made for a schema that has changed: on another connection, or
// prepared again, it works.
func outdated(err error) bool {
	code := codeOf(err)
	return code == codeNoStatement || code == codeNotSupported && strings.Contains(err.Error(), "cached plan")
}

// noPartition reports whether a row has no partition to go to.
func noPartition(err error) bool {
	var e *pgconn.PgError
	return errors.As(err, &e) && e.Code == codeCheck && e.ConstraintName == ""
}
