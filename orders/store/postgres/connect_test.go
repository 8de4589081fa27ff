package postgres

import (
	"errors"
	"strings"
	"testing"
	"time"

	"doorbell/orders"
	"doorbell/orders/store/pgtest"
	"doorbell/orders/store/storetest"
)

// TestP1_AServerThatIsSetOtherwiseByAReloadIsRefused: connections that exist do not go on as if nothing had happened.
func TestP1_AServerThatIsSetOtherwiseByAReloadIsRefused(t *testing.T) {
	server := pgtest.Start(t)
	url := server.Database(t)
	set := func(what string) {
		t.Helper()
		server.Exec(t, `ALTER SYSTEM SET `+what)
		server.Exec(t, `SELECT pg_reload_conf()`)
	}
	var log logged
	s := opened(t, url, log.to)
	running(t, s)
	for _, c := range []struct{ name, says string }{
		{"synchronous_commit", "set synchronous_commit = on"},
		{"fsync", "set fsync = on"},
	} {
		t.Run(c.name, func(t *testing.T) {
			eventually(t, "it works", 5*time.Second, func() bool { return works(t, s) })
			known := place(t, s, storetest.Draft{})
			stop := placing(t, s, 8) // callers are told Unavailable, or that their change is there
			set(c.name + ` = off`)
			d := took(func() {
				eventually(t, "changes are refused", 5*time.Second, func() bool {
					var says refusal
					err := tries(t, s)
					return orders.KindOf(err) == orders.Unavailable && errors.As(err, &says) && strings.Contains(says.Error(), c.says)
				})
			})
			if d > 1500*time.Millisecond {
				t.Errorf("refused only after %v", d)
			}
			for end := time.Now().Add(time.Second); time.Now().Before(end); {
				if err := tries(t, s); orders.KindOf(err) != orders.Unavailable {
					t.Fatalf("told %v", err)
				}
			}
			if err := s.Ready(t.Context()); orders.KindOf(err) != orders.Unavailable {
				t.Errorf("ready: %v", err)
			}
			if _, err := s.Order(t.Context(), known.ID); orders.KindOf(err) != orders.Unavailable {
				t.Errorf("a read: %v", err)
			}
			if n := strings.Count(log.String(), c.says); n == 0 {
				t.Errorf("the log says %s", log.String())
			}
			if _, err := Open(t.Context(), Config{URL: url, Node: "other"}); err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("another node was told %v", err)
			}
			set(c.name + ` = on`)
			back := took(func() { eventually(t, "it works again", 5*time.Second, func() bool { return works(t, s) }) })
			t.Logf("refused after %v, works again after %v", d, back)
			for id := range stop() {
				if _, err := s.Order(t.Context(), id); err != nil {
					t.Errorf("an acknowledged order: %v", err)
				}
			}
		})
	}
}

// TestP1_ASessionKeepsItsSynchronousCommit: a reload cannot lower what a session began with. The lock's follows, so that
// the guard sees it.
func TestP1_ASessionKeepsItsSynchronousCommit(t *testing.T) {
	server := pgtest.Start(t)
	s := opened(t, server.Database(t)) // and nobody looks
	links := map[use]*link{}
	for _, u := range []use{forReads, forWrites, forDDL, forLock} {
		l, err := s.db.connect(t.Context(), u)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(l.drop)
		links[u] = l
	}
	// Another setting is changed with it: it tells when a session has read both.
	server.Exec(t, `ALTER SYSTEM SET work_mem = '5MB'`)
	server.Exec(t, `ALTER SYSTEM SET synchronous_commit = off`)
	server.Exec(t, `SELECT pg_reload_conf()`)
	for u, want := range map[use]string{forReads: "on", forWrites: "on", forDDL: "on", forLock: "off"} {
		var got, with string
		eventually(t, "the session has read the settings", 5*time.Second, func() bool {
			err := links[u].QueryRow(t.Context(), `SELECT current_setting('synchronous_commit'), current_setting('work_mem')`).Scan(&got, &with)
			return err == nil && with == "5MB"
		})
		if got != want {
			t.Errorf("a session for %d: %s, want %s", u, got, want)
		}
	}
}
