package bus_test

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"doorbell/hub/bus"
	"doorbell/hub/bus/proxytest"
	"doorbell/hub/bus/redistest"
	"doorbell/orders"
)

// promised is P3: whole again after a fault of the bus, or after a message was lost.
const promised = 2 * time.Second

// lasts lets a fault, or load, last. Nothing is taken to be done by then.
func lasts(d time.Duration) { <-time.After(d) }

// through is a Redis as a node sees it through a proxy.
func through(t *testing.T, s *redistest.Server) (*proxytest.Proxy, string) {
	p := proxytest.New(t, s.Addr())
	return p, "redis://" + p.Addr()
}

// Messages that are lost, repeated and passed by others come to the people behind a node once each and in order, without a
// question to the database.
func TestRedis_LostRepeatedReordered(t *testing.T) {
	t.Parallel()
	server, store := redistest.Start(t), newMemory()
	p, url := through(t, server)
	var held []byte
	p.OnReply(func(reply []byte, _ int) [][]byte {
		if _, payload, ok := proxytest.Message(reply); !ok || string(payload) == "?" {
			return [][]byte{reply}
		}
		switch rand.IntN(8) {
		case 0: // lost
			return nil
		case 1: // repeated
			return [][]byte{reply, reply}
		case 2: // passed by the next
			if held == nil {
				held = slices.Clone(reply)
				return nil
			}
		}
		if held != nil {
			late := held
			held = nil
			return [][]byte{reply, late}
		}
		return [][]byte{reply}
	})
	a, b := start(t, "a", server.URL(), store), start(t, "b", url, store, hubOnly)
	waitBegun(t, a, b)
	compares := get(b, func() int { return b.compares })
	ids := place(store, a.bus, 100)
	stop := load(store, time.Millisecond, ids, a.bus)
	wait(t, patience, "many changes", func() bool { return counted(t, b.reg, "doorbell_bus_received_total") > 2500 })
	stop()
	t.Logf("whole %v after the last change", wait(t, promised, "everything to be heard", b.whole))
	if b.gaps > 0 || b.repeats > 0 || b.compares > compares {
		t.Errorf("%d gaps, %d repeats, %d questions to the database", b.gaps, b.repeats, b.compares-compares)
	}
	if counted(t, b.reg, "doorbell_bus_heals_total", "gap") == 0 {
		t.Error("nothing was healed: the proxy lost nothing")
	}
	check(t, a, b)
}

// A message lost with nothing behind it is found by its partition's counter.
func TestRedis_TheLastMessageLost(t *testing.T) {
	t.Parallel()
	server, store := redistest.Start(t), newMemory()
	p, url := through(t, server)
	p.OnReply(proxytest.Pass)
	a, b := start(t, "a", server.URL(), store), start(t, "b", url, store, hubOnly)
	waitBegun(t, a, b)
	id := store.place(a.bus)
	wait(t, patience, "the order", b.whole)
	p.OnReply(func(reply []byte, _ int) [][]byte {
		if _, _, ok := proxytest.Message(reply); ok {
			return nil
		}
		return [][]byte{reply}
	})
	store.change(a.bus, id, nil)
	t.Logf("healed after %v", wait(t, promised, "the change", b.whole))
	if b.gaps > 0 {
		t.Error("it came by another way")
	}
}

