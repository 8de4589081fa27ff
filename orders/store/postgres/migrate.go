package postgres

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"

	"doorbell/orders/store"
)

//go:embed migrations/*.sql
var migrations embed.FS

// schemaLevel is the newest migration this program knows. A migration adds first; what it makes needless is taken away
// a release later, and that migration raises the row 'needs' of the table meta, so that programs which would miss it
// refuse the database. All others work with a database that a newer program has added to.
const schemaLevel = 1

const (
	// migrationsLock is the advisory lock of whoever changes the schema.
	migrationsLock = 0x646f6f72_6d696772
	// migrationsWatch is the pause between looks whether the server that migrates still answers.
	migrationsWatch = time.Second
	// cancelPatience is how long a migration that is given up may take to be cancelled.
	cancelPatience = time.Second
	// codeLockTimeout is the SQLSTATE of whoever did not get a lock within lock_timeout.
	codeLockTimeout = "55P03"
)

// migrate brings the database to schemaLevel, or leaves a newer one as it is. Several nodes may come at once: one does
// it and the others wait, for as long as it takes. Most often nothing is to be done, and then no lock is taken.
func migrate(ctx context.Context, l *link) error {
	level, err := checkLevel(ctx, l)
	if err != nil || level >= schemaLevel {
		return err
	}
	if err := upgrade(ctx, l); err != nil {
		return err
	}
	_, err = checkLevel(ctx, l) // a newer program may have been first
	return err
}

// checkLevel is the level of the schema, 0 for an empty database. It refuses a database that has lost what this program
// needs, and waits while a restore or a migration holds the tables.
func checkLevel(ctx context.Context, l *link) (level int, err error) {
	for {
		level, err = readLevel(ctx, l)
		if codeOf(err) != codeLockTimeout { // which each try meets again; until then the server answers
			return level, err
		}
	}
}

// readLevel is checkLevel for whoever does not wait.
func readLevel(ctx context.Context, l *link) (level int, err error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	var there bool
	err = l.QueryRow(ctx, `SELECT to_regclass('goose_db_version') IS NOT NULL`).Scan(&there)
	if err == nil && there {
		err = l.QueryRow(ctx, `SELECT COALESCE(MAX(version_id), 0) FROM goose_db_version WHERE is_applied`).Scan(&level)
	}
	if err != nil {
		return 0, fmt.Errorf("read the schema level: %w", err)
	}
	if level == 0 {
		return 0, nil
	}
	var needs int
	switch err := l.QueryRow(ctx, store.ReadNeeds).Scan(&needs); {
	case errors.Is(err, pgx.ErrNoRows), codeOf(err) == codeNoTable:
		return level, errors.New("the database's table meta has no row 'needs': it is not one of doorbell's")
	case err != nil:
		return level, fmt.Errorf("read what the database needs: %w", err)
	case needs > schemaLevel:
		return level, fmt.Errorf("the database needs a program of schema level %d and this one has %d: "+
			"start the doorbell that used it last, or a newer one, or restore a backup made before that upgrade",
			needs, schemaLevel)
	}
	return level, nil
}

// upgrade runs the migrations that are missing, each in a transaction, on a connection beside l. There is no telling how
// long one takes, so none has a deadline: it is given up when the server no longer answers on l.
func upgrade(ctx context.Context, l *link) error {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	h := openHandle(l.Config())
	defer h.close()
	p, err := goose.NewProvider(goose.DialectPostgres, h.db, files,
		goose.WithSessionLocker(schemaLock{}), goose.WithLogger(goose.NopLogger()))
	if err != nil {
		return fmt.Errorf("read the migrations: %w", err)
	}
	ctx, giveUp := context.WithCancelCause(ctx)
	var watch sync.WaitGroup
	watch.Go(func() { giveUp(unanswered(ctx, l)) })
	_, err = p.Up(ctx)
	cause := context.Cause(ctx)
	giveUp(nil)
	watch.Wait()

	var partial *goose.PartialError
	switch {
	case err == nil:
		return nil
	case cause != nil:
		return fmt.Errorf("migrate the database: %w", cause)
	case errors.As(err, &partial):
		return fmt.Errorf("migrate the database to level %d: %w", partial.Failed.Source.Version, partial.Err)
	}
	return fmt.Errorf("migrate the database: %w", err)
}

// unanswered asks the server again and again, until it does not answer in time or ctx ends, and says which.
func unanswered(ctx context.Context, l *link) error {
	tick := time.NewTicker(migrationsWatch)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
		ask, cancel := context.WithTimeout(ctx, readTimeout)
		err := l.Ping(ask)
		cancel()
		if err != nil {
			return awayError{err}
		}
	}
}

// schemaLock implements goose's lock.SessionLocker. goose's own asks once a second or less often: of four nodes that
// start on an empty database, the last would be up three seconds after the first instead of a tenth of one.
//
// It asks, rather than waiting in the server, since CREATE INDEX CONCURRENTLY waits for all who wait there.
type schemaLock struct{}

// SessionLock waits until the lock is this session's, or ctx ends.
func (schemaLock) SessionLock(ctx context.Context, conn *sql.Conn) error {
	for {
		var got bool
		err := conn.QueryRowContext(ctx, `SELECT pg_try_advisory_lock($1)`, int64(migrationsLock)).Scan(&got)
		if err != nil || got {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(lockRetry):
		}
	}
}

// SessionUnlock does nothing: the session ends right behind it, and the lock with it, whether or not the server answers.
func (schemaLock) SessionUnlock(context.Context, *sql.Conn) error { return nil }

// handle is a database/sql handle, which goose needs. Its end does not wait for a server that is away.
type handle struct {
	db *sql.DB

	mu      sync.Mutex // guards the following
	conns   []*pgx.Conn
	sockets []net.Conn // also those on which pgx asks the server to cancel something
	closed  bool
}

// openHandle connects as cfg says, with the settings of migrations.
func openHandle(cfg *pgx.ConnConfig) *handle {
	h := &handle{}
	cfg.DialFunc = h.dial
	cfg.RuntimeParams["statement_timeout"], cfg.RuntimeParams["lock_timeout"] = "0", "0"
	// A node that is stopped between two migrations would keep the others waiting. Inside of one idleTimeout is set, too.
	cfg.RuntimeParams["idle_session_timeout"] = strconv.FormatInt(idleTimeout.Milliseconds(), 10)
	h.db = stdlib.OpenDB(*cfg, stdlib.OptionAfterConnect(func(_ context.Context, conn *pgx.Conn) error {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.conns = append(h.conns, conn)
		return nil
	}))
	return h
}

func (h *handle) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	d := net.Dialer{Timeout: connectTimeout}
	conn, err := d.DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		_ = conn.Close()
		return nil, net.ErrClosed
	}
	h.sockets = append(h.sockets, conn)
	return conn, nil
}

// close ends everything. What is still under way gets cancelPatience to be cancelled: otherwise the server would finish
// it for nobody, holding its locks.
func (h *handle) close() {
	_ = h.db.Close()
	patience := time.AfterFunc(cancelPatience, h.drop)
	defer patience.Stop()
	h.mu.Lock()
	conns := h.conns
	h.mu.Unlock()
	for _, conn := range conns {
		<-conn.PgConn().CleanupDone()
	}
	h.drop()
}

func (h *handle) drop() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	for _, s := range h.sockets {
		_ = s.Close()
	}
}
