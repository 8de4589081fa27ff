package bus_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"doorbell/hub/bus"
	"doorbell/hub/bus/redistest"
)

// written is what a node logs.
type written struct {
	mu   sync.Mutex // guards the following
	text strings.Builder
}

func (w *written) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.Write(b)
}

func (w *written) count(of string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return strings.Count(w.text.String(), of)
}

func logTo(w *written) option {
	return func(c *bus.RedisConfig) { c.Log = zerolog.New(w) }
}

func degraded(n *node) bool { return get(n, func() bool { return n.degraded }) }

// degradedSoon fails the test where a node does not say that what is committed comes late.
func degradedSoon(t *testing.T, n *node, id string) {
	t.Helper()
	t.Logf("noticed after %v", wait(t, 5*time.Second, "the node to notice", func() bool { return degraded(n) }))
	if _, ok := n.bus.Order(t.Context(), id); ok || !n.bus.Doubtful() {
		t.Error("what Redis holds is not in doubt")
	}
	wait(t, promised, "the restaurants to be forgotten", func() bool { return get(n, func() bool { return n.doubtful >= 2 }) })
}

// A Redis that lets everybody read and nobody write makes nodes degraded, and is made good for when it takes writes again.
func TestLate_RedisRefusesWrites(t *testing.T) {
	t.Parallel()
	server, store := redistest.Start(t), newMemory()
	a, b := start(t, "a", server.URL(), store), start(t, "b", server.URL(), store, hubOnly)
	waitBegun(t, a, a, b)
	id := store.place(a.bus)
	wait(t, patience, "everything", b.whole)
	if _, ok := b.bus.Order(t.Context(), id); !ok || b.bus.Doubtful() {
		t.Fatal("Redis is in doubt from the beginning")
	}
	server.Client().ConfigSet(t.Context(), "min-replicas-to-write", "1")
	store.change(a.bus, id, nil)
	degradedSoon(t, b, id)
	degradedSoon(t, a, id)
	store.change(a.bus, id, nil)
	was := get(b, func() int { return b.doubtful })
	server.Client().ConfigSet(t.Context(), "min-replicas-to-write", "0")
	t.Logf("whole %v after", wait(t, promised, "people to be whole", func() bool { return a.whole() && b.whole() }))
	for _, n := range []*node{a, b} {
		wait(t, promised, "the end of degraded", func() bool { return !degraded(n) })
	}
	wait(t, promised, "the restaurants to be forgotten again", func() bool { return get(b, func() bool { return b.doubtful > was }) })
	if o, ok := b.bus.Order(t.Context(), id); !ok || o.Seq != 3 {
		t.Errorf("Redis has seq %d, %v", o.Seq, ok)
	}
	if store.renewals() != 1 {
		t.Errorf("%d generations", store.renewals())
	}
	check(t, a, b)
}

// Where only those who publish are cut off, the others find out too.
func TestLate_OnlyThePublisherIsCutOff(t *testing.T) {
	t.Parallel()
	server, store := redistest.Start(t), newMemory()
	p, url := through(t, server)
	a, b := start(t, "a", url, store), start(t, "b", server.URL(), store, hubOnly)
	waitBegun(t, a, a, b)
	id := store.place(a.bus)
	wait(t, patience, "everything", b.whole)
	p.BlackHole()
	store.change(a.bus, id, nil)
	degradedSoon(t, b, id)
	p.Heal()
	wait(t, patience, "the end of degraded", func() bool { return !degraded(a) && !degraded(b) })
	if !a.whole() || !b.whole() {
		t.Error("it was over before people were whole")
	}
	check(t, a, b)
}

// Load with rows that the outbox has to bring, and a database that is away for a while, make nobody degraded.
func TestLate_NotByABurst(t *testing.T) {
	t.Parallel()
	server, store := redistest.Start(t), newMemory()
	a, b := start(t, "a", server.URL(), store), start(t, "b", server.URL(), store, hubOnly)
	waitBegun(t, a, a, b)
	for _, id := range place(store, nil, 400) {
		store.change(nil, id, nil)
	}
	wait(t, patience, "the outbox to be swept", func() bool { return store.unpublished() == 0 })
	store.setDown(true)
	lasts(1500 * time.Millisecond)
	store.setDown(false)
	wait(t, patience, "everything", func() bool { return a.whole() && b.whole() })
	if n := get(b, func() int { return b.degrades }); n != 0 {
		t.Errorf("degraded %d times", n)
	}
	check(t, a, b)
}

