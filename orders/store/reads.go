package store

import (
	"context"
	"database/sql"
	"sync"
)

// statementCache keeps the reading statements prepared, by their text. There are few texts: those of sql.go and the
// combinations of a list's filters.
type statementCache struct {
	db    *sql.DB
	stmts sync.Map // text to *sql.Stmt
}

func (c *statementCache) get(ctx context.Context, text string) (*sql.Stmt, error) {
	if s, ok := c.stmts.Load(text); ok {
		return s.(*sql.Stmt), nil
	}
	s, err := c.db.PrepareContext(ctx, text)
	if err != nil {
		return nil, err
	}
	if old, loaded := c.stmts.LoadOrStore(text, s); loaded {
		_ = s.Close()
		return old.(*sql.Stmt), nil
	}
	return s, nil
}

// row reads at most one row. It returns sql.ErrNoRows if there is none.
func (c *statementCache) row(ctx context.Context, text string, args []any, into ...any) error {
	s, err := c.get(ctx, text)
	if err != nil {
		return err
	}
	return s.QueryRowContext(ctx, args...).Scan(into...)
}

// each calls f for every row until f fails.
func (c *statementCache) each(ctx context.Context, text string, args []any, f func(*sql.Rows) error) error {
	s, err := c.get(ctx, text)
	if err != nil {
		return err
	}
	rows, err := s.QueryContext(ctx, args...)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		if err := f(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

func (c *statementCache) close() {
	c.stmts.Range(func(_, s any) bool {
		_ = s.(*sql.Stmt).Close()
		return true
	})
}
