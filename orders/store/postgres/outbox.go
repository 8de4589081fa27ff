package postgres

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"doorbell/orders"
	"doorbell/orders/store"
)

// addOutbox is this engine's own statement of the write path.
const addOutbox = store.Statements

const (
	addOutboxText = `INSERT INTO outbox (id, committed_at, about) VALUES ($1, ` + nowText + `, $2)`

	// Rows are locked in one order, so that nodes which mark, drop and wake the same ones wait for each other only.
	readWaiting = `SELECT id, about FROM outbox WHERE published_at = 0 AND committed_at <= ` + nowText + ` - $1
	ORDER BY committed_at DESC, id DESC LIMIT $2`
	oldestWaiting = `SELECT ` + nowText + ` - committed_at FROM outbox WHERE published_at = 0 ORDER BY committed_at LIMIT 1`
	markPublished = `UPDATE outbox SET published_at = ` + nowText + ` WHERE id IN
	(SELECT id FROM outbox WHERE id = ANY($1) AND published_at = 0 ORDER BY id FOR UPDATE)`
	publishAgain = `UPDATE outbox SET published_at = 0 WHERE id IN
	(SELECT id FROM outbox WHERE published_at > 0 AND published_at < $1 ORDER BY id FOR UPDATE)`
	dropPublished = `DELETE FROM outbox WHERE id IN
	(SELECT id FROM outbox WHERE published_at > 0 AND published_at <= ` + nowText + ` - $1 ORDER BY id LIMIT $2 FOR UPDATE SKIP LOCKED)`

	// countWaiting stops counting where the number does not matter any more.
	countWaiting = `SELECT COUNT(*), COALESCE(` + nowText + ` - MIN(committed_at), 0)
	FROM (SELECT committed_at FROM outbox WHERE published_at = 0 ORDER BY committed_at LIMIT 10000) w`
)

// about is what a row's group was about.
type about struct {
	Orders      []string `json:"o,omitempty"`
	Restaurants []string `json:"r,omitempty"`
	Subs        []string `json:"s,omitempty"`
}

// outboxRow is the step that notes a group.
func outboxRow(g orders.Group) store.Step {
	var a about
	for _, c := range g.Orders {
		a.Orders = append(a.Orders, c.Order.ID)
	}
	for _, r := range g.Restaurants {
		a.Restaurants = append(a.Restaurants, r.ID)
	}
	for _, r := range g.Revocations {
		a.Subs = append(a.Subs, r.Sub)
	}
	doc, _ := json.Marshal(a) // strings only
	return store.Step{Stmt: addOutbox, Args: []any{g.Row, string(doc)}}
}

// Waiting implements [orders.Outbox].
func (s *Store) Waiting(ctx context.Context, age time.Duration, limit int) ([]orders.OutboxRow, error) {
	var out []orders.OutboxRow
	err := s.pool.Each(ctx, readWaiting, []any{age.Microseconds(), int64(store.PageSize(limit))}, func(scan store.Scan) error {
		var r orders.OutboxRow
		var doc []byte
		if err := scan(&r.ID, &doc); err != nil {
			return err
		}
		var a about
		if err := json.Unmarshal(doc, &a); err != nil {
			return fmt.Errorf("row %s: %w", r.ID, err)
		}
		r.Orders, r.Restaurants, r.Subs = a.Orders, a.Restaurants, a.Subs
		out = append(out, r)
		return nil
	})
	if err != nil {
		return nil, s.Told(fmt.Errorf("read the outbox: %w", err))
	}
	return out, nil
}

// OldestWaiting implements [orders.Outbox].
func (s *Store) OldestWaiting(ctx context.Context) (time.Duration, error) {
	var age int64
	switch err := s.pool.Row(ctx, oldestWaiting, nil, &age); {
	case errors.Is(err, sql.ErrNoRows):
		return 0, nil
	case err != nil:
		return 0, s.Told(fmt.Errorf("read the outbox: %w", err))
	}
	return max(1, time.Duration(age)) * time.Microsecond, nil
}

// MarkPublished implements [orders.Outbox].
func (s *Store) MarkPublished(ctx context.Context, rows []string) error {
	if len(rows) == 0 {
		return nil
	}
	_, err := s.outboxWrite(ctx, markPublished, rows)
	return err
}

// PublishAgain implements [orders.Outbox].
func (s *Store) PublishAgain(ctx context.Context, before time.Time) (int, error) {
	return s.outboxWrite(ctx, publishAgain, before.UnixMicro())
}

// DropPublished implements [orders.Outbox].
func (s *Store) DropPublished(ctx context.Context, limit int) (int, error) {
	return s.outboxWrite(ctx, dropPublished, orders.OutboxKept.Microseconds(), int64(store.PageSize(limit)))
}

func (s *Store) outboxWrite(ctx context.Context, text string, args ...any) (int, error) {
	n, err := s.pool.Exec(ctx, text, args...)
	if err != nil {
		return 0, s.Told(fmt.Errorf("write the outbox: %w", err))
	}
	return int(n), nil
}