// What cannot be read holds up nothing else, and nothing is taken to be out that is not.
func TestSweep_GoesOnWithoutWhatCannotBeRead(t *testing.T) {
	t.Parallel()
	server, store := redistest.Start(t), newMemory()
	a := start(t, "a", server.URL(), store)
	waitBegun(t, a, a)
	wait(t, patience, "everything to be out", func() bool { return store.unpublished() == 0 })
	store.mu.Lock()
	store.unrevoked = true
	store.mu.Unlock()
	store.revoke(nil, "cus_1", time.Now())
	bad := store.place(nil)
	store.mu.Lock()
	store.unreadable = bad
	store.mu.Unlock()
	for _, id := range place(store, nil, 300) {
		wait(t, patience, "an order behind", func() bool { _, ok := a.bus.Order(t.Context(), id); return ok || degraded(a) })
	}
	wait(t, patience, "the others to be marked", func() bool { return store.unpublished() == 2 })
	store.mu.Lock()
	store.unrevoked, store.unreadable = false, ""
	store.mu.Unlock()
	wait(t, patience, "the rest", func() bool { return store.unpublished() == 0 })
	wait(t, patience, "the revocation", func() bool { return get(a, func() bool { return !a.revoked["cus_1"].IsZero() }) })
	wait(t, patience, "the order", a.whole)
	check(t, a)
}

// Many messages of a kind that only a later version knows are one comparison and one line.
func TestRedis_UnknownKinds(t *testing.T) {
	t.Parallel()
	server, store, said := redistest.Start(t), newMemory(), &written{}
	a := start(t, "a", server.URL(), store, logTo(said))
	waitBegun(t, a, a)
	was := get(a, func() int { return a.compares })
	for range 100 {
		if err := a.bus.PublishKind(t.Context(), 'z'); err != nil {
			t.Fatal(err)
		}
	}
	wait(t, patience, "them to come", func() bool { return counted(t, a.reg, "doorbell_bus_unreadable_total") == 100 })
	wait(t, patience, "a comparison", func() bool { return get(a, func() int { return a.compares }) > was })
	lasts(700 * time.Millisecond)
	if n, lines := get(a, func() int { return a.compares })-was, said.count("unknown kind"); n != 1 || lines != 1 {
		t.Errorf("%d comparisons, %d lines", n, lines)
	}
}

// A stream that is gone is not asked again and again for what it had, where the database cannot give a new generation.
func TestRedis_AStreamGoneIsNotAskedForEver(t *testing.T) {
	t.Parallel()
	server, store := redistest.Start(t), newMemory()
	a := start(t, "a", server.URL(), store)
	waitBegun(t, a, a)
	a.store.revoke(a.bus, "cus_1", time.Now()) // the partition of notices has counted
	wait(t, patience, "it", func() bool { return get(a, func() bool { return len(a.revoked) > 0 }) })
	channel, message := a.bus.Raw(100, 'r')
	store.setDown(true)
	c := server.Client()
	keys, err := c.Keys(t.Context(), "*:[ne]*").Result()
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range keys {
		if !strings.HasSuffix(k, ":generation") {
			c.Del(t.Context(), k)
		}
	}
	if err := c.ConfigResetStat(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	c.Publish(t.Context(), channel, message)
	lasts(500 * time.Millisecond)
	stats, err := c.Info(t.Context(), "commandstats").Result()
	if err != nil {
		t.Fatal(err)
	}
	_, line, there := strings.Cut(stats, "cmdstat_xrange:calls=")
	calls, _, _ := strings.Cut(line, ",")
	if !there || len(calls) > 1 {
		t.Errorf("the stream was read %q times", calls)
	}
}

// Two installations on one Redis with one prefix are told what to do.
func TestGeneration_AnotherInstallation(t *testing.T) {
	t.Parallel()
	server, said := redistest.Start(t), &written{}
	a := start(t, "a", server.URL(), newMemory(), logTo(said))
	waitBegun(t, a, a)
	start(t, "b", server.URL(), newMemory(), logTo(said))
	wait(t, patience, "somebody to say so", func() bool { return said.count("--redis-prefix") > 0 })
}

// A Redis that lets nobody in is named at once, as an error.
func TestRedis_WrongPassword(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	server.Client().ConfigSet(t.Context(), "requirepass", "right")
	for _, user := range []string{"", ":wr0ng@"} {
		said := &written{}
		url := "redis://" + user + server.Addr()
		n := start(t, "a", url, newMemory(), logTo(said))
		wait(t, patience, "the node to say so", func() bool { return said.count("refuses the user or the password") > 0 })
		lasts(600 * time.Millisecond)
		if lines, secret := said.count(`"level":"error"`), said.count("wr0ng"); lines != 1 || secret != 0 {
			t.Errorf("%d lines, %d of them with the password: %s", lines, secret, said.text.String())
		}
		n.stop()
	}
}
