package sqlite

import (
	"database/sql"
	"database/sql/driver"
	"errors"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"doorbell/orders/store"
)

// faultOf sorts SQLite's errors. What is not a state of the disk or of the connection is the statement's fault.
func faultOf(err error) store.Fault {
	if err == nil {
		return store.NoFault
	}
	if errors.Is(err, driver.ErrBadConn) || errors.Is(err, sql.ErrConnDone) {
		return store.AwayFault
	}
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return store.RowFault
	}
	switch e.Code() & 0xff { // the primary code; the bits above say more
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL, sqlite3.SQLITE_INTERRUPT,
		sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_NOMEM,
		sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		return store.AwayFault
	}
	return store.RowFault
}
