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
const schemaLevel = 2

const (
	// migrationsLock is the advisory lock of whoever changes the schema.
	migrationsLock = 0x646f6f72_6d696772
	// migrationsWatch is the pause between looks whether the server that migrates still answers.
	migrationsWatch = time.Second
	// cancelPatience is how long the server may take to cancel a migration that is given up.
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
		if codeOf(err) != codeLockTimeout { // that takes its time on the server, which so is there
			return level, err
		}
	}
}

// readLevel is checkLevel for whoever does not wait.
func readLevel(ctx context.Context, l *link) (level int, err error) {
	ask := func(text string, into any) error {
		ctx, cancel := context.WithTimeout(ctx, readTimeout)
		defer cancel()
		return l.QueryRow(ctx, text).Scan(into)
	}
	var there bool
	err = ask(`SELECT to_regclass('goose_db_version') IS NOT NULL`, &there)
	if err == nil && there {
		err = ask(`SELECT COALESCE(MAX(version_id), 0) FROM goose_db_version WHERE is_applied`, &level)
	}
	if err != nil {
		return 0, fmt.Errorf("read the schema level: %w", err)
	}
	if level == 0 {
		return 0, nil
	}
	var needs int
	switch err := ask(store.ReadNeeds, &needs); {
	case errors.Is(err, pgx.ErrNoRows), codeOf(err) == codeNoTable:
		return 0, errors.New("the database's table meta has no row 'needs': it is not one of doorbell's")
	case err != nil:
		return 0, fmt.Errorf("read what the database needs: %w", err)
	case needs > schemaLevel:
		return 0, fmt.Errorf("the database needs a program of schema level %d and this one has %d: "+
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
	p, err := goose.NewProvider(goose.DialectPostgres, h.db, files, goose.WithLogger(goose.NopLogger()))
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
		ask, cancel := context.WithTimeout(context.WithoutCancel(ctx), readTimeout) // l is used afterwards
		err := l.Ping(ask)
		cancel()
		if err != nil {
			return awayError{fmt.Errorf("the server no longer answers: %w", err)}
		}
	}
}

// handle is a database/sql handle, as goose needs one. It has one connection at a time, and that holds migrationsLock:
// who works on it is alone. Its end does not wait for a server that is away.
//
// The lock is not one of goose's. Provider.Up takes those after it has looked for its table and made it: of four nodes on
// an empty database three fail at that, and pause for a second. Nor does it ask for them more than once a second.
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
	h.db = stdlib.OpenDB(*cfg, stdlib.OptionAfterConnect(h.lock))
	h.db.SetMaxOpenConns(1)
	return h
}

// lock waits until migrationsLock is the connection's, or ctx ends. It asks, rather than waiting in the server, since
// CREATE INDEX CONCURRENTLY would wait for whoever waits there.
func (h *handle) lock(ctx context.Context, conn *pgx.Conn) error {
	h.mu.Lock()
	h.conns = append(h.conns, conn)
	h.mu.Unlock()
	for {
		var got bool
		err := conn.QueryRow(ctx, `SELECT pg_try_advisory_lock($1)`, int64(migrationsLock)).Scan(&got)
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
	patience := time.AfterFunc(cancelPatience, h.drop)
	defer patience.Stop()
	ctx, cancel := context.WithTimeout(context.Background(), cancelPatience)
	defer cancel()
	_ = h.db.Close()
	h.mu.Lock()
	conns := h.conns
	h.mu.Unlock()
	for _, conn := range conns {
		_ = conn.Close(ctx) // database/sql never had the one whose lock did not come
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
