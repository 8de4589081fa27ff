package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"doorbell/orders/store"
)

// stragglersAfter is how long behind its end a day waits to be detached whole, before what has ended of it is moved by
// itself: something on it will not end.
const stragglersAfter = 48 * time.Hour

const (
	readEndedOf = `SELECT id, change_id FROM orders
	WHERE ended_at > 0 AND ended_at < $1 AND id >= $2 AND id < $3 ORDER BY ended_at LIMIT $4`
	// An order that was copied before, and changed since, is replaced by what it became.
	copyOrders = `INSERT INTO archive.orders (` + store.OrderColumns + `) SELECT ` + store.OrderColumns + ` FROM orders
	WHERE id = ANY($1) ON CONFLICT (id) DO UPDATE SET (` + store.OrderColumns + `) =
	(excluded.id, excluded.seq, excluded.change_id, excluded.status, excluded.payment_status, excluded.restaurant_id,
	excluded.customer_id, excluded.courier_id, excluded.shown_to_merchant, excluded.is_returning, excluded.ended_at,
	excluded.created_at, excluded.updated_at, excluded.doc)`
	copyEvents = `INSERT INTO archive.events (` + store.EventColumns + `) SELECT ` + store.EventColumns + ` FROM events
	WHERE order_id = ANY($1) ON CONFLICT (order_id, seq) DO NOTHING`
)

// Archive implements [orders.Store]. A day of which nothing runs any more, and all ended before t, is detached and kept
// as tables archive.orders_YYYYMMDD and archive.events_YYYYMMDD: that takes no time, whatever the day holds, so such a
// day counts whole, also beyond limit. Of a day on which something will not end, the others move to archive.orders and
// archive.events. They are copied first and deleted then, so a crash in between leaves them in both places, and the next
// call goes on.
func (s *Store) Archive(ctx context.Context, t time.Time, limit int) (n int, err error) {
	s.archives.Lock()
	defer s.archives.Unlock()
	limit = store.PageSize(limit)
	l, err := s.db.connect(ctx, forDDL)
	if err != nil {
		return 0, s.Told(err)
	}
	defer l.bye()
	days, err := partitionDays(ctx, l)
	for _, day := range days {
		end := day.AddDate(0, 0, 1)
		if err != nil || n >= limit || end.After(t) {
			break
		}
		moved, whole := 0, false
		if moved, whole, err = s.archiveDay(ctx, l, day, t); err == nil && !whole && t.Sub(end) >= stragglersAfter {
			moved, err = s.archiveEnded(ctx, day, t, limit-n)
		}
		n += moved
		if err != nil {
			err = fmt.Errorf("archive the orders of %s: %w", day.Format(time.DateOnly), err)
		}
	}
	return n, s.Told(err)
}

