package postgres

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"doorbell/hub/bus/proxytest"
	"doorbell/orders/store/pgtest"
	"doorbell/orders/store/storetest"
)

// open opens a store and closes it.
func open(ctx context.Context, url string) error {
	s, err := Open(ctx, Config{URL: url, Node: "n"})
	if err == nil {
		err = s.Close()
	}
	return err
}

// TestTwoNodesMayStartAtOnce on an empty database.
func TestTwoNodesMayStartAtOnce(t *testing.T) {
	url := shared.Database(t)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() { opened(t, url) })
	}
	wg.Wait()
	if n := number(t, url, `SELECT COUNT(*) FROM goose_db_version WHERE is_applied AND version_id > 0`); n != schemaLevel {
		t.Errorf("%d migrations were run", n)
	}
	eventually(t, "no lock is left", 5*time.Second, func() bool { return number(t, url, locksOfMigrations) == 0 })
}

func TestSchemaLevels(t *testing.T) {
	url := shared.Database(t)
	if err := open(t.Context(), url); err != nil {
		t.Fatal(err)
	}
	execute(t, url, `ALTER TABLE orders ADD COLUMN later TEXT`)
	execute(t, url, `INSERT INTO goose_db_version (version_id, is_applied) VALUES ($1, true), ($1 + 1, true)`, schemaLevel+1)
	s := opened(t, url)
	running(t, s)
	place(t, s, storetest.Draft{})
	execute(t, url, `UPDATE meta SET value = 99 WHERE name = 'needs'`)
	if err := open(t.Context(), url); err == nil || !strings.Contains(err.Error(), "start the doorbell that used it last") {
		t.Errorf("got %v", err)
	}
	execute(t, url, `DELETE FROM meta`)
	if err := open(t.Context(), url); err == nil || !strings.Contains(err.Error(), "not one of doorbell's") {
		t.Errorf("got %v", err)
	}
}

// TestUpgradeLeavesWhatIsThere, also what a newer program added, and databases that do not have goose's own first row.
func TestUpgradeLeavesWhatIsThere(t *testing.T) {
	url := shared.Database(t)
	s := opened(t, url)
	running(t, s)
	o := place(t, s, storetest.Draft{})
	execute(t, url, `DELETE FROM goose_db_version WHERE version_id = 0`)
	execute(t, url, `INSERT INTO goose_db_version (version_id, is_applied) VALUES ($1, true)`, schemaLevel+1)
	l, err := s.db.connect(t.Context(), forDDL)
	if err != nil {
		t.Fatal(err)
	}
	defer l.bye()
	if err := upgrade(t.Context(), l); err != nil {
		t.Error(err)
	}
	if level, err := checkLevel(t.Context(), l); level != schemaLevel+1 || err != nil {
		t.Errorf("level %d, %v", level, err)
	}
	if _, err := s.Order(t.Context(), o.ID); err != nil {
		t.Error(err)
	}
}

func TestAFailedMigrationNamesItsLevel(t *testing.T) {
	url := shared.Database(t)
	execute(t, url, `CREATE TABLE orders (id TEXT)`)
	err := open(t.Context(), url)
	if err == nil || !strings.Contains(err.Error(), "migrate the database to level 1: ") || !strings.Contains(err.Error(), `"orders" already exists`) {
		t.Errorf("got %v", err)
	}
	if n := number(t, url, `SELECT COUNT(*) FROM pg_tables WHERE tablename = 'meta'`); n != 0 {
		t.Error("the half of it was kept")
	}
	execute(t, url, `DROP TABLE orders`)
	opened(t, url)
}

var (
	migrationsLockText = strconv.Itoa(migrationsLock)
	// locksOfMigrations counts who has the lock of migrations.
	locksOfMigrations = `SELECT COUNT(*) FROM pg_locks WHERE locktype = 'advisory'
		AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
		AND (classid::bigint << 32 | objid::bigint) = ` + migrationsLockText
)

const (
	// askingNodes counts the nodes that ask for it again and again.
	askingNodes = `SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database()
		AND query = 'SELECT pg_try_advisory_lock($1)' AND application_name LIKE 'doorbell %'`
	// stuckMigrations counts migrations that wait for somebody's transaction.
	stuckMigrations = `SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database()
		AND query LIKE '%CREATE TABLE meta%' AND wait_event_type = 'Lock'`
)

