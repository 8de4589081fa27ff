package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"doorbell/orders"
)

const (
	// daysAhead is how many days beyond today have their partitions made: time to mend what keeps them from being made.
	daysAhead = 7
	// partitionsEvery is the pause between looks.
	partitionsEvery = time.Hour
	// partitionsLock is the advisory lock of whoever makes or moves partitions.
	partitionsLock = 0x646f6f72_70617274
)

// partitioned are the tables with a partition for each day, and what a partition is made WITH. Of an order's row the
// next version goes to the same page while there is room, and then no index is written; documents stay in the row as
// long as they fit a page, since the half of them that is a little over 2 KiB would be compressed again at each change.
var partitioned = []struct{ table, with string }{
	{"orders", "fillfactor = 60, toast_tuple_target = 8160, autovacuum_vacuum_scale_factor = 0.1"},
	{"events", "toast_tuple_target = 8160"},
}

// dayOf is the day (UTC) that a time lies in.
func dayOf(t time.Time) time.Time { return t.UTC().Truncate(24 * time.Hour) }

// firstID is what sorts before every id of an order placed at or after t, and behind all before.
func firstID(t time.Time) string {
	return orders.NewID(t)[:len(orders.IDPrefix)+len("01234567-89ab")]
}

// partitionName is the name of a table's partition for a day.
func partitionName(table string, day time.Time) string { return table + "_" + day.Format("20060102") }

// partitions makes them.
type partitions struct {
	db *connector
	mu sync.Mutex // one at a time: the others then find what they need
}

// makeAhead makes those of yesterday, today and the days to come.
func (p *partitions) makeAhead(ctx context.Context, now time.Time) error {
	var days []time.Time
	for d := -1; d <= daysAhead; d++ {
		days = append(days, dayOf(now).AddDate(0, 0, d))
	}
	return p.make(ctx, days)
}

// make makes the partitions of some days where they are not there. Nobody who reads or writes waits for it.
func (p *partitions) make(ctx context.Context, days []time.Time) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	l, err := p.db.connect(ctx, forDDL)
	if err != nil {
		return err
	}
	defer l.bye()
	return pgx.BeginFunc(ctx, l, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock($1)`, int64(partitionsLock)); err != nil {
			return err
		}
		for _, day := range days {
			for _, t := range partitioned {
				if err := makePartition(ctx, tx, t.table, t.with, day); err != nil {
					return fmt.Errorf("make the partition of %s for %s: %w", t.table, day.Format(time.DateOnly), err)
				}
			}
		}
		return nil
	})
}

// reach is the last day that has a partition.
func (p *partitions) reach(ctx context.Context) (last time.Time, err error) {
	l, err := p.db.connect(ctx, forDDL)
	if err != nil {
		return last, err
	}
	defer l.bye()
	days, err := partitionDays(ctx, l)
	if n := len(days); n > 0 {
		last = days[n-1]
	}
	return last, err
}

// makePartition makes one and attaches it then: unlike CREATE … PARTITION OF that locks nobody out.
func makePartition(ctx context.Context, tx pgx.Tx, table, with string, day time.Time) error {
	name := partitionName(table, day)
	switch state, err := partitionState(ctx, tx, name); {
	case err != nil:
		return err
	case state == attached:
		return nil
	case state == detached: // an archiving that was cut off; see archive.go
		if err := moveToArchive(ctx, tx, name); err != nil {
			return err
		}
	}
	_, err := tx.Exec(ctx, fmt.Sprintf(`CREATE TABLE %s (LIKE %s INCLUDING ALL) WITH (%s)`, name, table, with))
	if err == nil {
		_, err = tx.Exec(ctx, attachText(table, name, day))
	}
	return err
}

func attachText(table, name string, day time.Time) string {
	return fmt.Sprintf(`ALTER TABLE %s ATTACH PARTITION %s FOR VALUES FROM ('%s') TO ('%s')`,
		table, name, firstID(day), firstID(day.AddDate(0, 0, 1)))
}

// state is how a partition's table stands to its parent.
type state int

const (
	absent state = iota
	detached
	detaching // a DETACH CONCURRENTLY was cut off
	attached
)

// querier is a connection or a transaction.
type querier interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

func partitionState(ctx context.Context, q querier, name string) (state, error) {
	var child, pending bool
	err := q.QueryRow(ctx, `SELECT i.inhrelid IS NOT NULL, COALESCE(i.inhdetachpending, false)
		FROM (SELECT to_regclass($1) AS oid) c LEFT JOIN pg_inherits i ON i.inhrelid = c.oid WHERE c.oid IS NOT NULL`,
		name).Scan(&child, &pending)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return absent, nil
	case err != nil:
		return absent, err
	case pending:
		return detaching, nil
	case child:
		return attached, nil
	}
	return detached, nil
}

// partitionDays are the days that have a table of orders here, attached or not, oldest first.
func partitionDays(ctx context.Context, l *link) (days []time.Time, err error) {
	rows, err := l.Query(ctx, `SELECT c.relname FROM pg_class c
		WHERE c.relkind = 'r' AND c.relname ~ '^(orders|events)_[0-9]{8}$' AND pg_table_is_visible(c.oid)
		ORDER BY right(c.relname, 8)`)
	if err != nil {
		return nil, err
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	for _, name := range names {
		if _, day, ok := cutName(name); ok && (len(days) == 0 || !days[len(days)-1].Equal(day)) {
			days = append(days, day)
		}
	}
	return days, err
}

// cutName is the table and the day that a partition is named for.
func cutName(name string) (table string, day time.Time, ok bool) {
	table, date, _ := strings.Cut(name, "_")
	day, err := time.Parse("20060102", date)
	return table, day, err == nil
}
