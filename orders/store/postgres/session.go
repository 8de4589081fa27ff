package postgres

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"doorbell/orders"
	"doorbell/orders/store"
)

// commitTries is how often a group is sent when Postgres undid it for a reason that passes.
const commitTries = 4

// session is a committer's connection. It implements [store.Session].
type session struct {
	db         *connector
	guard      *guard
	partitions *partitions
	link       *link // nil: to be made by the next transaction
	batch      pgx.Batch

	// breakNext is for tests: how the next COMMIT of any session is to end behind the back of whoever asked for it.
	breakNext *atomic.Pointer[brokenCommit]
}

type brokenCommit struct{ made bool }

// dropKeysText is plain about how to find the rows: of the shared text Postgres would make a walk through the whole
// table, since it does not know how small the limit is.
const dropKeysText = `DELETE FROM idempotency WHERE ctid = ANY (ARRAY
	(SELECT ctid FROM idempotency WHERE created_at < $1 ORDER BY created_at LIMIT $2))`

// text is the SQL of a statement, this engine's own included.
func text(s store.Statement) string {
	switch s {
	case addOutbox:
		return addOutboxText
	case store.DropKeys:
		return dropKeysText
	}
	return s.Text()
}

// Commit implements [store.Session]. The steps go to the server in one message with one Sync behind them, which makes
// them one transaction, committed by the server at the Sync: one round trip, whatever the size of the group.
func (s *session) Commit(steps []store.Step, touched []int64) error {
	ctx, cancel := context.WithTimeout(context.Background(), commitTimeout)
	defer cancel()
	for try := 1; ; try++ {
		err := s.once(ctx, steps, touched)
		if err == nil || try == commitTries || !s.mend(ctx, err, steps) {
			return err
		}
		for i := range touched {
			touched[i] = -1
		}
	}
}

// mend does what lets a transaction that was undone succeed, and reports whether to try again.
func (s *session) mend(ctx context.Context, err error, steps []store.Step) bool {
	switch code := codeOf(err); {
	case errors.Is(err, store.ErrOutcome):
		return false
	case code == codeDeadlock, code == codeSerialization:
		return true
	case noPartition(err):
		return s.partitions.make(ctx, daysOf(steps)) == nil
	case outdated(err):
		s.drop()
		return true
	}
	return false
}

// daysOf are the days of the orders that steps are about.
func daysOf(steps []store.Step) (days []time.Time) {
	seen := map[time.Time]bool{}
	for _, s := range steps {
		if len(s.Args) == 0 {
			continue
		}
		id, _ := s.Args[0].(string)
		at := orders.PlacedAt(id)
		if day := dayOf(at); !at.IsZero() && !seen[day] {
			seen[day] = true
			days = append(days, day)
		}
	}
	return days
}

func (s *session) once(ctx context.Context, steps []store.Step, touched []int64) error {
	if err := s.open(ctx); err != nil {
		return err
	}
	s.batch.QueuedQueries = s.batch.QueuedQueries[:0]
	for _, step := range steps {
		s.batch.Queue(text(step.Stmt), step.Args...)
	}
	broken := s.breakNext.Swap(nil)
	if broken != nil && !broken.made {
		s.batch.Queue(`SELECT 1 / 0`)
	}
	err := s.send(ctx, touched)
	switch {
	case broken != nil && noPartition(err):
		s.breakNext.Store(broken) // this was not the COMMIT yet
	case broken != nil:
		s.drop()
		return fmt.Errorf("%w: broken by a test: %w", store.ErrOutcome, err)
	case err == nil:
		if err := s.db.may(); err != nil { // the server may have broken its word meanwhile
			s.drop()
			return fmt.Errorf("%w: %w", store.ErrOutcome, err)
		}
		return nil
	case s.link.IsClosed(): // the connection's end, and not the server's word about a statement
		s.drop()
		if pgconn.SafeToRetry(err) { // nothing was sent
			return awayError{err}
		}
		return fmt.Errorf("%w: %w", store.ErrOutcome, err)
	}
	return err
}

// send runs the batch. The first error counts; those behind it only say that the transaction is over.
func (s *session) send(ctx context.Context, touched []int64) error {
	results := s.link.SendBatch(ctx, &s.batch)
	for i := range s.batch.QueuedQueries {
		tag, err := results.Exec()
		if err != nil {
			_ = results.Close()
			return err
		}
		if i < len(touched) {
			touched[i] = tag.RowsAffected()
		}
	}
	return results.Close()
}

// Mark implements [store.Session].
func (s *session) Mark(probe store.Step) (mark string, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), commitTimeout)
	defer cancel()
	if err := s.open(ctx); err != nil {
		return "", err
	}
	err = s.link.QueryRow(ctx, text(probe.Stmt), probe.Args...).Scan(&mark)
	if errors.Is(err, pgx.ErrNoRows) {
		return "", nil
	}
	if err != nil && s.link.IsClosed() {
		s.drop()
		err = awayError{err}
	}
	return mark, err
}

// open makes the connection if there is none that works. While the guard refuses, there is none.
func (s *session) open(ctx context.Context) (err error) {
	if err := s.db.may(); err != nil {
		s.drop()
		return err
	}
	if s.link != nil && s.link.alive() {
		return nil
	}
	s.drop()
	s.link, err = s.guard.writer(ctx)
	return err
}

func (s *session) drop() {
	if s.link != nil {
		s.guard.forget(s.link)
		s.link.drop()
		s.link = nil
	}
}

// Close implements [store.Session].
func (s *session) Close() error {
	if s.link != nil {
		s.guard.forget(s.link)
		s.link.bye()
		s.link = nil
	}
	return nil
}
