package client_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"doorbell/hub/client"
	"doorbell/orders"
)

// TestP2_EverythingCommittedIsHeardInOrder runs random load on several orders at a time while sockets are cut at random and two nodes are drained
// one after the other. Each watcher's handle holds what it hears against P2; at the end everybody must have everything,
// and what was heard must be what the store has.
func TestP2_EverythingCommittedIsHeardInOrder(t *testing.T) {
	t.Parallel()
	const (
		customers = 3
		workers   = 5                       // orders that run at the same time
		changes   = 20                      // of each, before it is cancelled and another placed
		most      = 150                     // orders in all
		load      = 1200 * time.Millisecond // on each of three nodes
	)
	c := startCluster(t, 3, nil)
	var (
		mu  sync.Mutex // guards ids
		ids []string
	)
	var watchers []*watcher
	for range customers {
		watchers = append(watchers, startWatcher(t, c.hasty(c.customer())))
	}
	fickle := startWatcher(t, c.hasty(c.ops()))
	fickle.hook(func() { // watches anew from where it is, while what it had asked for is on its way
		for topic, seq := range fickle.seq {
			if rand.IntN(20) == 0 {
				fickle.Watch(topic, seq)
			}
			break
		}
	})
	watchers = append(watchers, fickle)
	shop := startWatcher(t, c.hasty(fixed(tokenOf(t, orders.RoleMerchant, "mer_1", time.Hour, "res_1"))), "restaurant/res_1")

	ctx, cancel := context.WithCancel(context.Background())
	var work sync.WaitGroup
	each := func(pause time.Duration, do func()) {
		work.Go(func() {
			for ctx.Err() == nil {
				time.Sleep(rand.N(pause))
				do()
			}
		})
	}
	place := func() (id string) {
		mu.Lock()
		defer mu.Unlock()
		if len(ids) == most {
			return ids[rand.IntN(workers)]
		}
		id = c.place()
		ids = append(ids, id)
		for _, w := range watchers {
			w.Watch("order/"+id, 0)
		}
		return id
	}
	for range workers {
		id, n := place(), 0
		each(15*time.Millisecond, func() {
			if n++; n > changes {
				c.do(id, orders.Cancel{Reason: orders.Admin}, ops)
				id, n = place(), 0
			}
			c.step(id)
		})
	}
	each(40*time.Millisecond, func() { c.proxy.cutOne() })
	each(500*time.Millisecond, func() {
		c.proxy.shut(true)
		time.Sleep(rand.N(30 * time.Millisecond))
		c.proxy.shut(false)
	})
	for i := range c.nodes {
		time.Sleep(load)
		if i+1 < len(c.nodes) {
			c.drain(c.nodes[i], c.nodes[i+1], load/2)
			if n := c.nodes[i].hub.Sessions(); n > 0 {
				t.Errorf("node %d kept %d sessions", i, n)
			}
		}
	}
	cancel()
	work.Wait()

	stored := map[string][]orders.Event{}
	for _, id := range ids {
		list, err := c.store.Events(context.Background(), id, 0, 10_000)
		if err != nil {
			t.Fatal(err)
		}
		stored[id] = list
		for _, w := range watchers {
			if !eventually(func() bool { return w.at("order/"+id) == int64(len(list)) }) {
				t.Fatalf("%s: heard up to %d of %d: %s", id, w.at("order/"+id), len(list), w.tail(id))
			}
		}
		if !eventually(func() bool {
			at := shop.on("restaurant/res_1", id)
			return at == int64(len(list)) || at == 0 && list[len(list)-1].Type == orders.OrderCancelled // and off the board
		}) {
			t.Fatalf("%s: shown at %d, not at %d: %s", id, shop.on("restaurant/res_1", id), len(list), shop.tail(id))
		}
	}
	events, snapshots := 0, 0
	for _, w := range append(watchers, shop) {
		w.mu.Lock()
		for _, m := range w.all {
			switch m := m.(type) {
			case client.Event:
				if list := stored[m.OrderID]; int64(len(list)) < m.Seq || !bytes.Equal(list[m.Seq-1].Envelope, m.Envelope) {
					t.Errorf("%s: event %d is not the store's", m.OrderID, m.Seq)
				}
				events++
			case client.Snapshot:
				snapshots++
			}
		}
		w.mu.Unlock()
	}
	t.Logf("%d orders; heard %d events and %d snapshots over %d sockets", len(ids), events, snapshots, connections(watchers))
}

func connections(ws []*watcher) (n int) {
	for _, w := range ws {
		n += count[client.Connected](w)
	}
	return n
}

// TestP8_ADrainMovesEverybodyWithoutLoss moves a crowd at once: nobody is offline for a moment, whatever happens meanwhile.
func TestP8_ADrainMovesEverybodyWithoutLoss(t *testing.T) {
	t.Parallel()
	c := startCluster(t, 2, nil)
	id := c.place()
	var crowd []*watcher
	for i := range 10 {
		token := fixed(tokenOf(t, orders.RoleOps, fmt.Sprintf("ops_%d", i), time.Hour))
		crowd = append(crowd, startWatcher(t, client.Config{URL: c.url(), Token: token}, "order/"+id, "restaurant/res_1"))
	}
	for _, w := range crowd {
		until(t, "all see it", func() bool { return w.at("order/"+id) > 0 && w.on("restaurant/res_1", id) > 0 })
	}
	ctx, cancel := context.WithCancel(context.Background())
	var work sync.WaitGroup
	work.Go(func() {
		for ctx.Err() == nil {
			c.step(id)
			time.Sleep(20 * time.Millisecond)
		}
	})
	c.drain(c.nodes[0], c.nodes[1], 3*time.Second)
	cancel()
	work.Wait()
	last := c.step(id)
	for i, w := range crowd {
		until(t, "all have it", func() bool { return w.at("order/"+id) == last && w.on("restaurant/res_1", id) == last })
		if n := count[client.Disconnected](w); n > 0 {
			t.Errorf("%d was offline %d times: %v", i, n, first[client.Disconnected](w).Err)
		}
		if n := count[client.Connected](w); n != 2 {
			t.Errorf("%d connected %d times", i, n)
		}
	}
}

// cutOne breaks one connection, if there is any.
func (p *proxy) cutOne() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.open { // in random order
		if t, ok := c.(*net.TCPConn); ok && rand.IntN(2) == 0 {
			_ = t.SetLinger(0)
		}
		_ = c.Close()
		return
	}
}

// tail is the last things that were told, those of other orders aside.
func (w *watcher) tail(id string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []string
	for _, m := range w.all {
		switch m := m.(type) {
		case client.Event:
			if m.OrderID == id {
				out = append(out, fmt.Sprintf("event %d", m.Seq))
			}
		case client.Snapshot:
			if m.OrderID == id {
				out = append(out, fmt.Sprintf("snapshot %d", m.Seq))
			}
		case client.Current:
			if m.OrderID == id {
				out = append(out, fmt.Sprintf("current %d", m.Seq))
			}
		case client.BoardPage:
			line := fmt.Sprintf("page first=%v more=%v of %d", m.First, m.More, len(m.Orders))
			for _, raw := range m.Orders {
				if o, seq := orderAt(raw); o == id {
					line += fmt.Sprintf(" with it at %d", seq)
				}
			}
			out = append(out, line)
		case client.Connected, client.Disconnected, client.Problem, client.Gone:
			out = append(out, fmt.Sprintf("%T%+v", m, m))
		}
	}
	return strings.Join(out[max(0, len(out)-30):], "\n")
}