// Whatever is done to Redis under load, people are whole again soon after, and see no step back.
func TestRedis_Disasters(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		do   func(t *testing.T, s *redistest.Server)
		gens int // generations begun
	}{
		{"Killed", func(t *testing.T, s *redistest.Server) { s.Kill(); s.Start() }, 1},
		{"AwayForLong", func(t *testing.T, s *redistest.Server) { s.Kill(); lasts(3 * time.Second); s.Start() }, 1},
		{"Emptied", func(t *testing.T, s *redistest.Server) { s.Flush() }, 1},
		{"RestoredFromAnOldFile", func(t *testing.T, s *redistest.Server) {
			file := s.Save()
			lasts(700 * time.Millisecond)
			s.RestoreFile(file)
		}, 1},
		{"CountersLost", func(t *testing.T, s *redistest.Server) { // as by an eviction that nobody should configure
			keys, _ := s.Client().Keys(t.Context(), "*:n").Result()
			s.Client().Del(t.Context(), keys...)
		}, 1},
		{"ScriptsForgotten", func(t *testing.T, s *redistest.Server) { s.Client().ScriptFlush(t.Context()) }, 0},
		{"ConnectionsKilled", func(t *testing.T, s *redistest.Server) {
			s.Client().ClientKillByFilter(t.Context(), "TYPE", "normal")
			s.Client().ClientKillByFilter(t.Context(), "TYPE", "pubsub")
		}, 0},
		{"Paused", func(t *testing.T, s *redistest.Server) {
			s.Pause()
			lasts(3 * time.Second)
			s.Resume()
		}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			server, store := redistest.Start(t), newMemory()
			a, b := start(t, "a", server.URL(), store), start(t, "b", server.URL(), store)
			waitBegun(t, a, a, b)
			gens := store.renewals()
			stop := load(store, 2*time.Millisecond, place(store, a.bus, 50), a.bus, b.bus)
			lasts(300 * time.Millisecond)
			c.do(t, server)
			over := time.Now()
			lasts(500 * time.Millisecond)
			stop()
			for _, n := range []*node{a, b} {
				wait(t, patience, "people to be whole", n.whole)
			}
			t.Logf("whole %v after the fault", time.Since(over))
			if took := time.Since(over); took > promised+500*time.Millisecond {
				t.Errorf("whole again after %v", took)
			}
			wait(t, patience, "the outbox to be swept", func() bool { return store.unpublished() == 0 })
			for _, n := range []*node{a, b} {
				wait(t, patience, "the end of degraded", func() bool { return !get(n, func() bool { return n.degraded }) })
			}
			if got := store.renewals() - gens; got != c.gens {
				t.Errorf("%d generations were begun, want %d", got, c.gens)
			}
			id := store.place(a.bus) // and it goes on
			wait(t, promised, "a change after it", func() bool { return get(b, func() int64 { return b.last[id] }) == 1 })
			check(t, a, b)
		})
	}
}

// A node that cannot reach Redis says so within moments, keeps nothing for it, and publishes the latest state first when
// it is back.
func TestRedis_BlackHole(t *testing.T) {
	t.Parallel()
	server, store := redistest.Start(t), newMemory()
	p, url := through(t, server)
	a, b := start(t, "a", url, store), start(t, "b", server.URL(), store, hubOnly)
	waitBegun(t, a, a, b)
	ids := place(store, a.bus, 20)
	wait(t, patience, "everything", b.whole)
	p.BlackHole()
	stop := load(store, time.Millisecond, ids, a.bus)
	took := wait(t, patience, "the node to notice", func() bool { return get(a, func() bool { return a.degraded }) })
	if t.Logf("noticed after %v", took); took > 2500*time.Millisecond {
		t.Errorf("noticed after %v", took)
	}
	if get(b, func() bool { return b.degraded }) || a.bus.Ready() != nil {
		t.Error("the other node is degraded too, or this one is not ready")
	}
	begin := time.Now()
	for range 1000 {
		if _, ok := a.bus.Order(t.Context(), ids[0]); ok {
			t.Fatal("a Redis that is away answered")
		}
	}
	if took := time.Since(begin); took > 100*time.Millisecond {
		t.Errorf("1000 questions to a Redis that is away took %v", took)
	}
	wait(t, patience, "what waits to be given up", func() bool { return a.bus.Waiting() == 0 })
	stop()
	p.Heal()
	t.Logf("people on the node whole %v after", wait(t, promised, "people to be whole", a.whole))
	wait(t, promised, "the end of degraded", func() bool { return !get(a, func() bool { return a.degraded }) })
	wait(t, promised, "the other node to hear", b.whole)
	if store.renewals() != 1 {
		t.Errorf("%d generations: the Redis is the same", store.renewals())
	}
	check(t, a, b)
}