// archiveDay detaches a day if it may go whole. The orders go first: without them nothing is added to their events. It
// goes on where a call before was cut off.
func (s *Store) archiveDay(ctx context.Context, l *link, day, t time.Time) (n int, whole bool, err error) {
	orders, events := partitionName("orders", day), partitionName("events", day)
	at, err := partitionState(ctx, l, orders)
	if err != nil {
		return 0, false, err
	}
	if at == attached {
		open, err := anyOf(ctx, l, orders, t)
		if open || err != nil {
			return 0, false, err
		}
	}
	if err := detach(ctx, l, "orders", orders, at); err != nil {
		return 0, false, err
	}
	if at != absent {
		// Between the look and the detaching an order may have come in late.
		if open, err := anyOf(ctx, l, orders, t); err != nil {
			return 0, false, err
		} else if open {
			return 0, false, attach(ctx, l, "orders", orders, day)
		}
		if err := l.QueryRow(ctx, `SELECT COUNT(*) FROM `+orders).Scan(&n); err != nil {
			return 0, false, err
		}
		if n == 0 && !day.Before(dayOf(s.Clock()).AddDate(0, 0, -1)) {
			return 0, false, attach(ctx, l, "orders", orders, day) // made ahead for what is to come
		}
	}
	at, err = partitionState(ctx, l, events)
	if err != nil {
		return 0, false, err
	}
	if err := detach(ctx, l, "events", events, at); err != nil {
		return 0, false, err
	}
	return n, true, pgx.BeginFunc(ctx, l, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock($1)`, int64(partitionsLock)); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `DELETE FROM timers WHERE order_id >= $1 AND order_id < $2`, firstID(day), firstID(day.AddDate(0, 0, 1)))
		if err != nil {
			return err
		}
		for _, name := range []string{orders, events} {
			if err := moveToArchive(ctx, tx, name); err != nil {
				return err
			}
		}
		return nil
	})
}

// anyOf reports whether a partition has an order that runs, or ended at t or later.
func anyOf(ctx context.Context, l *link, name string, t time.Time) (yes bool, err error) {
	err = l.QueryRow(ctx, `SELECT EXISTS (SELECT 1 FROM `+name+` WHERE ended_at = 0)
		OR EXISTS (SELECT 1 FROM `+name+` WHERE ended_at > 0 AND ended_at >= $1)`, t.UnixMicro()).Scan(&yes)
	return yes, err
}

// detach takes a partition from its table without locking anybody out, or ends a detaching that was cut off.
func detach(ctx context.Context, l *link, table, name string, at state) error {
	how := "CONCURRENTLY"
	switch at {
	case absent, detached:
		return nil
	case detaching:
		how = "FINALIZE"
	}
	_, err := l.Exec(ctx, fmt.Sprintf(`ALTER TABLE %s DETACH PARTITION %s %s`, table, name, how))
	return err
}

func attach(ctx context.Context, l *link, table, name string, day time.Time) error {
	_, err := l.Exec(ctx, attachText(table, name, day))
	return err
}

// moveToArchive puts a detached table into the schema archive, with its primary key only. Where a table of that name is
// there already, since the day was archived before and more of it came in later, the rows go to the common table.
func moveToArchive(ctx context.Context, tx pgx.Tx, name string) error {
	switch at, err := partitionState(ctx, tx, name); {
	case err != nil:
		return err
	case at == absent:
		return nil
	case at != detached:
		return fmt.Errorf("%s is still in use", name)
	}
	var rows, taken bool
	err := tx.QueryRow(ctx, `SELECT EXISTS (SELECT 1 FROM `+name+`), to_regclass('archive.' || $1) IS NOT NULL`, name).Scan(&rows, &taken)
	if err != nil {
		return err
	}
	if rows && !taken {
		if err := dropIndexes(ctx, tx, name); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `ALTER TABLE `+name+` SET SCHEMA archive`)
		return err
	}
	if rows {
		table, _, _ := cutName(name)
		_, err = tx.Exec(ctx, `INSERT INTO archive.`+table+` SELECT * FROM `+name+` ON CONFLICT DO NOTHING`)
		if err != nil {
			return err
		}
	}
	_, err = tx.Exec(ctx, `DROP TABLE `+name)
	return err
}

// dropIndexes leaves a table its primary key.
func dropIndexes(ctx context.Context, tx pgx.Tx, name string) error {
	rows, err := tx.Query(ctx, `SELECT indexrelid::regclass::text FROM pg_index WHERE indrelid = $1::text::regclass AND NOT indisprimary`, name)
	if err != nil {
		return err
	}
	indexes, err := pgx.CollectRows(rows, pgx.RowTo[string])
	for _, index := range indexes {
		if _, err = tx.Exec(ctx, `DROP INDEX `+index); err != nil {
			break
		}
	}
	return err
}

// archiveEnded moves what has ended of a day, row by row.
func (s *Store) archiveEnded(ctx context.Context, day, t time.Time, limit int) (int, error) {
	var ended []store.Ended
	var ids []string
	args := []any{t.UnixMicro(), firstID(day), firstID(day.AddDate(0, 0, 1)), int64(limit)}
	err := s.pool.Each(ctx, readEndedOf, args, func(scan store.Scan) error {
		var e store.Ended
		if err := scan(&e.ID, &e.ChangeID); err != nil {
			return err
		}
		ended, ids = append(ended, e), append(ids, e.ID)
		return nil
	})
	if err != nil || len(ended) == 0 {
		return 0, err
	}
	for _, text := range []string{copyOrders, copyEvents} {
		if _, err := s.pool.Exec(ctx, text, ids); err != nil {
			return 0, err
		}
	}
	return s.DropEnded(ctx, ended)
}
