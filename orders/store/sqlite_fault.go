package store

import (
	"database/sql"
	"database/sql/driver"
	"errors"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// sqliteFault sorts SQLite's errors. What is not a state of the disk or of the connection is the statement's fault.
func sqliteFault(err error) fault {
	if err == nil {
		return noFault
	}
	if errors.Is(err, driver.ErrBadConn) || errors.Is(err, sql.ErrConnDone) {
		return awayFault
	}
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return rowFault
	}
	switch e.Code() & 0xff { // the primary code; the bits above say more
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL, sqlite3.SQLITE_INTERRUPT,
		sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_NOMEM,
		sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		return awayFault
	}
	return rowFault
}
