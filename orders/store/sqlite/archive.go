package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"doorbell/orders"
	"doorbell/orders/store"
)

// Archive implements [orders.Store]. Orders go to archive/YYYY-MM-DD.db in the data folder, by the day (UTC) in their
// id, with the columns they had here. They are copied and fsynced first and deleted then, so a crash in between leaves
// them in both places, and the next call writes the same rows again and deletes. An order that was changed after it was
// copied stays for the next call. One call moves at most 1000 orders.
func (s *Store) Archive(ctx context.Context, t time.Time, limit int) (int, error) {
	s.archives.Lock()
	defer s.archives.Unlock()
	days, err := s.endedBefore(ctx, t, store.PageSize(limit))
	if err != nil {
		return 0, s.Told(err)
	}
	moved := 0
	for day, ended := range days {
		if err := copyDay(ctx, s.dir, day, ended); err != nil {
			return moved, s.Told(fmt.Errorf("copy orders of %s to the archive: %w", day, err))
		}
		n, err := s.dropEnded(ctx, ended)
		moved += n
		if err != nil {
			return moved, err
		}
	}
	return moved, nil
}

// How many columns the archived tables have.
const (
	orderColumns = 14
	eventColumns = 8
)

// endedOrder is an order's row and its events' rows, as they are.
type endedOrder struct {
	id, changeID string
	row          []any
	events       [][]any
}

// endedBefore reads orders that ended before t, by day.
func (s *Store) endedBefore(ctx context.Context, t time.Time, limit int) (map[string][]endedOrder, error) {
	var all []endedOrder
	err := s.reader.Each(ctx, store.ReadEnded, []any{t.UnixMicro(), limit}, func(scan store.Scan) error {
		row, err := scanRow(scan, orderColumns)
		if err != nil {
			return err
		}
		all = append(all, endedOrder{id: row[0].(string), changeID: row[2].(string), row: row})
		return nil
	})
	if err != nil {
		return nil, err
	}
	days := map[string][]endedOrder{}
	for _, e := range all {
		err := s.reader.Each(ctx, readEventRows, []any{e.id}, func(scan store.Scan) error {
			row, err := scanRow(scan, eventColumns)
			e.events = append(e.events, row)
			return err
		})
		if err != nil {
			return nil, err
		}
		day := orders.PlacedAt(e.id).Format(time.DateOnly)
		days[day] = append(days[day], e)
	}
	return days, nil
}

// scanRow is a row's values as the driver gives them.
func scanRow(scan store.Scan, columns int) ([]any, error) {
	row, into := make([]any, columns), make([]any, columns)
	for i := range row {
		into[i] = &row[i]
	}
	return row, scan(into...)
}

// copyDay writes orders into their day's file. Writing them again changes nothing.
func copyDay(ctx context.Context, dir, day string, ended []endedOrder) (err error) {
	db, err := openDay(ctx, dir, day)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	for _, e := range ended {
		if _, err := tx.ExecContext(ctx, archiveOrder, e.row...); err != nil {
			return err
		}
		for _, row := range e.events {
			if _, err := tx.ExecContext(ctx, archiveEvent, row...); err != nil {
				return err
			}
		}
	}
	return tx.Commit()
}

// openDay opens a day's file, with its tables. synchronous=EXTRA: the folder is fsynced, too, when the journal goes, so
// that what was committed is there for good before anything is deleted here.
func openDay(ctx context.Context, dir, day string) (*sql.DB, error) {
	folder := filepath.Join(dir, archiveDir)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, err
	}
	if err := syncPath(dir); err != nil {
		return nil, err
	}
	path := filepath.Join(folder, day+".db")
	if err := makeFile(path); err != nil {
		return nil, err
	}
	db, err := sql.Open("sqlite", dsn(path, "rw", "journal_mode(DELETE)", "synchronous(EXTRA)")+"&_txlock=immediate")
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	if _, err := db.ExecContext(ctx, archiveTables); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// dropEnded deletes what was copied and counts what was deleted.
func (s *Store) dropEnded(ctx context.Context, copied []endedOrder) (int, error) {
	ended := make([]store.Ended, len(copied))
	for i, e := range copied {
		ended[i] = store.Ended{ID: e.id, ChangeID: e.changeID}
	}
	return s.DropEnded(ctx, ended)
}