// What is published faster than Redis takes it is not piled up.
func TestRedis_NothingPilesUp(t *testing.T) {
	t.Parallel()
	server, store := redistest.Start(t), newMemory()
	a := start(t, "a", server.URL(), store)
	waitBegun(t, a, a)
	id := store.place(a.bus)
	server.Pause()
	for range bus.MaxWaiting + 1000 {
		a.bus.PublishGroup(orders.Group{Orders: []orders.Committed{{Order: &orders.Order{ID: id}, Events: make([]orders.Event, 1)}}})
	}
	if n := a.bus.Waiting(); n > bus.MaxWaiting {
		t.Errorf("%d messages wait", n)
	}
	if counted(t, a.reg, "doorbell_bus_dropped_total", "full") < 900 {
		t.Error("what found no room was not counted")
	}
	server.Resume()
	wait(t, patience, "what waits to go", func() bool { return a.bus.Waiting() == 0 })
}

// A connection for pub/sub that hears nothing though Redis answers costs the people behind it a moment each time, and the
// node its readiness until it hears again.
func TestRedis_Deaf(t *testing.T) {
	t.Parallel()
	server, store := redistest.Start(t), newMemory()
	p, url := through(t, server)
	p.OnReply(proxytest.Pass)
	a, b := start(t, "a", server.URL(), store), start(t, "b", url, store, hubOnly)
	waitBegun(t, a, b)
	made := p.Made()
	p.OnReply(func(reply []byte, _ int) [][]byte {
		if _, _, ok := proxytest.Message(reply); ok {
			return nil
		}
		return [][]byte{reply}
	})
	ids := place(store, a.bus, 20)
	stop := load(store, 10*time.Millisecond, ids, a.bus)
	wait(t, patience, "the node to say that it is deaf", func() bool { return b.bus.Ready() != nil })
	if a.bus.Ready() != nil {
		t.Error("the other node is deaf too")
	}
	wait(t, patience, "another connection", func() bool { return p.Made() > made })
	stop()
	wait(t, promised, "people to be whole all the same", b.whole)
	if b.bus.Ready() == nil {
		t.Error("it takes itself for hearing")
	}
	p.OnReply(proxytest.Pass) // nobody publishes now: the node finds out by itself
	wait(t, promised, "the node to hear again", func() bool { return b.bus.Ready() == nil })
	if b.gaps > 0 || b.degrades > 0 {
		t.Errorf("%d gaps, degraded %d times", b.gaps, b.degrades)
	}
	check(t, a, b)
}

// A node that was away for longer than the streams hold compares with the database.
func TestRedis_TheStreamsAreTooShort(t *testing.T) {
	t.Parallel()
	server, store := redistest.Start(t), newMemory()
	p, url := through(t, server)
	a, b := prepare(t, "a", server.URL(), store), start(t, "b", url, store, hubOnly)
	a.bus.KeepStreams(time.Second)
	a.run()
	waitBegun(t, a, b)
	id := store.place(a.bus)
	wait(t, patience, "the order", b.whole)
	compares := get(b, func() int { return b.compares })
	p.BlackHole()
	entries := func() (n int64) {
		for _, key := range server.Client().Keys(t.Context(), "*:events").Val() {
			n += server.Client().XLen(t.Context(), key).Val()
		}
		return n
	}
	store.change(a.bus, id, nil)
	wait(t, patience, "the change to be published", func() bool { return store.unpublished() == 0 })
	wait(t, patience, "the streams to be cut", func() bool { return entries() == 0 })
	p.Heal()
	wait(t, promised, "people to be whole", b.whole)
	if b.compares == compares || counted(t, b.reg, "doorbell_bus_heals_total", "stream_short") == 0 {
		t.Error("the database was not asked")
	}
	check(t, a, b)
}

