package postgres

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"doorbell/orders"
	"doorbell/orders/store/pgtest"
	"doorbell/orders/store/storetest"
)

// logged keeps what a store says.
type logged struct {
	mu   sync.Mutex
	text []byte
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text = append(l.text, p...)
	return len(p), nil
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(l.text)
}

func (l *logged) to(c *Config) { c.Log = zerolog.New(l) }

func alone(c *Config) { c.Solo = true }

// tries places an order and returns what it was told.
func tries(t testing.TB, s *Store) error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	o, ev := storetest.Place(t, storetest.Draft{})
	return s.Commit(ctx, storetest.Change(orders.Order{}, o, ev))
}

// sleeps keeps a store's guard from looking, as if its process had been stopped there, until the returned function.
func sleeps(t testing.TB, s *Store) (wake func()) {
	s.guard.turn <- struct{}{}
	wake = sync.OnceFunc(func() { <-s.guard.turn })
	t.Cleanup(wake)
	return wake
}

const (
	endLock = `SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND objid = $1::bigint`
	endAll  = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()
	AND application_name = 'doorbell ' || $1`
)

// TestANodeAloneThatLostItsLockNeverWritesBesideAnother: not while its committers live, though its guard sleeps, and not
// when they connect again.
func TestANodeAloneThatLostItsLockNeverWritesBesideAnother(t *testing.T) {
	for _, c := range []struct {
		name  string
		other func(*Config)
	}{
		{"AnotherAlone", alone},
		{"OneOfACluster", func(*Config) {}},
	} {
		t.Run(c.name, func(t *testing.T) {
			url := shared.Database(t)
			var log logged
			a := opened(t, url, alone, log.to)
			running(t, a)
			for i := 0; tries(t, a) != nil || i < 20; i++ { // every committer has its connection
			}
			wake := sleeps(t, a)
			execute(t, url, endLock, int64(installationLock&0xffffffff))
			cfg := Config{URL: url, Node: "other"}
			c.other(&cfg)
			if b, err := Open(t.Context(), cfg); err == nil {
				_ = b.Close()
				t.Fatal("opened beside committers that can write")
			}
			if err := tries(t, a); err != nil {
				t.Fatalf("whom nobody replaced was told %v", err)
			}

			execute(t, url, endAll, a.node)
			b := opened(t, url, c.other)
			stop := running(t, b)
			place(t, b, storetest.Draft{})
			if err := tries(t, a); orders.KindOf(err) != orders.Unavailable {
				t.Fatalf("beside another node, a sleeping one was told %v", err)
			}
			wake()
			eventually(t, "the log says what to do", 2*time.Second, func() bool { return strings.Contains(log.String(), "give every node --redis, or stop the other one") })
			for range 20 {
				if err := tries(t, a); orders.KindOf(err) != orders.Unavailable {
					t.Fatalf("beside another node, told %v", err)
				}
				place(t, b, storetest.Draft{})
			}
			if err := a.Ready(t.Context()); orders.KindOf(err) != orders.Unavailable {
				t.Errorf("ready: %v", err)
			}
			if _, _, err := a.Claim(t.Context(), orders.TaskTimers); orders.KindOf(err) != orders.Unavailable {
				t.Errorf("claims work: %v", err)
			}
			stop()
			if err := b.Close(); err != nil {
				t.Fatal(err)
			}
			eventually(t, "it works when the other one has gone", 5*time.Second, func() bool { return works(t, a) })
		})
	}
}

// TestOfTwoThatWantToBeAloneOneWrites ends a node's connections again and again while another tries to open. Either may
// have the database in the end.
func TestOfTwoThatWantToBeAloneOneWrites(t *testing.T) {
	server := pgtest.Start(t)
	url := server.Database(t)
	a := opened(t, url, alone)
	running(t, a)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	second := make(chan *Store, 1)
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() {
		defer close(second)
		for ctx.Err() == nil {
			if b, err := Open(ctx, Config{URL: url, Node: "b", Solo: true}); err == nil {
				second <- b
				return
			}
		}
	})
	own := connected(t, url)
	told, ended := 0, 0
	for {
		select {
		case b := <-second:
			if b == nil {
				t.Logf("kept through %d changes, its connections ended %d times", told, ended)
				eventually(t, "it works", 5*time.Second, func() bool { return works(t, a) })
				return
			}
			t.Cleanup(func() { _ = b.Close() })
			running(t, b)
			for range 100 {
				if tries(t, a) == nil {
					t.Fatal("both acknowledge changes")
				}
				place(t, b, storetest.Draft{})
			}
			t.Logf("taken over after %d changes, its connections ended %d times", told, ended)
			return
		default:
		}
		if tries(t, a) != nil {
			continue
		}
		if told++; told%20 == 0 {
			if _, err := own.Exec(t.Context(), endAll, a.node); err != nil {
				t.Fatal(err)
			}
			ended++
		}
	}
}

// TestANodeAloneGoesOnAfterARestart: the first change afterwards finds the lock again, without waiting for a look.
func TestANodeAloneGoesOnAfterARestart(t *testing.T) {
	server := pgtest.Start(t)
	s := opened(t, server.Database(t), alone)
	running(t, s)
	for range 2 {
		place(t, s, storetest.Draft{})
		server.Restart(t)
	}
	place(t, s, storetest.Draft{})
}

// TestALockOfOnesOwnIsTakenBack: the server may not have missed the connection that the node gave up.
func TestALockOfOnesOwnIsTakenBack(t *testing.T) {
	s := opened(t, shared.Database(t), alone)
	running(t, s)
	place(t, s, storetest.Draft{})
	wake := sleeps(t, s)
	left := s.guard.link
	t.Cleanup(left.drop)
	s.guard.link = nil
	s.guard.pid.Store(0)
	wake()
	eventually(t, "the lock is held on another connection", 2*time.Second, func() bool { return s.guard.pid.Load() != 0 })
	if left.alive() {
		t.Error("two connections of the node stand")
	}
	place(t, s, storetest.Draft{})
}
