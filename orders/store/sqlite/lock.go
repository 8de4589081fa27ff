//go:build unix

package sqlite

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// lockFile is the file in the data folder whose lock says that a process works there. It is never removed: the lock
// counts, not the file.
const lockFile = "doorbell.lock"

// lockDir locks the data folder for this process, until the file is closed or the process is gone, however it ended.
func lockDir(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, lockFile), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock the data folder: %w", err)
	}
	switch err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); {
	case errors.Is(err, syscall.EWOULDBLOCK):
		_ = f.Close()
		return nil, fmt.Errorf("the data folder %s is in use by another doorbell: stop that one, "+
			"or give this one a folder of its own (several nodes share a Postgres, not a folder)", dir)
	case err != nil:
		_ = f.Close()
		return nil, fmt.Errorf("lock the data folder %s: %w", dir, err)
	}
	return f, nil
}
