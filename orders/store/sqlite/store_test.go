package sqlite

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"doorbell/orders"
	"doorbell/orders/store/storetest"
)

// running starts the store; the returned function ends it.
func running(t *testing.T, s *Store) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := s.Run(ctx); err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	stop = sync.OnceFunc(func() { cancel(); wg.Wait() })
	t.Cleanup(stop)
	return stop
}

// place stores a new order.
func place(t *testing.T, s *Store, d storetest.Draft) orders.Order {
	t.Helper()
	o, ev := storetest.Place(t, d)
	if err := s.Commit(t.Context(), storetest.Change(orders.Order{}, o, ev)); err != nil {
		t.Fatal(err)
	}
	return o
}

func TestStoreOpen(t *testing.T) {
	t.Run("MakesAPrivateFolderAndKeepsForeignFiles", func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "a", "data %41 ?#") // a name that a URI could mistake for something else
		s := openedIn(t, dir)
		running(t, s)
		place(t, s, storetest.Draft{})
		for name, want := range map[string]os.FileMode{".": 0o700 | os.ModeDir, "orders.db": 0o600, "orders.db-wal": 0o600, lockFile: 0o600} {
			info, err := os.Stat(filepath.Join(dir, name))
			if err != nil || info.Mode() != want {
				t.Errorf("%s: %v, %v, want %v", name, info.Mode(), err, want)
			}
		}
	})
	t.Run("RefusesASecondStoreInTheFolder", func(t *testing.T) {
		s := opened(t)
		_, err := Open(t.Context(), Config{Dir: s.dir})
		if err == nil || !strings.Contains(err.Error(), "stop that one") {
			t.Errorf("got %v", err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		openedIn(t, s.dir) // free again
	})
	t.Run("KeepsOrdersOverARestart", func(t *testing.T) {
		s := opened(t)
		stop := running(t, s)
		o := place(t, s, storetest.Draft{})
		stop()
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := openedIn(t, s.dir).Order(t.Context(), o.ID); err != nil {
			t.Error(err)
		}
	})
	t.Run("NeedsAFolder", func(t *testing.T) {
		if _, err := Open(t.Context(), Config{}); err == nil {
			t.Error("opened nowhere")
		}
	})
	t.Run("SyncsEveryCommit", func(t *testing.T) {
		s := opened(t)
		for pragma, want := range map[string]string{"synchronous": "2", "journal_mode": "wal", "page_size": "4096"} {
			var got string
			s.session.drop() // gives the one connection back
			if err := s.session.db.QueryRow(`PRAGMA ` + pragma).Scan(&got); err != nil || got != want {
				t.Errorf("%s is %s, %v, want %s", pragma, got, err, want)
			}
		}
		if _, err := s.reader.db.Exec(`DELETE FROM orders`); err == nil {
			t.Error("a reader could write")
		}
	})
	t.Run("RegistersItsMetricsUntilClose", func(t *testing.T) {
		r := prometheus.NewRegistry()
		for range 2 {
			s, err := Open(t.Context(), Config{Dir: t.TempDir(), Registerer: r})
			if err != nil {
				t.Fatal(err)
			}
			stop := running(t, s)
			place(t, s, storetest.Draft{})
			if got, err := r.Gather(); err != nil || len(got) < 4 {
				t.Errorf("gathered %v, %v", got, err)
			}
			stop()
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		}
	})
	t.Run("RunsOnce", func(t *testing.T) {
		s := opened(t)
		running(t, s)()
		if err := s.Run(t.Context()); err == nil {
			t.Error("ran twice")
		}
	})
}

// TestSchemaLevels keeps old and new programs apart where they must be, and together where they can.
func TestSchemaLevels(t *testing.T) {
	alter := func(t *testing.T, query string) (dir string) {
		t.Helper()
		s := opened(t)
		running(t, s)()
		s.session.drop()
		if _, err := s.session.db.Exec(query); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		return s.dir
	}
	t.Run("ADatabaseThatNeedsANewerProgramIsRefused", func(t *testing.T) {
		dir := alter(t, `UPDATE meta SET value = 99 WHERE name = 'needs'`)
		_, err := Open(t.Context(), Config{Dir: dir})
		if err == nil || !strings.Contains(err.Error(), "start the doorbell that used it last") {
			t.Errorf("got %v", err)
		}
		if lock, err := lockDir(dir); err != nil {
			t.Errorf("the folder stayed locked: %v", err)
		} else {
			_ = lock.Close()
		}
	})
	t.Run("ADatabaseThatWasOnlyAddedToIsAccepted", func(t *testing.T) {
		dir := alter(t, fmt.Sprintf(`ALTER TABLE orders ADD COLUMN later TEXT;
			INSERT INTO goose_db_version (version_id, is_applied) VALUES (%d, 1), (%d, 1)`, schemaLevel+1, schemaLevel+2))
		s := openedIn(t, dir)
		running(t, s)
		place(t, s, storetest.Draft{})
	})
	t.Run("ADatabaseOfAnOlderProgramIsBroughtUpToDate", func(t *testing.T) {
		dir := alter(t, `DROP TABLE tracks; DROP TABLE devices; DROP TABLE device_owners;
			DELETE FROM goose_db_version WHERE version_id = 3`)
		s := openedIn(t, dir)
		running(t, s)
		fix := orders.TrackFix{Order: orders.NewID(storetest.Start), Courier: "cou_1", At: storetest.Start}
		if err := s.AddTrack(t.Context(), []orders.TrackFix{fix}); err != nil {
			t.Error(err)
		}
	})
	t.Run("AForeignDatabaseIsLeftAlone", func(t *testing.T) {
		dir := alter(t, `DELETE FROM meta`)
		if _, err := Open(t.Context(), Config{Dir: dir}); err == nil || !strings.Contains(err.Error(), "not one of doorbell's") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("TheLevelIsTheNewestMigration", func(t *testing.T) {
		files, err := migrations.ReadDir("migrations")
		if err != nil || len(files) != schemaLevel {
			t.Errorf("%d migrations, %v, level %d", len(files), err, schemaLevel)
		}
	})
}

// TestAFullDisk lets SQLite itself run out of pages.
func TestAFullDisk(t *testing.T) {
	s := opened(t)
	limit := func(pages int) {
		t.Helper()
		if _, err := s.session.conn.ExecContext(t.Context(), pragmaText("max_page_count", pages)); err != nil {
			t.Fatal(err)
		}
	}
	limit(1) // the least: as many as there are
	ctx, cancel := context.WithCancel(t.Context())
	var run sync.WaitGroup
	run.Go(func() { _ = s.Run(ctx) })
	defer run.Wait()
	defer cancel()

	var placed []orders.Commit
	var full error
	for range 200 {
		o, ev := storetest.Place(t, storetest.Draft{})
		c := storetest.Change(orders.Order{}, o, ev)
		if full = s.Commit(ctx, c); full != nil {
			_, err := s.Order(ctx, o.ID)
			if ev, _ := s.Events(ctx, o.ID, 0, 10); orders.KindOf(err) != orders.NotFound || len(ev) > 0 {
				t.Errorf("half of the order is there: %v, %v", err, ev)
			}
			break
		}
		placed = append(placed, c)
	}
	if orders.KindOf(full) != orders.Unavailable || !strings.Contains(full.Error(), "full") {
		t.Fatalf("after %d orders: %v", len(placed), full)
	}
	for _, c := range placed {
		if _, err := s.Order(ctx, c.Order.ID); err != nil {
			t.Errorf("what was committed before: %v", err)
		}
	}
	_ = s.session.conn.Raw(func(any) error { return nil }) // the writer is idle: everybody was answered
	limit(1 << 30)
	place(t, s, storetest.Draft{})
	if err := s.Ready(ctx); err != nil {
		t.Errorf("not ready when there is room again: %v", err)
	}
}

// TestALockedDatabase holds the write lock from outside, as a foreign program could.
func TestALockedDatabase(t *testing.T) {
	s := opened(t)
	running(t, s)
	other, err := openWriter(filepath.Join(s.dir, DatabaseFile))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = other.Close() }()
	tx, err := other.Begin()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Ready(t.Context()); orders.KindOf(err) != orders.Unavailable {
		t.Errorf("ready while locked: %v", err)
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	place(t, s, storetest.Draft{})
}

// TestRunEndsWithWhatWaits: what was on the queue when Run is told to end is still committed.
func TestRunEndsWithWhatWaits(t *testing.T) {
	s := opened(t)
	const n = 600
	errs := make(chan error, n)
	for range n {
		o, ev := storetest.Place(t, storetest.Draft{})
		go func() { errs <- s.Commit(context.Background(), storetest.Change(orders.Order{}, o, ev)) }()
	}
	for s.Queued() < n {
		runtime.Gosched()
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Run(ctx); err != nil {
		t.Fatal(err)
	}
	for range n {
		if err := <-errs; err != nil {
			t.Fatal(err)
		}
	}
}

// TestArchiveAfterACrash leaves what a crash between copy and deletion leaves, with a change after it.
func TestArchiveAfterACrash(t *testing.T) {
	s := opened(t)
	running(t, s)
	o := place(t, s, storetest.Draft{})
	o, err := s.Order(t.Context(), o.ID)
	if err != nil {
		t.Fatal(err)
	}
	change := func(c orders.Command, by orders.Actor) {
		t.Helper()
		next, ev := storetest.Apply(t, o, c, by, o.UpdatedAt.Add(time.Minute))
		if err := s.Commit(t.Context(), storetest.Change(o, next, ev)); err != nil {
			t.Fatal(err)
		}
		if o, err = s.Order(t.Context(), o.ID); err != nil {
			t.Fatal(err)
		}
	}
	change(orders.Pay{Amount: o.Total, TransactionID: "tx_1"}, storetest.Payer)
	change(orders.Cancel{Reason: orders.Admin}, storetest.Ops)
	later := o.EndedAt.Add(time.Hour)
	days, err := s.endedBefore(t.Context(), later, 10)
	if err != nil || len(days) != 1 {
		t.Fatalf("%v, %v", days, err)
	}
	for day, ended := range days {
		if err := copyDay(t.Context(), s.dir, day, ended); err != nil {
			t.Fatal(err)
		}
		change(orders.RefundMade{Amount: o.Total, Reason: "cancelled"}, storetest.Payer)
		if n, err := s.dropEnded(t.Context(), ended); n != 0 || err != nil {
			t.Fatalf("dropped %d, %v: the copy lacks the refund", n, err)
		}
	}
	if n, err := s.Archive(t.Context(), later, 10); n != 1 || err != nil {
		t.Fatalf("archived %d, %v", n, err)
	}
	if got, ev := s.archived(t, o.ID); got.Seq != o.Seq || int64(len(ev)) != o.Seq || got.Payment.Refunded != o.Total {
		t.Errorf("archived %+v with %d events", got, len(ev))
	}
	if ev, err := s.Events(t.Context(), o.ID, 0, 10); len(ev) != 0 || err != nil {
		t.Errorf("left behind: %v, %v", ev, err)
	}
}

func pragmaText(name string, value int) string { return "PRAGMA " + pragma(name, value) }

// TestALockIsFreeAfterKill starts a process that locks a folder, kills it, and takes the folder.
func TestALockIsFreeAfterKill(t *testing.T) {
	if dir := os.Getenv("STORE_TEST_LOCK"); dir != "" {
		s, err := Open(t.Context(), Config{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		go func() { _ = s.Run(context.Background()) }()
		o, ev := storetest.Place(t, storetest.Draft{ID: os.Getenv("STORE_TEST_ID")})
		if err := s.Commit(t.Context(), storetest.Change(orders.Order{}, o, ev)); err != nil {
			t.Fatal(err)
		}
		os.Stdout.WriteString("committed\n")
		select {}
	}
	dir, id := t.TempDir(), orders.NewID(storetest.Start)
	cmd := exec.Command(os.Args[0], "-test.run=^TestALockIsFreeAfterKill$")
	cmd.Env = append(os.Environ(), "STORE_TEST_LOCK="+dir, "STORE_TEST_ID="+id)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line := make([]byte, len("committed\n"))
	if _, err := out.Read(line); err != nil || string(line) != "committed\n" {
		t.Errorf("the other process said %q, %v", line, err)
	}
	if _, err := Open(t.Context(), Config{Dir: dir}); err == nil {
		t.Error("two processes have the folder")
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	s := openedIn(t, dir)
	if _, err := s.Order(t.Context(), id); err != nil {
		t.Errorf("what was committed is gone after kill -9: %v", err)
	}
}
