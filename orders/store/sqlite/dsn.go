package sqlite

import (
	"database/sql"
	"net/url"
	"runtime"
	"strconv"

	_ "modernc.org/sqlite" // the driver named "sqlite"
)

const (
	// pageSize is SQLite's own default: a commit writes whole pages, so larger ones write more for each order.
	pageSize = 4096
	// walPages makes the writer checkpoint by itself only when the WAL has outgrown what the passive checkpoints
	// keep up with; in a quiet hour it never does. 64 MiB.
	walPages = 64 << 20 / pageSize
	// walKeep is the size in bytes to which a WAL that once grew is cut.
	walKeep = 64 << 20
	// writerCache is the writer's page cache in KiB.
	writerCache = 64 << 10
	// readerCache is each reader's page cache in KiB.
	readerCache = 2 << 10
	// busyTimeout is how long, in ms, a connection waits for a lock. Nobody else writes, so it is short; a waiting
	// caller's context cannot cut it.
	busyTimeout = 250
)

// dsn begins with file: since SQLite ignores mode=… without it. Values are SQLite's pragmas.
func dsn(path, mode string, pragmas ...string) string {
	q := url.Values{"mode": {mode}, "_busy_timeout": {strconv.Itoa(busyTimeout)}, "_pragma": pragmas}
	return "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + q.Encode()
}

func pragma(name string, value int) string { return name + "(" + strconv.Itoa(value) + ")" }

// openWriter opens the one connection that writes.
func openWriter(path string) (*sql.DB, error) {
	db, err := sql.Open("sqlite", dsn(path, "rwc", pragma("page_size", pageSize), "journal_mode(WAL)", "synchronous(FULL)",
		pragma("wal_autocheckpoint", walPages), pragma("journal_size_limit", walKeep), pragma("cache_size", -writerCache),
		"temp_store(MEMORY)", "trusted_schema(OFF)")+"&_txlock=immediate")
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	return db, nil
}

// openReaders opens the pool that reads. It cannot write.
func openReaders(path string) (*sql.DB, error) {
	db, err := sql.Open("sqlite", dsn(path, "rw", pragma("cache_size", -readerCache), "trusted_schema(OFF)")+"&_query_only=1")
	if err != nil {
		return nil, err
	}
	n := max(4, 2*runtime.GOMAXPROCS(0))
	db.SetMaxOpenConns(n)
	db.SetMaxIdleConns(n)
	return db, nil
}

// openCheckpointer opens the connection that moves the WAL into the file.
func openCheckpointer(path string) (*sql.DB, error) {
	db, err := sql.Open("sqlite", dsn(path, "rw", "synchronous(FULL)", "wal_autocheckpoint(0)",
		pragma("journal_size_limit", walKeep)))
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	return db, nil
}
