package bus_test

import (
	"bytes"
	"math"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"doorbell/hub/bus/redistest"
	"doorbell/orders"
)

// What Redis keeps of an order is what a reader gets, and no more is promised than is there.
func TestRecent(t *testing.T) {
	t.Parallel()
	server, store := redistest.Start(t), newMemory()
	a := start(t, "a", server.URL(), store)
	waitBegun(t, a, a)
	id := store.place(a.bus)
	for range 11 {
		store.change(a.bus, id, func(o *orders.Order) {
			o.Status, o.Delivery.Courier = orders.Preparing, &orders.Courier{ID: "cou_1"}
		})
	}
	wait(t, patience, "the changes", a.whole)
	ctx := t.Context()
	want, _ := store.Order(ctx, id)
	if o, ok := a.bus.Order(ctx, id); !ok || o.Seq != 12 || o.Delivery.Courier.ID != "cou_1" || !o.UpdatedAt.Equal(want.UpdatedAt) {
		t.Errorf("the order is %+v, %v", o, ok)
	}
	if own, ok := a.bus.Ownership(ctx, id); !ok || own != want.Ownership() {
		t.Errorf("it is %+v's, %v", own, ok)
	}
	all, _ := store.Events(ctx, id, 0, 100)
	for _, c := range []struct {
		after int64
		n     int
		ok    bool
	}{{3, 0, false}, {4, 8, true}, {11, 1, true}, {12, 0, true}, {13, 0, false}, {0, 0, false}} {
		own, events, ok := a.bus.Events(ctx, id, c.after)
		if ok != c.ok || len(events) != c.n || ok && own.Seq != 12 {
			t.Errorf("after %d there are %d events of %d, %v", c.after, len(events), own.Seq, ok)
		}
		for i, e := range events {
			e.Actor.ID = all[e.Seq-1].Actor.ID
			if e.Seq != c.after+1+int64(i) || !bytes.Equal(e.Envelope, all[e.Seq-1].Envelope) || e.Actor != all[e.Seq-1].Actor {
				t.Errorf("event %d after %d is %+v", i, c.after, e)
			}
		}
	}
	if _, _, ok := a.bus.Events(ctx, "ord_unknown", 0); ok {
		t.Error("an unknown order has events")
	}
	// A hole in what is kept is not passed over.
	hash := server.Client().Keys(ctx, "*:o:"+id).Val()[0]
	server.Client().HDel(ctx, hash, "e2") // seq 10
	if _, _, ok := a.bus.Events(ctx, id, 8); ok {
		t.Error("events with a hole between them")
	}
	if _, events, ok := a.bus.Events(ctx, id, 10); !ok || len(events) != 2 {
		t.Error("the hole is not in the way")
	}
	if ttl := server.Client().TTL(ctx, hash).Val(); ttl < 23*time.Hour {
		t.Errorf("a running order is kept for %v", ttl)
	}
	store.change(a.bus, id, func(o *orders.Order) { o.Status, o.EndedAt = orders.Completed, time.Now() })
	wait(t, patience, "the end", a.whole)
	if ttl := server.Client().TTL(ctx, hash).Val(); ttl > 10*time.Minute {
		t.Errorf("an order that ended is kept for %v", ttl)
	}
}

