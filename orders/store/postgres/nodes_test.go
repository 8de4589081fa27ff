package postgres

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"doorbell/orders"
	"doorbell/orders/store/storetest"
)

func TestClaims(t *testing.T) {
	url := shared.Database(t)
	a, b := opened(t, url), opened(t, url)
	claim := func(s *Store, task string, want bool) {
		t.Helper()
		mine, again, err := s.Claim(t.Context(), task)
		if err != nil || mine != want || again <= 0 || again > orders.LeaseFor/2 {
			t.Errorf("mine %t, again in %v, %v, want mine %t", mine, again, err, want)
		}
	}
	claim(a, orders.TaskTimers, true)
	claim(b, orders.TaskTimers, false)
	claim(a, orders.TaskTimers, true) // kept
	claim(b, orders.TaskOutbox, true) // another task

	start := time.Now() // a is dead from here on
	eventually(t, "the task is taken over", 2*orders.LeaseFor, func() bool {
		mine, _, err := b.Claim(t.Context(), orders.TaskTimers)
		return mine && err == nil
	})
	if d := time.Since(start); d < orders.LeaseFor-100*time.Millisecond {
		t.Errorf("taken over after %v, the lease is %v", d, orders.LeaseFor)
	}
	claim(a, orders.TaskTimers, false)

	running(t, b)() // a clean end gives back at once
	claim(a, orders.TaskTimers, true)
	claim(a, orders.TaskOutbox, true)
}

// TestOfManyClaimsOneHolds: at no moment do two nodes have a task.
func TestOfManyClaimsOneHolds(t *testing.T) {
	url := shared.Database(t)
	var stores []*Store
	for range 3 {
		stores = append(stores, opened(t, url))
	}
	for range 20 {
		execute(t, url, `DELETE FROM leases`)
		var mu sync.Mutex
		var wg sync.WaitGroup
		held := 0
		for _, s := range stores {
			wg.Go(func() {
				mine, _, err := s.Claim(t.Context(), "task")
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					t.Error(err)
				}
				if mine {
					held++
				}
			})
		}
		wg.Wait()
		if held != 1 {
			t.Fatalf("%d nodes have it", held)
		}
	}
}

func TestGenerations(t *testing.T) {
	url := shared.Database(t)
	a, b := opened(t, url), opened(t, url)
	first, err := a.Generation(t.Context())
	if err != nil || first.ID == "" || first.Run != "" || !orders.ValidID(orders.IDPrefix+first.ID) {
		t.Fatalf("%+v, %v", first, err)
	}
	if again, err := b.Generation(t.Context()); again != first || err != nil {
		t.Errorf("the other node sees %+v, %v", again, err)
	}
	var results [8]orders.Generation
	var wg sync.WaitGroup
	for i := range results {
		wg.Go(func() {
			s := []*Store{a, b}[i%2]
			g, err := s.RenewGeneration(t.Context(), first.ID, fmt.Sprint("run-", i))
			if err != nil {
				t.Error(err)
			}
			results[i] = g
		})
	}
	wg.Wait()
	for _, g := range results {
		if g != results[0] || g.ID <= first.ID || g.Run == "" {
			t.Errorf("renewed to %+v, and elsewhere to %+v, from %+v", g, results[0], first)
		}
	}
	if err := RaiseGeneration(t.Context(), url); err != nil {
		t.Fatal(err)
	}
	if g, err := a.Generation(t.Context()); g.ID <= results[0].ID || g.Run != "" || err != nil {
		t.Errorf("raised to %+v, %v, from %+v", g, err, results[0])
	}
}

func TestAGenerationIsLaterWhateverTheClockSays(t *testing.T) {
	now := time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)
	later := newGeneration(now.AddDate(1, 0, 0), "")
	if next := newGeneration(now, later); next <= later {
		t.Errorf("%s is not later than %s", next, later)
	}
}

