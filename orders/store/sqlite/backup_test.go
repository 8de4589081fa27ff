package sqlite

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"doorbell/orders"
	"doorbell/orders/store/storetest"
)

func TestBackup(t *testing.T) {
	t.Run("IsWholeWhileOrdersAreWritten", func(t *testing.T) {
		s := opened(t)
		running(t, s)
		first := place(t, s, storetest.Draft{})
		stop := make(chan struct{})
		var wg sync.WaitGroup
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					o, ev := storetest.Place(t, storetest.Draft{})
					if err := s.Commit(context.Background(), storetest.Change(orders.Order{}, o, ev)); err != nil {
						t.Error(err)
						return
					}
				}
			}
		})
		dst := filepath.Join(t.TempDir(), "copy.db")
		err := s.Backup(t.Context(), dst)
		close(stop)
		wg.Wait()
		if err != nil {
			t.Fatal(err)
		}
		if err := checkDatabase(t.Context(), dst); err != nil {
			t.Error(err)
		}
		if info, err := os.Stat(dst); err != nil || info.Mode() != 0o600 {
			t.Errorf("mode %v, %v", info.Mode(), err)
		}
		if left, _ := filepath.Glob(dst + "?*"); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
		db, err := openReaders(dst)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = db.Close() }()
		var orders, eventless int
		err = db.QueryRow(`SELECT COUNT(*), SUM(NOT EXISTS (SELECT 1 FROM events WHERE order_id = id)) FROM orders
			WHERE $1 IN (SELECT id FROM orders)`, first.ID).Scan(&orders, &eventless)
		if err != nil || orders == 0 || eventless != 0 {
			t.Errorf("%d orders, %d without events, %v", orders, eventless, err)
		}
	})
	t.Run("OverwritesNothing", func(t *testing.T) {
		s := opened(t)
		dst := filepath.Join(t.TempDir(), "copy.db")
		if err := os.WriteFile(dst, []byte("precious"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := s.Backup(t.Context(), dst); err == nil || !strings.Contains(err.Error(), "there already") {
			t.Errorf("got %v", err)
		}
		if b, _ := os.ReadFile(dst); string(b) != "precious" {
			t.Errorf("now there is %q", b)
		}
	})
	t.Run("OfNoDatabaseIsAnError", func(t *testing.T) {
		dir := t.TempDir()
		if err := Backup(t.Context(), dir, filepath.Join(dir, "copy.db")); err == nil {
			t.Error("made a backup of nothing")
		}
		if files, _ := os.ReadDir(dir); len(files) > 0 {
			t.Errorf("left behind: %v", files)
		}
	})
}

func TestRestore(t *testing.T) {
	// A closed folder with an order and a second one that came after the backup.
	prepare := func(t *testing.T) (dir, backup string, before, after orders.Order) {
		t.Helper()
		s := opened(t)
		stop := running(t, s)
		before = place(t, s, storetest.Draft{})
		backup = filepath.Join(t.TempDir(), "backup.db")
		if err := Backup(t.Context(), s.dir, backup); err != nil {
			t.Fatal(err)
		}
		after = place(t, s, storetest.Draft{})
		if err := Restore(t.Context(), backup, s.dir); err == nil || !strings.Contains(err.Error(), "stop that one") {
			t.Errorf("restored under a running store: %v", err)
		}
		stop()
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		return s.dir, backup, before, after
	}
	has := func(t *testing.T, s *Store, o orders.Order, want bool) {
		t.Helper()
		if _, err := s.Order(t.Context(), o.ID); (err == nil) != want {
			t.Errorf("order %s: %v, want it there: %t", o.ID, err, want)
		}
	}
	// kept opens what Restore set aside, in a folder of its own.
	kept := func(t *testing.T, dir string) *Store {
		t.Helper()
		files, _ := filepath.Glob(filepath.Join(dir, "orders.db.before-restore-*Z"))
		if len(files) != 1 {
			t.Fatalf("kept: %v", files)
		}
		as := t.TempDir()
		for _, side := range []string{"", "-wal"} {
			if err := os.Rename(files[0]+side, filepath.Join(as, DatabaseFile+side)); err != nil && side == "" {
				t.Fatal(err)
			}
		}
		return openedIn(t, as)
	}
	t.Run("BringsTheBackupBackAndKeepsWhatWasThere", func(t *testing.T) {
		dir, backup, before, after := prepare(t)
		if err := Restore(t.Context(), backup, dir); err != nil {
			t.Fatal(err)
		}
		s := openedIn(t, dir)
		has(t, s, before, true)
		has(t, s, after, false)
		old := kept(t, dir)
		has(t, old, before, true)
		has(t, old, after, true)
		if left, _ := filepath.Glob(filepath.Join(dir, "*restoring*")); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
	})
	t.Run("KeepsWhatACrashLeftInTheWAL", func(t *testing.T) {
		s := opened(t)
		running(t, s)
		o := place(t, s, storetest.Draft{})
		crashed := t.TempDir() // the files as a kill would leave them
		for _, f := range []string{DatabaseFile, DatabaseFile + "-wal", DatabaseFile + "-shm"} {
			b, err := os.ReadFile(filepath.Join(s.dir, f))
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(crashed, f), b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		_, backup, before, _ := prepare(t)
		if err := Restore(t.Context(), backup, crashed); err != nil {
			t.Fatal(err)
		}
		has(t, kept(t, crashed), o, true)
		restored := openedIn(t, crashed)
		has(t, restored, before, true)
		has(t, restored, o, false)
	})
	t.Run("IntoAnEmptyFolder", func(t *testing.T) {
		_, backup, before, _ := prepare(t)
		dir := filepath.Join(t.TempDir(), "new")
		if err := Restore(t.Context(), backup, dir); err != nil {
			t.Fatal(err)
		}
		has(t, openedIn(t, dir), before, true)
	})
	t.Run("RefusesWhatIsNoBackup", func(t *testing.T) {
		dir, backup, _, after := prepare(t)
		whole, err := os.ReadFile(backup)
		if err != nil {
			t.Fatal(err)
		}
		broken := append([]byte{}, whole...)
		for i := 4096; i < len(broken); i += 7 {
			broken[i] ^= 0x5a
		}
		for name, content := range map[string][]byte{
			"empty": nil, "text": []byte("not a database, but long enough to be looked at, twice"), "broken": broken,
			"cut": whole[:len(whole)/2/4096*4096],
		} {
			src := filepath.Join(t.TempDir(), name)
			if err := os.WriteFile(src, content, 0o600); err != nil {
				t.Fatal(err)
			}
			if err := Restore(t.Context(), src, dir); err == nil {
				t.Errorf("%s was restored", name)
			} else {
				t.Log(err)
			}
		}
		has(t, openedIn(t, dir), after, true)
		if left, _ := filepath.Glob(filepath.Join(dir, "orders.db.*")); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
	})
}