// Ten thousand clients of a node that died ask at once.
func TestRecent_ManyAtOnce(t *testing.T) {
	server, store := redistest.Start(t), newMemory()
	a := start(t, "a", server.URL(), store)
	waitBegun(t, a, a)
	ids := place(store, a.bus, 1000)
	wait(t, patience, "the orders", a.whole)
	reads := func() int {
		info, _ := server.Client().Info(t.Context(), "stats").Result()
		_, rest, _ := strings.Cut(info, "total_reads_processed:")
		line, _, _ := strings.Cut(rest, "\r")
		n, err := strconv.Atoi(line)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	before, begin := reads(), time.Now()
	var missed atomic.Int64
	var all sync.WaitGroup
	for i := range 10_000 {
		all.Go(func() {
			if _, events, ok := a.bus.Events(t.Context(), ids[i%len(ids)], 0); !ok || len(events) != 1 {
				missed.Add(1)
			}
		})
	}
	all.Wait()
	took, n := time.Since(begin), reads()-before
	t.Logf("10,000 questions in %v; Redis read %d times", took, n)
	if n > 1000 { // a batch of many is read in a few pieces
		t.Errorf("Redis read %d times for 10,000 questions", n)
	}
	if took < time.Second && missed.Load() > 0 {
		t.Errorf("%d of 10,000 were not answered", missed.Load())
	}
}

// A restaurant that changed is new for every node, whoever read it when.
func TestRestaurants(t *testing.T) {
	t.Parallel()
	server, store := redistest.Start(t), newMemory()
	a, b := start(t, "a", server.URL(), store), start(t, "b", server.URL(), store, hubOnly)
	waitBegun(t, a, a, b)
	ctx := t.Context()
	cached := func(n *node) string {
		v, ok := n.bus.CachedRestaurant(ctx, "res_1")
		if !ok {
			return ""
		}
		return v.Name
	}
	old := store.putRestaurant(a.bus, "res_1", "old")
	wait(t, patience, "b to hear", func() bool { return get(b, func() int64 { return b.restaurants["res_1"] }) == 1 })
	v, ok := b.bus.CachedRestaurant(ctx, "res_1")
	if !ok || v.Name != "old" || v.Version != 1 || !v.UpdatedAt.Equal(old.UpdatedAt) {
		t.Fatalf("cached is %+v", v)
	}
	store.putRestaurant(a.bus, "res_1", "new")
	wait(t, patience, "b to hear", func() bool { return get(b, func() int64 { return b.restaurants["res_1"] }) == 2 })
	b.bus.CacheRestaurant(old) // read before the change, cached behind it
	b.bus.CacheRestaurant(&orders.Restaurant{ID: "res_2", Name: "other", Version: 1})
	wait(t, patience, "both to be tried", func() bool { _, ok := b.bus.CachedRestaurant(ctx, "res_2"); return ok })
	if cached(a) != "new" || cached(b) != "new" {
		t.Errorf("%q and %q are cached", cached(a), cached(b))
	}
	// What is not announced at once comes by the outbox, which does not know the version: all levels are dropped.
	store.putRestaurant(nil, "res_1", "newest")
	wait(t, promised, "b to hear", func() bool { return get(b, func() int64 { return b.restaurants["res_1"] }) == math.MaxInt64 })
	if cached(a) != "" || cached(b) != "" {
		t.Errorf("%q and %q are cached still", cached(a), cached(b))
	}
	// Nobody is shown what is older than what this node was given, wherever that is now.
	b.bus.CacheRestaurant(&orders.Restaurant{ID: "res_2", Version: 9})
	if v, ok := b.bus.CachedRestaurant(ctx, "res_2"); ok && v.Version < 9 {
		t.Error("an older one was answered")
	}
	was := get(b, func() int { return b.doubtful })
	server.Flush()
	wait(t, promised, "everything cached to be in doubt", func() bool { return get(b, func() int { return b.doubtful }) > was })
}

func TestRevocations(t *testing.T) {
	t.Parallel()
	server, store := redistest.Start(t), newMemory()
	a, b := start(t, "a", server.URL(), store), start(t, "b", server.URL(), store, hubOnly)
	waitBegun(t, a, a, b)
	at := time.Now().UTC().Truncate(time.Microsecond)
	store.revoke(a.bus, "cus_1", at)
	store.revoke(nil, "cus_2", at.Add(time.Second)) // by the outbox
	for sub, want := range map[string]time.Time{"cus_1": at, "cus_2": at.Add(time.Second)} {
		wait(t, promised, "b to hear", func() bool { return get(b, func() time.Time { return b.revoked[sub] }).Equal(want) })
	}
	wait(t, promised, "the outbox", func() bool { return store.unpublished() == 0 })
}

// A position reaches those who follow the order while its window is open for that courier, and nothing follows the event
// that closed it.
func TestPositions(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		url  func(*testing.T) string
	}{
		{"Single", func(t *testing.T) string { return redistest.Start(t).URL() }},
		{"Cluster", func(t *testing.T) string { return redistest.StartCluster(t).URL() }},
	} {
		t.Run(c.name, func(t *testing.T) {
			url, store := c.url(t), newMemory()
			a, b := start(t, "a", url, store), start(t, "b", url, store, hubOnly)
			waitBegun(t, a, a, b)
			ctx, id, other := t.Context(), store.place(a.bus), store.place(a.bus)
			b.bus.Follow(id)
			b.bus.Follow(id)
			send := func(courier string, epoch int64, point string, want bool) {
				t.Helper()
				if sent, err := post(ctx, a.bus, id, courier, epoch, point); sent != want || err != nil {
					t.Fatalf("%s of %s in epoch %d: sent is %v, %v", point, courier, epoch, sent, err)
				}
			}
			heard := func() string {
				return get(b, func() string { return strings.Join(b.points[id], " ") })
			}
			shown := func() { t.Helper(); wait(t, patience, "the change", func() bool { return a.whole() && b.whole() }) }
			edit := func(courier string, epoch int64, status orders.Status) {
				t.Helper()
				store.change(a.bus, id, func(o *orders.Order) {
					o.Status, o.Delivery.Epoch = status, epoch
					o.Delivery.Courier = &orders.Courier{ID: courier}
				})
				shown()
			}
			send("cou_1", 1, "early", false)
			edit("cou_1", 1, orders.OnDelivery)
			wait(t, patience, "the first point", func() bool { send("cou_1", 1, "p1", true); return heard() != "" })
			send("cou_2", 1, "stranger", false)
			send("cou_1", 2, "later", false)
			if p, ok := b.bus.LastPosition(ctx, id); !ok || string(p) != "p1" {
				t.Errorf("the last position is %q", p)
			}
			edit("cou_2", 2, orders.OnDelivery) // replaced
			if _, ok := b.bus.LastPosition(ctx, id); ok {
				t.Error("the replaced courier's position is shown still")
			}
			send("cou_1", 1, "replaced", false)
			send("cou_2", 2, "p2", true)
			wait(t, patience, "the new courier's point", func() bool { return strings.HasSuffix(heard(), "p2") })
			// A new generation has all windows closed until the database was asked.
			store.mu.Lock()
			gen := store.gen
			store.mu.Unlock()
			_, _ = store.RenewGeneration(ctx, gen.ID, gen.Run)
			wait(t, patience, "the new generation", func() bool { return counted(t, b.reg, "doorbell_bus_generations_total") == 2 })
			wait(t, patience, "a point in it", func() bool {
				sent, _ := post(ctx, a.bus, id, "cou_2", 2, "p3")
				return sent
			})
			wait(t, patience, "the point", func() bool { return strings.HasSuffix(heard(), "p3") })
			b.bus.Unfollow(id)
			send("cou_2", 2, "p4", true)
			wait(t, patience, "who still follows", func() bool { return strings.HasSuffix(heard(), "p4") })
			edit("cou_2", 2, orders.Completed)
			send("cou_2", 2, "p5", false)
			if got := heard(); strings.Contains(got, "early") || strings.Contains(got, "stranger") || strings.Contains(got, "replaced") || !strings.HasSuffix(got, "p4") {
				t.Errorf("heard: %s", got)
			}
			b.bus.Unfollow(id)
			if got := get(b, func() int { return len(b.points[other]) }); got > 0 {
				t.Errorf("%d points of an order that nobody followed", got)
			}
			check(t, a, b)
		})
	}
}