func TestOutbox(t *testing.T) {
	url := shared.Database(t)
	heard := new(published)
	s := opened(t, url, func(c *Config) { c.Publisher = heard })
	running(t, s)
	waiting := func(age time.Duration) []orders.OutboxRow {
		t.Helper()
		rows, err := s.Waiting(t.Context(), age, 100)
		if err != nil {
			t.Fatal(err)
		}
		slices.Reverse(rows) // the newest comes first
		return rows
	}
	o := place(t, s, storetest.Draft{})
	if _, err := s.PutRestaurant(t.Context(), orders.Restaurant{ID: "res_1"}); err != nil {
		t.Fatal(err)
	}
	if err := s.Revoke(t.Context(), `cus "1"`, storetest.Start); err != nil {
		t.Fatal(err)
	}
	rows := waiting(0)
	groups := heard.all()
	if len(rows) != 3 || len(groups) != 3 {
		t.Fatalf("%d rows, %d groups", len(rows), len(groups))
	}
	for i, r := range rows {
		if r.ID != groups[i].Row {
			t.Errorf("row %d is %s, published as %s", i, r.ID, groups[i].Row)
		}
	}
	if !slices.Equal(rows[0].Orders, []string{o.ID}) || !slices.Equal(rows[1].Restaurants, []string{"res_1"}) ||
		!slices.Equal(rows[2].Subs, []string{`cus "1"`}) {
		t.Errorf("rows %+v", rows)
	}
	stored, err := s.Order(t.Context(), o.ID)
	if err != nil {
		t.Fatal(err)
	}
	if c := groups[0].Orders[0]; c.Order.ID != o.ID || c.Order.ChangeID != stored.ChangeID || int64(len(c.Events)) != o.Seq {
		t.Errorf("published %+v", c)
	}
	if r := groups[1].Restaurants[0]; r.ID != "res_1" || r.Version != 1 || r.UpdatedAt.IsZero() {
		t.Errorf("published %+v", r)
	}
	if r := groups[2].Revocations[0]; r.Sub != `cus "1"` || !r.At.Equal(storetest.Start.Truncate(time.Second)) {
		t.Errorf("published %+v", r)
	}

	// Who has nothing to tell writes no row, and who loses tells nothing.
	next := stored
	next.WrongPINs = 1
	if err := s.Commit(t.Context(), storetest.Change(stored, next, nil)); err != nil {
		t.Fatal(err)
	}
	lost, ev := storetest.Place(t, storetest.Draft{ID: o.ID})
	if err := s.Commit(t.Context(), storetest.Change(orders.Order{}, lost, ev)); err != orders.ErrLost {
		t.Fatal(err)
	}
	if n := len(heard.all()); n != 3 {
		t.Errorf("%d groups were published", n)
	}

	if young := waiting(time.Hour); len(young) != 0 {
		t.Errorf("an hour old: %v", young)
	}
	if err := s.MarkPublished(t.Context(), []string{rows[0].ID, rows[1].ID, "not there"}); err != nil {
		t.Fatal(err)
	}
	if left := waiting(0); len(left) != 2 || left[0].ID != rows[2].ID { // and the loser's
		t.Errorf("still waiting: %+v", left)
	}
	if n, err := s.DropPublished(t.Context(), 10); n != 0 || err != nil {
		t.Errorf("dropped %d young rows, %v", n, err)
	}
	if n, err := s.PublishAgain(t.Context(), time.Now().Add(time.Hour)); n != 2 || err != nil {
		t.Errorf("%d rows wait again, %v", n, err)
	}
	if all := waiting(0); len(all) != 4 {
		t.Errorf("waiting again: %+v", all)
	}
	if err := s.MarkPublished(t.Context(), []string{rows[0].ID, rows[1].ID, rows[2].ID}); err != nil {
		t.Fatal(err)
	}
	execute(t, url, `UPDATE outbox SET published_at = published_at - $1 WHERE published_at > 0`, orders.OutboxKept.Microseconds())
	for _, want := range []int{2, 1, 0} {
		if n, err := s.DropPublished(t.Context(), 2); n != want || err != nil {
			t.Errorf("dropped %d, %v, want %d", n, err, want)
		}
	}
}

// TestANodeAloneWritesNoOutbox: nobody would ever take the rows away.
func TestANodeAloneWritesNoOutbox(t *testing.T) {
	url := shared.Database(t)
	heard := new(published)
	s := opened(t, url, func(c *Config) { c.Publisher, c.Solo = heard, true })
	running(t, s)
	place(t, s, storetest.Draft{})
	if n := number(t, url, `SELECT COUNT(*) FROM outbox`); n != 0 || len(heard.all()) != 1 || heard.all()[0].Row != "" {
		t.Errorf("%d rows, published %+v", n, heard.all())
	}
}

func TestANodeAloneStaysAlone(t *testing.T) {
	url := shared.Database(t)
	alone := func(c *Config) { c.Solo = true }
	refused := func(solo bool, want string) {
		t.Helper()
		s, err := Open(t.Context(), Config{URL: url, Node: "other", Solo: solo})
		if err == nil {
			_ = s.Close()
			t.Fatal("opened beside a node that is alone")
		}
		if !strings.Contains(err.Error(), want) {
			t.Error(err)
		}
	}
	first := opened(t, url, alone)
	stop := running(t, first)
	refused(true, "give every node --redis, or stop the other one")
	refused(false, "without --redis uses this database for itself")

	execute(t, url, `SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND objid = $1::bigint`,
		int64(installationLock&0xffffffff))
	eventually(t, "the lock is held again", 5*time.Second, func() bool {
		return number(t, url, `SELECT COUNT(*) FROM pg_locks WHERE locktype = 'advisory' AND granted AND mode = 'ExclusiveLock' AND objid = $1::bigint`,
			int64(installationLock&0xffffffff)) == 1
	})
	stop()
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	opened(t, url)
	opened(t, url) // nodes of a cluster share it
	refused(true, "give every node --redis")
}

