package callback

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"doorbell/orders"
)

// inCluster runs a test on so many nodes that share a disk, in virtual time. No node hears of what another commits.
func inCluster(t *testing.T, nodes int, endpoints []Endpoint, f func(t *testing.T, w *world, all []*node)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t, disk: newDisk(endpoints...), to: newReceivers(t)}
		for _, e := range endpoints {
			u, _ := e.target(KindEvent)
			w.disk.proven[originOf(u)] = true
		}
		var all []*node
		for i := range nodes {
			all = append(all, w.run(fmt.Sprintf("node%d", i), false, nil))
		}
		after(3 * time.Second) // shards go round
		w.node = all[0]
		f(t, w, all)
	})
}

func many(n int) (all []Endpoint) {
	for i := range n {
		all = append(all, at(fmt.Sprintf("h%d.test", i)))
	}
	return all
}

// once fails for what arrived twice, and for what did not arrive.
func once(t *testing.T, w *world, want int) {
	t.Helper()
	ids := w.to.ids()
	slices.Sort(ids)
	if all := len(ids); len(slices.Compact(ids)) != all || all != want {
		t.Errorf("%d arrivals of %d callbacks, want %d of each once", all, len(slices.Compact(ids)), want)
	}
}

func TestNodesShare(t *testing.T) {
	all := many(200)
	inCluster(t, 3, all, func(t *testing.T, w *world, nodes []*node) {
		for _, n := range nodes {
			if h := n.held(); h < Shards/3-2 || h > Shards/3+1 {
				t.Errorf("%s holds %d shards of %d", n.door.node, h, Shards)
			}
		}
		for i, e := range all {
			r := row(e, fmt.Sprintf("ord_%d", i), 1, orders.OrderReady)
			w.disk.commit(r)
			for _, n := range nodes { // the bus tells all
				n.Wake(r.Lane)
			}
		}
		after(20 * time.Millisecond)
		once(t, w, len(all))
	})
}

// TestNodesTakeOver: what a node that is killed was to send is sent by another within 2 s of its due time.
func TestNodesTakeOver(t *testing.T) {
	all := many(100)
	for early := time.Duration(0); early < 500*time.Millisecond; early += 90 * time.Millisecond {
		inCluster(t, 2, all, func(t *testing.T, w *world, nodes []*node) {
			after(early) // of its renewals
			nodes[1].kill()
			killed := time.Now()
			for i, e := range all {
				r := row(e, fmt.Sprintf("ord_%d", i), 1, orders.OrderReady)
				w.disk.commit(r)
				nodes[0].Wake(r.Lane)
			}
			after(time.Minute)
			once(t, w, len(all))
			for _, a := range w.to.arrivals() {
				if d := a.at.Sub(killed); d > orders.LeaseFor+50*time.Millisecond {
					t.Errorf("%s came %v after the other node died", a.id, d)
				}
			}
		})
	}
}

// TestNodesKilled: nodes are killed at any moment, tries under way; every callback arrives, in order, and no more of
// them twice than were under way.
func TestNodesKilled(t *testing.T) {
	all := many(20)
	inCluster(t, 2, all, func(t *testing.T, w *world, nodes []*node) {
		w.to.always(reply{after: 30 * time.Millisecond})
		n := 0
		for round := range 6 {
			for seq := range 3 {
				for i, e := range all {
					r := row(e, fmt.Sprintf("ord_%d_%d", round, i), int64(seq+1), orders.OrderAmended)
					w.disk.commit(r)
					n++
					for _, x := range nodes {
						x.Wake(r.Lane)
					}
				}
				after(17 * time.Millisecond)
			}
			nodes[round%2].kill()
			after(3 * time.Second)
			nodes[round%2] = w.run(fmt.Sprintf("again%d", round), false, nil)
			after(3 * time.Second)
		}
		after(time.Minute)
		if w.disk.waiting() != 0 {
			t.Errorf("%d rows wait", w.disk.waiting())
		}
		seen := map[string]bool{}
		highest := map[string]int64{}
		for _, s := range w.disk.log {
			if s.Outcome == Delivered && !seen[s.MessageID()] {
				seen[s.MessageID()] = true
				if s.Seq < highest[s.Lane] {
					t.Errorf("%s: %d was delivered first behind %d", s.Lane, s.Seq, highest[s.Lane])
				}
				highest[s.Lane] = s.Seq
			}
		}
		if len(seen) != n {
			t.Errorf("%d delivered of %d", len(seen), n)
		}
		if again := len(w.to.arrivals()) - n; again > 6*len(all) {
			t.Errorf("%d arrived again", again)
		}
	})
}

// TestNodesNotTold: rows of which no message told are found by looking, inside P3.
func TestNodesNotTold(t *testing.T) {
	all := many(50)
	inCluster(t, 2, all, func(t *testing.T, w *world, _ []*node) {
		for round := range 5 {
			begun, before := time.Now(), len(w.to.arrivals())
			for i, e := range all {
				w.disk.commit(row(e, fmt.Sprintf("ord_%d_%d", round, i), 1, orders.OrderReady))
			}
			after(1900 * time.Millisecond)
			got := w.to.arrivals()[before:]
			if len(got) != len(all) {
				t.Errorf("%d of %d arrived in %v", len(got), len(all), time.Since(begun))
			}
		}
		once(t, w, 5*len(all))
	})
}

