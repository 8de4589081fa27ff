package postgres

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"doorbell/hub/bus/proxytest"
	"doorbell/orders"
	"doorbell/orders/store/pgtest"
	"doorbell/orders/store/storetest"
)

// placing places orders from some goroutines until the returned function ends it; that returns what was acknowledged.
func placing(t *testing.T, s *Store, workers int) (stop func() map[string]int64) {
	t.Helper()
	var mu sync.Mutex
	acked := map[string]int64{}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for ctx.Err() == nil {
				o, ev := storetest.Place(t, storetest.Draft{})
				switch err := s.Commit(context.Background(), storetest.Change(orders.Order{}, o, ev)); {
				case err == nil:
					mu.Lock()
					acked[o.ID] = o.Seq
					mu.Unlock()
				case orders.KindOf(err) != orders.Unavailable:
					t.Errorf("a caller was told %v", err)
					return
				}
			}
		})
	}
	return sync.OnceValue(func() map[string]int64 {
		cancel()
		wg.Wait()
		return acked
	})
}

// works reports whether a write and a read succeed.
func works(t testing.TB, s *Store) bool {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	o, ev := storetest.Place(t, storetest.Draft{})
	if s.Commit(ctx, storetest.Change(orders.Order{}, o, ev)) != nil || s.Ready(ctx) != nil {
		return false
	}
	_, err := s.Order(ctx, o.ID)
	return err == nil
}

// TestP1_AnAcknowledgedChangeSurvivesKill9OfTheServer kills every process of Postgres under load, again and again.
func TestP1_AnAcknowledgedChangeSurvivesKill9OfTheServer(t *testing.T) {
	server := pgtest.Start(t)
	s := opened(t, server.Database(t))
	running(t, s)
	stop := placing(t, s, 32)
	for range 3 {
		eventually(t, "orders are placed", 10*time.Second, func() bool { return works(t, s) })
		server.Kill(t)
		server.Start(t)
	}
	d := took(func() {
		eventually(t, "it works again", 10*time.Second, func() bool { return works(t, s) })
	})
	acked := stop()
	t.Logf("%d acknowledged, works again %v after the server", len(acked), d)
	for id, seq := range acked {
		o, err := s.Order(t.Context(), id)
		if err != nil || o.Seq != seq {
			t.Errorf("acknowledged order %s: %+v, %v", id, o.Seq, err)
		}
		if ev, err := s.Events(t.Context(), id, 0, 10); err != nil || int64(len(ev)) != seq {
			t.Errorf("acknowledged order %s has %d events, %v", id, len(ev), err)
		}
	}
	if d > 2*time.Second {
		t.Errorf("worked again only %v after the server came back", d)
	}
}

// TestARestartCostsNoIdleCallerAnything: connections that a restart has cut are noticed before they are used.
func TestARestartCostsNoIdleCallerAnything(t *testing.T) {
	server := pgtest.Start(t)
	s := opened(t, server.Database(t))
	running(t, s)
	var ids []string
	for range 10 {
		ids = append(ids, place(t, s, storetest.Draft{}).ID)
	}
	server.Restart(t)
	for _, id := range ids {
		if _, err := s.Order(t.Context(), id); err != nil {
			t.Error(err)
		}
		place(t, s, storetest.Draft{})
	}
}

