package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Backup copies this store's database, see [Backup].
func (s *Store) Backup(ctx context.Context, dst string) error { return Backup(ctx, s.dir, dst) }

// Backup writes the database of a data folder to the new file dst, as it stands at one moment, compacted and fsynced. It
// needs no lock: the folder's server, in this process or another, goes on. A file that is there is not overwritten, and
// a backup that fails leaves none. The day files of the archive are not part of it; they can be copied as they are.
func Backup(ctx context.Context, dataDir, dst string) (err error) {
	src := filepath.Join(dataDir, DatabaseFile)
	if _, err := os.Stat(src); err != nil {
		return fmt.Errorf("there is no database to back up: %w", err)
	}
	if _, err := os.Lstat(dst); err == nil {
		return fmt.Errorf("%s is there already: name a new file, a backup overwrites nothing", dst)
	}
	tmp, err := os.CreateTemp(filepath.Dir(dst), filepath.Base(dst)+".partial-*") // mode 0600
	if err != nil {
		return fmt.Errorf("make the backup: %w", err)
	}
	defer func() { _ = os.Remove(tmp.Name()) }()
	if err := tmp.Close(); err != nil {
		return err
	}
	if err := vacuumInto(ctx, src, tmp.Name()); err != nil {
		return fmt.Errorf("make the backup: %w", err)
	}
	if err := syncPath(tmp.Name()); err != nil {
		return err
	}
	if err := os.Link(tmp.Name(), dst); err != nil { // unlike a rename, refuses what has come to be there
		return fmt.Errorf("put the backup in place: %w", err)
	}
	return syncPath(filepath.Dir(dst))
}

// vacuumInto writes a compact copy of a database, in one read transaction, into an empty file.
func vacuumInto(ctx context.Context, src, dst string) (err error) {
	abs, err := filepath.Abs(src)
	if err != nil {
		return err
	}
	if dst, err = filepath.Abs(dst); err != nil {
		return err
	}
	db, err := sql.Open("sqlite", dsn(abs, "rw", "wal_autocheckpoint(0)"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	_, err = db.ExecContext(ctx, `VACUUM INTO $1`, dst)
	return err
}
