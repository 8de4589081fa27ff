package bus_test

import (
	"strings"
	"testing"
	"time"

	"doorbell/hub/bus/redistest"
	"doorbell/orders"
)

// While the database is away nobody knows which generation holds: nothing is published, people hear that it is late, and
// everything is made good when it is back.
func TestGeneration_TheDatabaseIsAway(t *testing.T) {
	t.Parallel()
	server, store := redistest.Start(t), newMemory()
	a := start(t, "a", server.URL(), store)
	waitBegun(t, a, a)
	id := store.place(a.bus)
	wait(t, patience, "the order", a.whole)
	store.setDown(true)
	server.Flush()
	wait(t, patience, "the node to be degraded", func() bool { return get(a, func() bool { return a.degraded }) })
	store.change(a.bus, id, nil)
	if counted(t, a.reg, "doorbell_bus_dropped_total", "away") != 1 {
		t.Error("the change was not left to the outbox")
	}
	store.setDown(false)
	wait(t, promised, "people to be whole", a.whole)
	wait(t, promised, "the end of degraded", func() bool { return !get(a, func() bool { return a.degraded }) })
	wait(t, promised, "the outbox to be swept", func() bool { return store.unpublished() == 0 })
	check(t, a)
}

// The database is restored from a backup: the generation in Redis is one that it has forgotten. Nobody is shown what is
// no more.
func TestGeneration_TheDatabaseWentBack(t *testing.T) {
	t.Parallel()
	server, store := redistest.Start(t), newMemory()
	a, b := start(t, "a", server.URL(), store), start(t, "b", server.URL(), store)
	waitBegun(t, a, a, b)
	id := store.place(a.bus)
	backup, then := store.seqs(), store.generation()
	server.Flush() // a generation that the backup does not know
	wait(t, patience, "another generation", func() bool { return store.generation() != then })
	for range 5 {
		store.change(a.bus, id, nil)
	}
	wait(t, patience, "the changes", func() bool { return a.whole() && b.whole() })
	wait(t, patience, "Redis to keep them", func() bool { o, ok := a.bus.Order(t.Context(), id); return ok && o.Seq == 6 })
	for _, n := range []*node{a, b} {
		n.mu.Lock()
		n.back = true
		n.mu.Unlock()
	}
	store.restore(backup, then)
	wait(t, promised, "a generation after both", func() bool { g := store.generation(); return g != then })
	wait(t, promised, "Redis to have forgotten", func() bool { o, ok := a.bus.Order(t.Context(), id); return !ok || o.Seq == 1 })
	wait(t, promised, "who watches to be told of the restored seq", func() bool { return a.whole() && b.whole() })
	store.change(b.bus, id, nil)
	wait(t, promised, "a change from there", func() bool { return a.whole() && b.whole() })
	check(t, a, b)
}

// Two nodes that see two primaries do not drown the database in generations, and those behind the one that is in the
// wrong hear that it is late.
func TestGeneration_TwoPrimaries(t *testing.T) {
	t.Parallel()
	one, two, store := redistest.Start(t), redistest.Start(t), newMemory()
	a, b := start(t, "a", one.URL(), store), start(t, "b", two.URL(), store)
	late := func() bool {
		return get(a, func() bool { return a.degraded }) || get(b, func() bool { return b.degraded })
	}
	wait(t, patience, "one of them to be degraded", late)
	before, begin := store.renewals(), time.Now()
	for range 10 {
		store.place(a.bus)
		store.place(b.bus)
	}
	wait(t, patience, "the changes of both", func() bool { return a.whole() && b.whole() })
	wait(t, patience, "some time", func() bool { return time.Since(begin) > 5*time.Second })
	if n := store.renewals() - before; n > 6 {
		t.Errorf("%d generations in 5 s", n)
	}
	check(t, a, b)
}

// What a generation leaves behind does not stay in Redis for good.
func TestGeneration_LeavesNothing(t *testing.T) {
	t.Parallel()
	server, store := redistest.Start(t), newMemory()
	a := start(t, "a", server.URL(), store)
	waitBegun(t, a, a)
	place(store, a.bus, 200)
	wait(t, patience, "the outbox", func() bool { return store.unpublished() == 0 })
	old := store.generation().ID
	if _, err := store.RenewGeneration(t.Context(), old, store.generation().Run); err != nil { // as `restore` does
		t.Fatal(err)
	}
	wait(t, promised, "the node to go over to it", func() bool { return counted(t, a.reg, "doorbell_bus_generations_total") == 2 })
	ctx, c := t.Context(), server.Client()
	for _, key := range c.Keys(ctx, "*").Val() {
		ttl := c.TTL(ctx, key).Val()
		if strings.Contains(key, old) && ttl <= 0 {
			t.Errorf("%s stays for good", key)
		}
		if !strings.HasPrefix(key, "test:{p") {
			t.Errorf("%s lacks prefix or tag", key)
		}
	}
	if _, ok := a.bus.Order(ctx, "ord_unknown"); ok {
		t.Error("an order that nobody placed is kept")
	}
}

// A group that is published in another generation than Redis's is refused there, and comes by the outbox.
func TestGeneration_RefusesAnother(t *testing.T) {
	t.Parallel()
	server, store := redistest.Start(t), newMemory()
	a := start(t, "a", server.URL(), store)
	waitBegun(t, a, a)
	id := store.place(a.bus)
	wait(t, patience, "the order", a.whole)
	for _, key := range server.Client().Keys(t.Context(), "*:generation").Val() {
		server.Client().Set(t.Context(), key, "00000000-0000-7000-8000-000000000000", 0)
	}
	for range 3 {
		store.change(a.bus, id, func(o *orders.Order) { o.Status = orders.Preparing })
	}
	wait(t, promised, "the changes", a.whole)
	wait(t, promised, "the outbox to be swept", func() bool { return store.unpublished() == 0 })
	if refused, away := counted(t, a.reg, "doorbell_bus_refused_total"), counted(t, a.reg, "doorbell_bus_dropped_total", "away"); refused+away == 0 {
		t.Error("nothing was refused, by Redis or by the node that saw it coming")
	}
}
