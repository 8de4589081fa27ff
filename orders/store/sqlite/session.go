package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"

	"doorbell/orders/store"
)

// session owns the one connection that writes. It implements [store.Session].
type session struct {
	db      *sql.DB
	written func() // called after each transaction

	conn   *sql.Conn // nil: to be opened, with its statements, by the next transaction
	begin  driver.Stmt
	commit driver.Stmt
	undo   driver.Stmt
	stmts  [store.Statements]driver.Stmt
	args   []driver.NamedValue // reused by exec

	// aroundCommit stands around each COMMIT in tests: it calls commit or not, and may answer what it likes.
	aroundCommit func(commit, undo func() error) error
}

// Commit implements [store.Session]. After an error no transaction is open.
func (w *session) Commit(steps []store.Step, touched []int64) error {
	defer w.written()
	if err := w.open(); err != nil {
		return err
	}
	err := w.conn.Raw(func(any) error { // keeps the connection ours while its bare statements run
		if _, err := run(w.begin, nil); err != nil {
			return err
		}
		for i, s := range steps {
			n, err := w.exec(s)
			if err != nil {
				_, _ = run(w.undo, nil) // an error says that SQLite has undone it by itself
				return err
			}
			touched[i] = n
		}
		commit := func() error { _, err := run(w.commit, nil); return err }
		undo := func() error { _, err := run(w.undo, nil); return err }
		around := w.aroundCommit
		if around == nil {
			around = func(commit, _ func() error) error { return commit() }
		}
		if err := around(commit, undo); err != nil {
			_ = undo()
			return fmt.Errorf("%w: %w", store.ErrOutcome, err)
		}
		return nil
	})
	if err != nil && (faultOf(err) == store.AwayFault || errors.Is(err, store.ErrOutcome)) {
		w.checkConn()
	}
	return err
}

func (w *session) exec(s store.Step) (int64, error) {
	w.args = w.args[:0]
	for i, a := range s.Args {
		w.args = append(w.args, driver.NamedValue{Ordinal: i + 1, Value: a})
	}
	return run(w.stmts[s.Stmt], w.args)
}

// run executes a bare statement and counts the rows it touched. The driver's statement is used without database/sql
// around it, which costs about as much as a small statement itself.
func run(s driver.Stmt, args []driver.NamedValue) (int64, error) {
	r, err := s.(driver.StmtExecContext).ExecContext(context.Background(), args)
	if err != nil {
		return 0, err
	}
	return r.RowsAffected()
}

// Mark implements [store.Session].
func (w *session) Mark(probe store.Step) (mark string, err error) {
	if err := w.open(); err != nil {
		return "", err
	}
	err = w.conn.Raw(func(any) error {
		args := []driver.NamedValue{{Ordinal: 1, Value: probe.Args[0]}}
		rows, err := w.stmts[probe.Stmt].(driver.StmtQueryContext).QueryContext(context.Background(), args)
		if err != nil {
			return err
		}
		defer func() { _ = rows.Close() }()
		var v [1]driver.Value
		if err := rows.Next(v[:]); err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		mark, _ = v[0].(string)
		return nil
	})
	return mark, err
}

// open gets the connection and prepares its statements, if there is none.
func (w *session) open() (err error) {
	if w.conn != nil {
		return nil
	}
	if w.conn, err = w.db.Conn(context.Background()); err != nil {
		w.conn = nil
		return err
	}
	err = w.conn.Raw(func(dc any) error {
		prepare := func(text string) driver.Stmt {
			s, e := dc.(driver.Conn).Prepare(text)
			if e != nil && err == nil {
				err = fmt.Errorf("prepare %s: %w", text, e)
			}
			return s
		}
		w.begin, w.commit, w.undo = prepare(`BEGIN IMMEDIATE`), prepare(`COMMIT`), prepare(`ROLLBACK`)
		for i := range store.Statements {
			w.stmts[i] = prepare(i.Text())
		}
		return err
	})
	if err != nil {
		w.drop()
	}
	return err
}

// checkConn closes the connection if a transaction is stuck on it; the next transaction opens another.
func (w *session) checkConn() {
	if w.conn == nil {
		return
	}
	err := w.conn.Raw(func(any) error {
		_, err := run(w.begin, nil)
		if err == nil {
			_, err = run(w.undo, nil)
		}
		return err
	})
	if err != nil {
		w.drop()
	}
}

// drop ends the connection. It is not given back to the pool: what is wrong with it must not come back.
func (w *session) drop() {
	if w.conn == nil {
		return
	}
	_ = w.conn.Raw(func(any) error {
		for _, s := range append(w.stmts[:], w.begin, w.commit, w.undo) {
			if s != nil {
				_ = s.Close()
			}
		}
		return driver.ErrBadConn // makes database/sql close it
	})
	_ = w.conn.Close()
	w.conn, w.begin, w.commit, w.undo = nil, nil, nil, nil
	clear(w.stmts[:])
}

// Close implements [store.Session].
func (w *session) Close() error {
	w.drop()
	return w.db.Close()
}