func TestTheClockIsTheDatabases(t *testing.T) {
	url := shared.Database(t)
	var mu sync.Mutex
	off := 10 * time.Minute
	s := opened(t, url, func(c *Config) {
		c.Wall = func() time.Time { mu.Lock(); defer mu.Unlock(); return time.Now().Add(off) }
	})
	right := func() bool {
		db, err := s.Now(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return s.Clock().Sub(db).Abs() < 50*time.Millisecond && time.Since(db).Abs() < time.Second
	}
	if !right() {
		t.Errorf("a node whose clock is ten minutes off says %v", s.Clock())
	}
	running(t, s)
	if r, err := s.PutRestaurant(t.Context(), orders.Restaurant{ID: "res_1"}); err != nil || time.Since(r.UpdatedAt).Abs() > time.Minute {
		t.Errorf("stamped %v, %v", r, err)
	}
	mu.Lock()
	off = -10 * time.Minute // as if the process had been stopped, or its machine's clock set
	mu.Unlock()
	eventually(t, "the clock is right again", 5*time.Second, right)
}

// TestTheClockHoldsStill: what the network makes of a measurement does not move it.
func TestTheClockHoldsStill(t *testing.T) {
	wall := time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)
	c := newClock(func() time.Time { return wall })
	ahead, trip := 3*time.Second, 10*time.Millisecond
	ask := func(asymmetry time.Duration) func() (time.Time, error) {
		return func() (time.Time, error) {
			wall = wall.Add(trip)
			return wall.Add(ahead - trip/2 + asymmetry), nil
		}
	}
	measure := func(asymmetry time.Duration) time.Duration {
		t.Helper()
		if err := c.measure(ask(asymmetry)); err != nil {
			t.Fatal(err)
		}
		return c.now().Sub(wall)
	}
	if got := measure(0); got != ahead {
		t.Errorf("%v ahead, want %v", got, ahead)
	}
	if got := measure(4 * time.Millisecond); got != ahead {
		t.Errorf("moved to %v by what lies within the round trip", got)
	}
	ahead += time.Second
	if got := measure(0); got != ahead {
		t.Errorf("%v ahead, want %v", got, ahead)
	}
	trip = time.Minute // stopped in between
	if got := measure(0); got != ahead {
		t.Errorf("moved to %v by a measurement that took a minute", got)
	}
}

// TestTwoNodesKeepTheLimitOfDevices: both count before either has added one.
func TestTwoNodesKeepTheLimitOfDevices(t *testing.T) {
	url := shared.Database(t)
	a, b := opened(t, url), opened(t, url)
	running(t, a)
	running(t, b)
	if n := storetest.DeviceRace(t, a, b); n != orders.MaxDevices {
		t.Errorf("%d devices were added", n)
	}
	if n := number(t, url, `SELECT COUNT(*) FROM devices`); n != orders.MaxDevices {
		t.Errorf("%d devices", n)
	}
}

// TestTwoNodesWriteTheSameTracks, each in an order of its own, and thin them: nobody waits for somebody who waits for it.
func TestTwoNodesWriteTheSameTracks(t *testing.T) {
	url := shared.Database(t)
	nodes := []*Store{opened(t, url), opened(t, url)}
	var all []orders.TrackFix
	for range 20 {
		id := orders.NewID(storetest.Start)
		for i := range 50 {
			all = append(all, orders.TrackFix{Order: id, Courier: "cou_1", At: storetest.Start.Add(time.Duration(i) * 5 * time.Second)})
		}
	}
	var wg sync.WaitGroup
	for _, s := range nodes {
		running(t, s)
		wg.Go(func() {
			mine := slices.Clone(all)
			for range 5 {
				rand.Shuffle(len(mine), func(i, j int) { mine[i], mine[j] = mine[j], mine[i] })
				if err := s.AddTrack(t.Context(), mine); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if n := number(t, url, `SELECT COUNT(*) FROM tracks`); n != int64(len(all)) {
		t.Errorf("%d fixes of %d", n, len(all))
	}
	for _, s := range nodes {
		wg.Go(func() {
			for {
				switch n, err := s.ThinTracks(t.Context(), storetest.Start.Add(time.Hour), 100); {
				case err != nil:
					t.Error(err)
					return
				case n == 0:
					return
				}
			}
		})
	}
	wg.Wait()
	if n := number(t, url, `SELECT COUNT(*) FROM tracks WHERE thinned = 1`); n != 20*6 || number(t, url, `SELECT COUNT(*) FROM tracks`) != n {
		t.Errorf("%d minutes, want %d", n, 20*6)
	}
}
