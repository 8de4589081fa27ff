package sqlite

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// DatabaseFile is the name of the live database in the data folder.
const DatabaseFile = "orders.db"

// archiveDir is the folder of the day files in the data folder.
const archiveDir = "archive"

// makeFolder makes the data folder if it is not there. Foreign files in it are left alone.
func makeFolder(dir string) (abs string, err error) {
	if dir == "" {
		return "", errors.New("a store needs a data folder: name one")
	}
	if abs, err = filepath.Abs(dir); err != nil {
		return "", err
	}
	if err := os.MkdirAll(abs, 0o700); err != nil {
		return "", fmt.Errorf("make the data folder: %w", err)
	}
	return abs, nil
}

// makeFile makes an empty file that only its owner reads; SQLite gives its side files the same rights. A file that is
// there stays as it is.
func makeFile(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, os.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return syncPath(filepath.Dir(path))
}

// syncPath makes a file's contents, or a folder's list of names, survive power loss.
func syncPath(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	err = f.Sync()
	return errors.Join(err, f.Close())
}