// TestNodesMove: a node that joins gets its share and one that leaves gives its own back, and nothing is sent twice.
func TestNodesMove(t *testing.T) {
	all := many(100)
	inCluster(t, 1, all, func(t *testing.T, w *world, nodes []*node) {
		w.to.always(reply{after: 40 * time.Millisecond})
		n := 0
		var joined []*node
		for step := range 1200 { // 100 ms each
			for range 3 {
				e := all[n%len(all)]
				r := row(e, fmt.Sprintf("ord_%d", n), 1, orders.OrderReady)
				w.disk.commit(r)
				n++
				for _, x := range append(joined, nodes...) {
					x.Wake(r.Lane)
				}
			}
			after(100 * time.Millisecond)
			switch step {
			case 200, 400:
				joined = append(joined, w.run(fmt.Sprintf("joins%d", step), false, nil))
			case 600:
				joined[0].stop()
				joined = joined[1:]
			}
		}
		after(10 * time.Second)
		once(t, w, n)
		if a, b := nodes[0].held(), joined[0].held(); a != Shards/2 || b != Shards/2 {
			t.Errorf("they hold %d and %d shards", a, b)
		}
	})
}

// TestNodesCutOff: a node that cannot reach the store lets go of what it sends before another may begin, and comes back.
func TestNodesCutOff(t *testing.T) {
	all := many(40)
	inCluster(t, 2, all, func(t *testing.T, w *world, nodes []*node) {
		w.to.always(reply{after: time.Hour})
		for i, e := range all {
			w.disk.commit(row(e, fmt.Sprintf("ord_%d", i), 1, orders.OrderReady))
		}
		after(2 * time.Second)
		nodes[1].door.cutOff(true)
		cut := time.Now()
		for {
			after(10 * time.Millisecond)
			n := 0
			nodes[1].set(func() { n = nodes[1].inFlight })
			if n == 0 {
				break
			}
			if time.Since(cut) > orders.LeaseFor+10*time.Millisecond {
				t.Fatalf("still sends %d, %v after its lease could last be renewed", n, time.Since(cut))
			}
		}
		w.to.always(reply{})
		after(time.Minute)
		if w.disk.waiting() != 0 {
			t.Errorf("%d rows wait", w.disk.waiting())
		}
		nodes[1].door.cutOff(false)
		after(5 * time.Second)
		if h := nodes[1].held(); h != Shards/2 {
			t.Errorf("it holds %d shards when it is back", h)
		}
	})
}

// TestNodesFlakyStore: calls of the store fail now and then, of a node that is alone and of two; nothing is lost, and of
// what a node did not lose its lease over nothing is sent twice.
func TestNodesFlakyStore(t *testing.T) {
	all := many(30)
	check := func(t *testing.T, w *world, nodes []*node) {
		for i, n := range nodes {
			n.door.gate.Lock()
			n.door.flaky = rand.New(rand.NewPCG(7, uint64(i)))
			n.door.gate.Unlock()
		}
		w.to.always(reply{after: 5 * time.Millisecond})
		for i := range 600 {
			r := row(all[i%len(all)], fmt.Sprintf("ord_%d", i), 1, orders.OrderReady)
			w.disk.commit(r)
			for _, n := range nodes {
				n.Fresh([]Row{r})
				n.Wake(r.Lane)
			}
			after(10 * time.Millisecond)
		}
		after(time.Minute)
		seen := map[string]bool{}
		for _, id := range w.to.ids() {
			seen[id] = true
		}
		if n := w.disk.waiting(); len(seen) != 600 || n != 0 {
			t.Errorf("%d of 600 arrived, %d wait", len(seen), n)
		}
		if n := len(w.to.ids()); len(nodes) == 1 && n != 600 {
			t.Errorf("%d arrivals", n)
		}
	}
	t.Run("alone", func(t *testing.T) {
		inWorld(t, all, func(t *testing.T, w *world) { check(t, w, []*node{w.node}) })
	})
	t.Run("two", func(t *testing.T) { inCluster(t, 2, all, check) })
}

// TestNodesClock: the store's clock counts, not the node's.
func TestNodesClock(t *testing.T) {
	e := at("a.test")
	inCluster(t, 1, []Endpoint{e}, func(t *testing.T, w *world, nodes []*node) {
		const fast = 10 * time.Minute // the store's clock
		nodes[0].set(func() { nodes[0].offset = fast })
		r := row(e, "ord_1", 1, orders.OrderReady)
		r.Due = r.Due.Add(fast)
		if now := nodes[0].now(); now.Sub(r.Due).Abs() > time.Millisecond {
			t.Errorf("it is %v to the node when it is %v to the store", now, r.Due)
		}
		var e Engine
		begun := time.Now()
		e.poke = make(chan struct{}, 1)
		e.setClock(begun.Add(fast).Round(0), begun)
		if d := e.offset - fast; d.Abs() > time.Millisecond {
			t.Errorf("offset %v", e.offset)
		}
	})
}
