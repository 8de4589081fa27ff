//go:build linux

package pgtest

import (
	"context"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// count reads one number from a database.
func count(t *testing.T, url, query string) (n int, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return 0, err
	}
	defer func() { _ = conn.Close(context.Background()) }()
	return n, conn.QueryRow(ctx, query).Scan(&n)
}

func TestServer(t *testing.T) {
	s := Start(t)
	url := s.Database(t)
	ctx := t.Context()
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Exec(ctx, `CREATE TABLE kept AS SELECT 7 AS n`); err != nil {
		t.Fatal(err)
	}
	_ = conn.Close(ctx)

	for _, end := range []func(testing.TB){s.Stop, s.Kill} {
		end(t)
		if _, err := count(t, url, `SELECT n FROM kept`); err == nil {
			t.Error("it answers though it has ended")
		}
		s.Start(t)
		if n, err := count(t, url, `SELECT n FROM kept`); n != 7 || err != nil {
			t.Errorf("after the end: %d, %v", n, err)
		}
	}
	s.Pause(t)
	if _, err := count(t, url, `SELECT n FROM kept`); err == nil {
		t.Error("it answers though it is paused")
	}
	s.Resume(t)
	if n, err := count(t, url, `SELECT n FROM kept`); n != 7 || err != nil {
		t.Errorf("after the pause: %d, %v", n, err)
	}

	pid := s.process.cmd.Process.Pid
	s.Close()
	if syscall.Kill(pid, 0) == nil {
		t.Error("it still runs")
	}
	if _, err := os.Stat(s.dir); err == nil {
		t.Error("its folder is still there")
	}
}

func TestSettingsReachTheServer(t *testing.T) {
	s := Start(t, "max_connections=17")
	if n, err := count(t, s.URL(), `SELECT current_setting('max_connections')::int`); n != 17 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
}

func TestABadSettingIsAnErrorWithTheServersWords(t *testing.T) {
	s, err := Open("no_such_setting=1")
	if err == nil {
		s.Close()
		t.Fatal("it started")
	}
	if !strings.Contains(err.Error(), "no_such_setting") {
		t.Error(err)
	}
}