// TestNobodyWaitsForAServerThatIsAway: whether it is stopped where it stands or swallowed by the net, callers are told
// Unavailable in time, and it goes on by itself afterwards.
func TestNobodyWaitsForAServerThatIsAway(t *testing.T) {
	server := pgtest.Start(t)
	database := server.Database(t)
	proxy := proxytest.New(t, server.Addr())
	_, name, _ := strings.Cut(strings.TrimPrefix(database, "postgres://"), "/")
	name, _, _ = strings.Cut(name, "?")
	s := opened(t, pgtest.URLAt(proxy.Addr(), name))
	running(t, s)
	known := place(t, s, storetest.Draft{})
	for _, c := range []struct {
		name       string
		away, back func()
	}{
		{"Paused", func() { server.Pause(t) }, func() { server.Resume(t) }},
		{"BlackHole", proxy.BlackHole, proxy.Heal},
		{"Cut", proxy.Cut, proxy.Heal},
	} {
		t.Run(c.name, func(t *testing.T) {
			eventually(t, "it works", 10*time.Second, func() bool { return works(t, s) })
			c.away()
			var longest atomic.Int64
			var wg sync.WaitGroup
			try := func(f func(context.Context) error) {
				wg.Go(func() {
					for end := time.Now().Add(6 * time.Second); time.Now().Before(end); {
						var err error
						d := took(func() { err = f(context.Background()) })
						if orders.KindOf(err) != orders.Unavailable {
							t.Errorf("told %v", err)
							return
						}
						for old := longest.Load(); int64(d) > old && !longest.CompareAndSwap(old, int64(d)); old = longest.Load() {
						}
						<-time.After(5 * time.Millisecond)
					}
				})
			}
			for range 20 {
				try(func(ctx context.Context) error {
					o, ev := storetest.Place(t, storetest.Draft{})
					return s.Commit(ctx, storetest.Change(orders.Order{}, o, ev))
				})
				try(func(ctx context.Context) error { _, err := s.Order(ctx, known.ID); return err })
			}
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			if d := took(func() {
				if err := s.Ready(ctx); orders.KindOf(err) != orders.Unavailable {
					t.Errorf("ready: %v", err)
				}
			}); d > 1500*time.Millisecond {
				t.Errorf("Ready took %v", d)
			}
			cancel()
			wg.Wait()
			c.back()
			d := took(func() { eventually(t, "it works again", 10*time.Second, func() bool { return works(t, s) }) })
			t.Logf("the longest wait was %v, worked again after %v", time.Duration(longest.Load()), d)
			if time.Duration(longest.Load()) > 5500*time.Millisecond {
				t.Errorf("a caller waited for %v", time.Duration(longest.Load()))
			}
			if d > 3*time.Second {
				t.Errorf("worked again only after %v", d)
			}
		})
	}
}

// TestUnwiseServersAreRefused: with a sentence that says what to do, at Open and when the server changes afterwards.
func TestUnwiseServersAreRefused(t *testing.T) {
	refused := func(t *testing.T, url, want string) {
		t.Helper()
		s, err := Open(t.Context(), Config{URL: url, Node: "n"})
		if err == nil {
			_ = s.Close()
			t.Fatal("opened")
		}
		if !strings.Contains(err.Error(), want) {
			t.Errorf("says: %v", err)
		}
	}
	t.Run("WithoutFsync", func(t *testing.T) {
		refused(t, pgtest.Start(t, "fsync=off").Database(t), "set fsync = on")
	})
	t.Run("WithoutSynchronousCommit", func(t *testing.T) {
		url := shared.Database(t)
		refused(t, url+"&options=-c%20synchronous_commit%3Doff", "set synchronous_commit = on")

		s := opened(t, url)
		running(t, s)
		place(t, s, storetest.Draft{})
		execute(t, url, `DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET synchronous_commit = off', current_database()); END $$`)
		execute(t, url, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'doorbell %'`)
		eventually(t, "the server that was set otherwise is refused", 5*time.Second, func() bool {
			o, ev := storetest.Place(t, storetest.Draft{})
			err := s.Commit(t.Context(), storetest.Change(orders.Order{}, o, ev))
			var says refusal
			return orders.KindOf(err) == orders.Unavailable && errors.As(err, &says)
		})
	})
	t.Run("InAnotherEncoding", func(t *testing.T) {
		shared.Exec(t, `CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0`)
		t.Cleanup(func() { shared.Exec(t, `DROP DATABASE latin WITH (FORCE)`) })
		refused(t, pgtest.URLAt(shared.Addr(), "latin"), "ENCODING 'UTF8'")
	})
	t.Run("AwayOrMisspelt", func(t *testing.T) {
		for url, want := range map[string]string{
			"":             "give it as postgres://",
			"mysql://x/db": "give it as postgres://",
			"postgres://u:secret@127.0.0.1:1/db?sslmode=disable":          "127.0.0.1:1",
			"postgres://u:secret@127.0.0.1:notaport/db":                   "cannot be read",
			"postgres://u:secret@127.0.0.1/db?sslmode=wrong":              "cannot be read",
			"postgres://u:sec%zzret@127.0.0.1/db":                         "cannot be read",
			"postgres://doorbell:secret@" + shared.Addr() + "/not_there?": "not_there",
		} {
			_, err := Open(t.Context(), Config{URL: url, Node: "n"})
			if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "sec%") {
				t.Errorf("%q: %v", url, err)
			}
		}
	})
}
