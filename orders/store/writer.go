package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/rs/zerolog"
)

// writer owns the one connection that writes. Everything in it belongs to the goroutine that calls write.
type writer struct {
	db  *sql.DB
	log zerolog.Logger
	m   *metrics

	conn   *sql.Conn // nil: to be opened, with its statements, by the next group
	begin  driver.Stmt
	commit driver.Stmt
	undo   driver.Stmt
	stmts  [statements]driver.Stmt

	args   []driver.NamedValue // reused by exec
	ailing fault               // what was last said in the log, so that it is said once

	// aroundCommit stands around each COMMIT in tests: it calls commit or not, and may answer what it likes.
	aroundCommit func(commit, undo func() error) error
}

// write commits a group and answers each of its changes.
func (w *writer) write(g group) {
	w.m.groupSize.Observe(float64(len(g)))
	start := time.Now()
	err := w.try(g)
	w.m.commitSeconds.Observe(time.Since(start).Seconds())

	if err == nil {
		w.wellAgain()
		for _, c := range g {
			w.answer(c, c.judge())
		}
		return
	}
	switch f := sqliteFault(err); {
	case errors.Is(err, errOutcome):
		w.sayOnce(f, err)
		w.readBack(g, err)
	case f == rowFault && len(g) > 1:
		for _, c := range g { // one row must not fail the others: each gets a transaction of its own
			w.write(group{c})
		}
	default:
		w.sayOnce(f, err)
		for _, c := range g {
			w.answer(c, told(sqliteFault, err))
		}
	}
}

// answer counts and tells the caller.
func (w *writer) answer(c *change, err error) {
	w.m.count(err)
	c.answer(err)
}

// try is the group's transaction. After an error none is open, and what it did is undone, unless the error is
// errOutcome.
func (w *writer) try(g group) error {
	if err := w.open(); err != nil {
		return err
	}
	err := w.conn.Raw(func(any) error { // keeps the connection ours while its bare statements run
		if _, err := run(w.begin, nil); err != nil {
			return fmt.Errorf("begin: %w", err)
		}
		if err := g.run(w); err != nil {
			_, _ = run(w.undo, nil) // an error says that SQLite has undone it by itself
			return err
		}
		commit := func() error { _, err := run(w.commit, nil); return err }
		undo := func() error { _, err := run(w.undo, nil); return err }
		around := w.aroundCommit
		if around == nil {
			around = func(commit, _ func() error) error { return commit() }
		}
		if err := around(commit, undo); err != nil {
			_ = undo()
			return fmt.Errorf("%w: %w", errOutcome, err)
		}
		return nil
	})
	if err != nil && (sqliteFault(err) == awayFault || errors.Is(err, errOutcome)) {
		w.checkConn()
	}
	return err
}

// exec implements execer.
func (w *writer) exec(s statement, args []any) (int64, error) {
	w.args = w.args[:0]
	for i, a := range args {
		w.args = append(w.args, driver.NamedValue{Ordinal: i + 1, Value: a})
	}
	return run(w.stmts[s], w.args)
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

// readBack asks the database which changes of a group are there after all. Who sees its own mark was committed; who
// lost has lost either way, since the group was judged against what was committed before; nobody knows of the others.
func (w *writer) readBack(g group, outcome error) {
	for _, c := range g {
		err := c.judge()
		if err == nil && !w.marked(c) {
			err = unavailable(outcome)
		}
		w.answer(c, err)
	}
}

// marked reports whether the database holds the mark that the change leaves.
func (w *writer) marked(c *change) (yes bool) {
	if c.probe == nil || w.open() != nil {
		return false
	}
	_ = w.conn.Raw(func(any) error {
		args := []driver.NamedValue{{Ordinal: 1, Value: c.probe.args[0]}}
		rows, err := w.stmts[c.probe.stmt].(driver.StmtQueryContext).QueryContext(context.Background(), args)
		if err != nil {
			return err
		}
		defer func() { _ = rows.Close() }()
		var v [1]driver.Value
		if err := rows.Next(v[:]); err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		yes = v[0] == c.mark
		return nil
	})
	return yes
}

// open gets the connection and prepares its statements, if there is none.
func (w *writer) open() (err error) {
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
		for i, text := range texts {
			w.stmts[i] = prepare(text)
		}
		return err
	})
	if err != nil {
		w.close()
	}
	return err
}

// checkConn closes the connection if a transaction is stuck on it; the next group opens another.
func (w *writer) checkConn() {
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
		w.close()
	}
}

// close ends the connection. It is not given back to the pool: what is wrong with it must not come back.
func (w *writer) close() {
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

// sayOnce logs what ails the database when it begins. A row's own fault is the caller's to log.
func (w *writer) sayOnce(f fault, err error) {
	if f == w.ailing || f == rowFault && !errors.Is(err, errOutcome) {
		return
	}
	w.ailing = f
	w.log.Error().Err(err).Str("kind", string("unavailable")).Msg("the store cannot write")
}

func (w *writer) wellAgain() {
	if w.ailing != noFault {
		w.ailing = noFault
		w.log.Info().Msg("the store can write again")
	}
}
