package sqlite

import (
	"context"
	"database/sql"
	"sync"
	"time"

	"doorbell/orders/store"
)

// reader is the pool that reads, with its statements prepared, by their text. There are few texts: those of the store
// and the combinations of a list's filters. It implements [store.Engine].
type reader struct {
	db    *sql.DB
	stmts sync.Map // text to *sql.Stmt
}

// Fault implements [store.Engine].
func (*reader) Fault(err error) store.Fault { return faultOf(err) }

// Now implements [store.Engine]: only one process uses the folder, so its machine's clock will do.
func (*reader) Now() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }

func (c *reader) get(ctx context.Context, text string) (*sql.Stmt, error) {
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

// Row implements [store.Engine].
func (c *reader) Row(ctx context.Context, text string, args []any, into ...any) error {
	s, err := c.get(ctx, text)
	if err != nil {
		return err
	}
	return s.QueryRowContext(ctx, args...).Scan(into...)
}

// Each implements [store.Engine].
func (c *reader) Each(ctx context.Context, text string, args []any, f func(store.Scan) error) error {
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
		if err := f(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

func (c *reader) close() error {
	c.stmts.Range(func(_, s any) bool {
		_ = s.(*sql.Stmt).Close()
		return true
	})
	return c.db.Close()
}
