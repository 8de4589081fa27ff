package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

// Restore puts the backup src in the place of a data folder's database. It refuses while a server uses the folder, and
// what is damaged, is no database of doorbell's, or needs a newer program. The database that was there stays beside the
// new one as orders.db.before-restore-<UTC time>. A crash leaves the old database or the new one, whole.
func Restore(ctx context.Context, src, dataDir string) (err error) {
	dir, err := makeFolder(dataDir)
	if err != nil {
		return err
	}
	lock, err := lockDir(dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()

	tmp, err := copyIn(src, dir)
	if err != nil {
		return fmt.Errorf("copy %s into the data folder: %w", src, err)
	}
	defer func() { _ = os.Remove(tmp) }() // gone already if all went well
	if err := checkDatabase(ctx, tmp); err != nil {
		return fmt.Errorf("%s cannot be restored: %w", src, err)
	}
	if err := setAside(ctx, dir); err != nil {
		return fmt.Errorf("keep the database that is there: %w", err)
	}
	if err := os.Rename(tmp, filepath.Join(dir, DatabaseFile)); err != nil {
		return fmt.Errorf("put the backup in place: %w", err)
	}
	return syncPath(dir)
}

// copyIn copies the backup to a file of its own in the data folder, fsynced.
func copyIn(src, dir string) (path string, err error) {
	in, err := os.Open(src)
	if err != nil {
		return "", err
	}
	defer func() { _ = in.Close() }()
	out, err := os.CreateTemp(dir, DatabaseFile+".restoring-*") // mode 0600
	if err != nil {
		return "", err
	}
	_, err = io.Copy(out, in)
	if err == nil {
		err = out.Sync()
	}
	if err = errors.Join(err, out.Close()); err != nil {
		_ = os.Remove(out.Name())
		return "", err
	}
	return out.Name(), nil
}

// checkDatabase says what is wrong with a database file that nobody uses.
func checkDatabase(ctx context.Context, path string) (err error) {
	db, err := sql.Open("sqlite", dsn(path, "rw")+"&_query_only=1")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	var verdict string
	if err := db.QueryRowContext(ctx, `PRAGMA quick_check(1)`).Scan(&verdict); err != nil {
		return fmt.Errorf("it is damaged or no database: %w", err)
	}
	if verdict != "ok" {
		return fmt.Errorf("it is damaged: %s", verdict)
	}
	needs, err := needsLevel(ctx, db)
	if err != nil {
		return err
	}
	if needs == 0 {
		return errors.New("it is not a database of doorbell's")
	}
	if err := checkLevel(ctx, db); err != nil {
		return err
	}
	_, err = db.ExecContext(ctx, `SELECT 1 FROM orders LIMIT 1`)
	return err
}

// setAside gives the database that is there a second name and takes its side files away.
func setAside(ctx context.Context, dir string) error {
	live := filepath.Join(dir, DatabaseFile)
	old := live + ".before-restore-" + time.Now().UTC().Format("20060102T150405.000000Z")
	// What is committed but only in the WAL goes into the file, so that the kept file is all there is. A database too
	// broken for that keeps its WAL under the name that belongs to the kept file.
	folded := foldWAL(ctx, live)
	switch err := os.Link(live, old); {
	case errors.Is(err, os.ErrNotExist):
	case err != nil:
		return err
	}
	if folded != nil {
		if err := os.Rename(live+"-wal", old+"-wal"); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	for _, side := range []string{"-wal", "-shm"} { // they belong to the old file and would be taken for the new one's
		if err := os.Remove(live + side); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return syncPath(dir)
}

// foldWAL moves everything from a database's WAL into its file.
func foldWAL(ctx context.Context, path string) (err error) {
	if _, err := os.Stat(path + "-wal"); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	db, err := sql.Open("sqlite", dsn(path, "rw", "synchronous(FULL)"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	var busy, inWAL, moved int
	if err := db.QueryRowContext(ctx, `PRAGMA wal_checkpoint(TRUNCATE)`).Scan(&busy, &inWAL, &moved); err != nil {
		return err
	}
	if busy != 0 {
		return errors.New("the WAL is in use")
	}
	return nil
}