// TestAMigrationIsWaitedForAndGivenUp: whether another node migrates, or a migration waits for somebody, a node waits
// for as long as the server answers. Its caller's end, or the server's silence, ends that soon, and leaves nothing.
func TestAMigrationIsWaitedForAndGivenUp(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, block, waits string }{
		{"AnotherNodeMigrates", `SELECT pg_advisory_xact_lock(` + migrationsLockText + `)`, askingNodes},
		{"AMigrationWaits", `CREATE TABLE meta ()`, stuckMigrations},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			url := shared.Database(t)
			proxy := proxytest.New(t, shared.Addr())
			_, name, _ := strings.Cut(strings.TrimPrefix(url, "postgres://"), "/")
			name, _, _ = strings.Cut(name, "?")
			tx, err := connected(t, url).Begin(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if _, err := tx.Exec(t.Context(), c.block); err != nil {
				t.Fatal(err)
			}
			watch := connected(t, url)
			waiting := func() bool {
				var n int
				if err := watch.QueryRow(t.Context(), c.waits).Scan(&n); err != nil {
					t.Error(err)
				}
				return n > 0
			}
			opening := func(ctx context.Context) <-chan error {
				answer := make(chan error, 1)
				go func() { answer <- open(ctx, pgtest.URLAt(proxy.Addr(), name)) }()
				eventually(t, "it waits", 10*time.Second, waiting)
				return answer
			}
			answered := func(answer <-chan error, within time.Duration) (err error) {
				t.Helper()
				start := time.Now()
				select {
				case err = <-answer:
				case <-time.After(20 * time.Second):
					t.Fatal("Open hangs")
				}
				d := time.Since(start)
				t.Logf("after %v: %v", d, err)
				if d > within {
					t.Errorf("Open took another %v", d)
				}
				return err
			}

			ctx, cancel := context.WithCancelCause(t.Context())
			answer := opening(ctx)
			stopped := errors.New("the node is to stop")
			cancel(stopped)
			if err := answered(answer, 3*time.Second); !errors.Is(err, stopped) {
				t.Errorf("a caller that left was told %v", err)
			}
			eventually(t, "the server has given it up, too", 5*time.Second, func() bool { return !waiting() })

			answer = opening(t.Context())
			proxy.BlackHole()
			if err := answered(answer, 8*time.Second); err == nil {
				t.Error("opened through a black hole")
			}
			proxy.Heal()

			answer = opening(t.Context())
			if err := tx.Rollback(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := answered(answer, 10*time.Second); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestANodeStartsWhileTablesAreLocked, as a restore locks them for longer than a lock is waited for.
func TestANodeStartsWhileTablesAreLocked(t *testing.T) {
	t.Parallel()
	url := shared.Database(t)
	opened(t, url)
	tx, err := connected(t, url).Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), `LOCK TABLE goose_db_version IN ACCESS EXCLUSIVE MODE`); err != nil {
		t.Fatal(err)
	}
	answer := make(chan error, 1)
	go func() { answer <- open(t.Context(), url) }()
	watch := connected(t, url)
	tries := map[time.Time]bool{}
	eventually(t, "it tries again", 10*time.Second, func() bool {
		var since time.Time
		err := watch.QueryRow(t.Context(), `SELECT query_start FROM pg_stat_activity WHERE datname = current_database()
			AND wait_event_type = 'Lock' AND query LIKE '%goose_db_version%'`).Scan(&since)
		if err == nil {
			tries[since] = true
		}
		return len(tries) > 1
	})
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-answer; err != nil {
		t.Error(err)
	}
}

// TestAStoppedNodeDoesNotKeepOthersFromMigrating: the server ends the session of one that has the lock and does nothing.
func TestAStoppedNodeDoesNotKeepOthersFromMigrating(t *testing.T) {
	t.Parallel()
	url := shared.Database(t)
	base, err := parseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	stopped := openHandle(base)
	defer stopped.close()
	if err := stopped.db.PingContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := number(t, url, locksOfMigrations); n != 1 {
		t.Fatalf("%d locks", n)
	}
	d := took(func() { opened(t, url) })
	t.Logf("opened after %v", d)
	if d > 2*idleTimeout {
		t.Errorf("it waited for %v", d)
	}
}