// A Sentinel makes a replica the primary that never had the last messages. They were acknowledged by the old one only.
func TestRedis_FailoverToAStaleReplica(t *testing.T) {
	t.Parallel()
	s, store := redistest.StartSentinel(t), newMemory()
	a, b := start(t, "a", s.URL(), store), start(t, "b", s.URL(), store)
	waitBegun(t, a, a, b)
	ids := place(store, a.bus, 20)
	wait(t, patience, "the orders", b.whole)
	primary, replica := s.Servers[0], s.Servers[1]
	offset := func(server *redistest.Server) string {
		info, _ := server.Client().Info(t.Context(), "replication").Result()
		_, rest, _ := strings.Cut(info, "slave_repl_offset:")
		at, _, _ := strings.Cut(rest, "\r")
		return at
	}
	wait(t, patience, "the replica to follow", func() bool { return offset(replica) != "" })
	replica.Pause()
	for _, id := range ids {
		store.change(a.bus, id, nil)
	}
	wait(t, patience, "the old primary to have taken it all", func() bool { return store.unpublished() == 0 && b.whole() })
	primary.Kill()
	replica.Resume()
	s.WaitFailover(primary)
	over := time.Now()
	for _, id := range ids {
		store.change(b.bus, id, nil)
	}
	for _, n := range []*node{a, b} {
		wait(t, patience, "people to be whole", n.whole)
		wait(t, patience, "the end of degraded", func() bool { return !get(n, func() bool { return n.degraded }) })
	}
	t.Logf("whole and in order %v after the failover", time.Since(over))
	if took := time.Since(over); took > 5*time.Second {
		t.Errorf("whole after %v", took)
	}
	wait(t, patience, "the outbox to be swept", func() bool { return store.unpublished() == 0 })
	primary.Start() // it comes back as a replica
	stop := load(store, 5*time.Millisecond, ids, a.bus, b.bus)
	lasts(time.Second)
	stop()
	wait(t, patience, "people to be whole", func() bool { return a.whole() && b.whole() })
	if store.renewals() != 2 {
		t.Errorf("%d generations were begun, want 2", store.renewals())
	}
	check(t, a, b)
}

// A failover in order.
func TestRedis_Failover(t *testing.T) {
	t.Parallel()
	s, store := redistest.StartSentinel(t), newMemory()
	a, b := start(t, "a", s.URL(), store), start(t, "b", s.URL(), store)
	waitBegun(t, a, a, b)
	ids := place(store, a.bus, 20)
	stop := load(store, 5*time.Millisecond, ids, a.bus, b.bus)
	s.Failover()
	over := time.Now()
	lasts(500 * time.Millisecond)
	stop()
	wait(t, patience, "people to be whole", func() bool { return a.whole() && b.whole() })
	if took := time.Since(over); took > 5*time.Second {
		t.Errorf("whole after %v", took)
	}
	t.Logf("whole %v after the failover", time.Since(over))
	wait(t, patience, "the outbox to be swept", func() bool { return store.unpublished() == 0 })
	check(t, a, b)
}

// A master of a Cluster dies and comes back with nothing.
func TestRedis_AMasterOfTheClusterComesBackEmpty(t *testing.T) {
	t.Parallel()
	c, store := redistest.StartCluster(t), newMemory()
	a, b := start(t, "a", c.URL(), store), start(t, "b", c.URL(), store)
	waitBegun(t, a, a, b)
	ids := place(store, a.bus, 60)
	stop := load(store, 5*time.Millisecond, ids, a.bus, b.bus)
	c.Servers[1].Kill()
	wait(t, patience, "the nodes to notice", func() bool {
		return get(a, func() bool { return a.degraded }) && get(b, func() bool { return b.degraded })
	})
	c.Servers[1].Start()
	over := time.Now()
	lasts(500 * time.Millisecond)
	stop()
	wait(t, patience, "people to be whole", func() bool { return a.whole() && b.whole() })
	t.Logf("whole %v after", time.Since(over))
	for _, n := range []*node{a, b} {
		wait(t, patience, "the end of degraded", func() bool { return !get(n, func() bool { return n.degraded }) })
	}
	wait(t, patience, "the outbox to be swept", func() bool { return store.unpublished() == 0 })
	check(t, a, b)
}
