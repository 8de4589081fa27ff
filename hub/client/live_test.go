package client_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"doorbell/hub"
	"doorbell/hub/client"
	"doorbell/orders"
)

// hasty is a Config that does not wait long between attempts.
func (c *cluster) hasty(token func(context.Context) (string, error)) client.Config {
	return client.Config{URL: c.url(), Token: token, MinBackoff: time.Millisecond, MaxBackoff: 20 * time.Millisecond}
}

func TestOrder(t *testing.T) {
	t.Run("a snapshot comes first, then every change", func(t *testing.T) {
		c := startCluster(t, 1, nil)
		id := c.place()
		w := startWatcher(t, c.hasty(c.customer()), "order/"+id)
		if m := next[client.Connected](w); m.Session == "" {
			t.Error("the session has no name")
		}
		if m := next[client.Snapshot](w); m.Seq != 3 || m.OrderID != id || m.Topic != "order/"+id || !strings.Contains(string(m.Order), `"status":"CONFIRMED"`) {
			t.Errorf("%+v", m)
		}
		c.do(id, orders.Ready{}, merchant)
		if m := next[client.Event](w); m.Seq != 4 || m.Type != orders.OrderPreparing || m.Status != orders.Preparing ||
			m.Role != orders.RoleMerchant || m.OccurredAt.IsZero() || m.OrderID != id || len(m.Envelope) == 0 {
			t.Errorf("%+v", m)
		}
		if m := next[client.Event](w); m.Seq != 5 || m.Type != orders.OrderReady {
			t.Errorf("%+v", m)
		}
	})
	t.Run("an order that is not the caller's is a problem, and is not asked for again", func(t *testing.T) {
		c := startCluster(t, 1, nil)
		id := c.place()
		w := startWatcher(t, c.hasty(fixed(tokenOf(t, orders.RoleCustomer, "cus_2", time.Hour))), "order/"+id)
		if m := next[client.Problem](w); m.Kind != orders.NotFound || m.Topic != "order/"+id {
			t.Errorf("%+v", m)
		}
		c.proxy.cut()
		next[client.Connected](w)
		c.step(id)
		until(t, "the hub has the new session and no topic", func() bool { return c.nodes[0].hub.Sessions() == 1 && c.nodes[0].hub.Topics() == 0 })
		if n := count[client.Problem](w); n != 1 {
			t.Errorf("told %d problems", n)
		}
	})
	t.Run("what is no topic and what is too much is told without the hub", func(t *testing.T) {
		c := startCluster(t, 1, nil)
		w := startWatcher(t, c.hasty(c.ops()), "menu/1")
		if m := next[client.Problem](w); m.Kind != orders.Invalid || m.Topic != "menu/1" {
			t.Errorf("%+v", m)
		}
		for i := range 201 {
			w.Watch(fmt.Sprintf("restaurant/res_%d_%s", i, strings.Repeat("x", 50)), 0)
		}
		if m := next[client.Problem](w); m.Kind != orders.Exhausted || !strings.HasPrefix(m.Topic, "restaurant/res_200_") {
			t.Errorf("%+v", m)
		}
		until(t, "200 boards are watched", func() bool { return c.nodes[0].hub.Topics() == 200 })
		for i := range 201 {
			w.Unwatch(fmt.Sprintf("restaurant/res_%d_%s", i, strings.Repeat("x", 50)))
		}
		until(t, "none is", func() bool { return c.nodes[0].hub.Topics() == 0 })
	})
	t.Run("a replaced courier is told that the order is gone", func(t *testing.T) {
		c := startCluster(t, 1, nil)
		id := c.place()
		c.do(id, orders.Assign{Courier: orders.Courier{ID: "cou_1", Name: "Wang"}}, ops)
		w := startWatcher(t, c.hasty(fixed(tokenOf(t, orders.RoleCourier, "cou_1", time.Hour))), "order/"+id)
		next[client.Snapshot](w)
		c.do(id, orders.Assign{Courier: orders.Courier{ID: "cou_2", Name: "Li"}}, ops)
		if m := next[client.Gone](w); m.Topic != "order/"+id || m.OrderID != id || m.Board != "" {
			t.Errorf("%+v", m)
		}
	})
	t.Run("unwatched is unheard, watched anew begins anew", func(t *testing.T) {
		c := startCluster(t, 1, nil)
		id, other := c.place(), c.place()
		w := startWatcher(t, c.hasty(c.customer()), "order/"+id, "order/"+other)
		until(t, "both are seen", func() bool { return w.at("order/"+id) == 3 && w.at("order/"+other) == 3 })
		w.Unwatch("order/" + id)
		c.step(id)
		c.step(other)
		until(t, "the other's change is heard", func() bool { return w.at("order/"+other) == 4 })
		w.Watch("order/"+id, 3)
		if m := next[client.Event](w); m.Seq != 4 {
			t.Errorf("%+v", m)
		}
		until(t, "the change in between is heard", func() bool { return w.at("order/"+id) == 4 })
		w.mu.Lock()
		w.seq["order/"+id] = 0
		w.mu.Unlock()
		for range 20 { // each begins anew; what is still on its way of the ones before must not be taken for an answer
			w.Watch("order/"+id, 0)
		}
		until(t, "a snapshot comes", func() bool { return w.at("order/"+id) == 4 })
	})
}

func TestAck(t *testing.T) {
	c := startCluster(t, 1, nil)
	id := c.place()
	w := startWatcher(t, c.hasty(c.customer()), "order/"+id)
	w.Ack("ord_never_seen", 3)
	w.Ack(id, 3) // before it was shown: kept until then
	heard := func(seq int64) {
		t.Helper()
		select {
		case a := <-c.acks:
			if a.order != id || a.seq != seq || a.by.ID != "cus_1" {
				t.Fatalf("%+v", a)
			}
		case <-time.After(5 * time.Second):
			t.Fatal("not acknowledged")
		}
	}
	heard(3)
	c.proxy.shut(true)
	w.Ack(id, 4) // without a socket, and before it has happened
	c.step(id)
	c.proxy.shut(false)
	heard(4)
	for range 50 {
		w.Ack(id, c.step(id))
	}
	for heard := range c.acks {
		if heard.seq == 54 {
			break
		}
	}
	if n := count[client.Problem](w); n > 0 {
		t.Errorf("%d acks were refused", n)
	}
}

func TestBoard(t *testing.T) {
	c := startCluster(t, 1, nil)
	var ids []string
	for range 20 {
		ids = append(ids, c.place())
	}
	w := startWatcher(t, c.hasty(fixed(tokenOf(t, orders.RoleMerchant, "mer_1", time.Hour, "res_1"))), "restaurant/res_1")
	all := func(seq int64) func() bool {
		return func() bool {
			for _, id := range ids {
				if w.on("restaurant/res_1", id) != seq {
					return false
				}
			}
			return true
		}
	}
	if m := next[client.BoardPage](w); !m.First || !m.More {
		t.Errorf("first page: First %v, More %v", m.First, m.More)
	}
	until(t, "all are shown", all(3))
	for _, id := range ids {
		c.step(id)
	}
	until(t, "all have changed", all(4))
	if m := next[client.Event](w); m.Board != "restaurant/res_1" || m.Topic != "order/"+m.OrderID || m.Seq != 4 {
		t.Errorf("%+v", m)
	}
	fresh := c.place()
	until(t, "a new one is shown", func() bool { return w.on("restaurant/res_1", fresh) == 3 })
	c.proxy.shut(true)
	for _, id := range ids {
		c.step(id)
	}
	c.do(ids[0], orders.Cancel{Reason: orders.Admin}, ops)
	ids = ids[1:]
	c.proxy.shut(false)
	until(t, "the board is whole again", all(5))
	w.Ack(ids[3], 5)
	select {
	case a := <-c.acks:
		if a.order != ids[3] || a.seq != 5 {
			t.Errorf("%+v", a)
		}
	case <-time.After(5 * time.Second):
		t.Error("not acknowledged")
	}
}

func TestReconnect(t *testing.T) {
	t.Run("resumes where it was, by the events that were missed", func(t *testing.T) {
		c := startCluster(t, 1, nil)
		id := c.place()
		w := startWatcher(t, c.hasty(c.customer()), "order/"+id)
		next[client.Snapshot](w)
		c.proxy.cut()
		if m := next[client.Disconnected](w); orders.KindOf(m.Err) != orders.Unavailable || m.RetryIn > 20*time.Millisecond {
			t.Errorf("%+v", m)
		}
		if m := next[client.Current](w); m.Seq != 3 || m.OrderID != id {
			t.Errorf("%+v", m)
		}
		c.proxy.shut(true)
		for range 5 {
			c.step(id)
		}
		c.proxy.shut(false)
		for seq := int64(4); seq <= 8; seq++ {
			if m := next[client.Event](w); m.Seq != seq {
				t.Errorf("%+v", m)
			}
		}
		if n := count[client.Snapshot](w); n != 1 {
			t.Errorf("%d snapshots", n)
		}
	})
	t.Run("a long absence ends with a snapshot", func(t *testing.T) {
		c := startCluster(t, 1, nil)
		id := c.place()
		w := startWatcher(t, c.hasty(c.customer()), "order/"+id)
		next[client.Snapshot](w)
		c.proxy.shut(true)
		for range 70 {
			c.step(id)
		}
		c.proxy.shut(false)
		if m := next[client.Snapshot](w); m.Seq != 73 {
			t.Errorf("%d", m.Seq)
		}
	})
	t.Run("a token that was revoked is followed by a new one at once", func(t *testing.T) {
		c := startCluster(t, 1, nil)
		id := c.place()
		var asked atomic.Int32
		w := startWatcher(t, client.Config{URL: c.url(), Token: func(context.Context) (string, error) {
			asked.Add(1)
			return tokenOf(t, orders.RoleCustomer, "cus_1", time.Hour), nil
		}}, "order/"+id)
		next[client.Snapshot](w)
		c.nodes[0].hub.Revoke("cus_1", time.Now())
		if m := next[client.Disconnected](w); orders.KindOf(m.Err) != orders.Unauthenticated || m.RetryIn != 0 {
			t.Errorf("%+v", m)
		}
		if next[client.Current](w); asked.Load() != 2 {
			t.Errorf("asked for %d tokens", asked.Load())
		}
	})
	t.Run("what would not be mended ends Run", func(t *testing.T) {
		c := startCluster(t, 1, nil)
		for _, p := range []struct {
			name string
			cfg  client.Config
			want orders.Kind
		}{
			{"a URL of another kind", client.Config{URL: "ftp://bell.example", Token: c.customer()}, orders.Invalid},
			{"no host", client.Config{URL: "/v1", Token: c.customer()}, orders.Invalid},
			{"no token", client.Config{URL: c.url()}, orders.Invalid},
			{"another path", client.Config{URL: c.url() + "/elsewhere", Token: c.customer()}, orders.NotFound},
			{"a role that has no sockets", client.Config{URL: c.url(), Token: fixed(tokenOf(t, orders.RolePayment, "pay_1", time.Hour))}, orders.Forbidden},
		} {
			t.Run(p.name, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
				defer cancel()
				if err := client.New(p.cfg).Run(ctx); orders.KindOf(err) != p.want {
					t.Errorf("%v, want %s", err, p.want)
				}
			})
		}
	})
	t.Run("a bad token is tried again with a pause, not at once for ever", func(t *testing.T) {
		c := startCluster(t, 1, nil)
		var asked atomic.Int32
		w := startWatcher(t, client.Config{URL: c.url(), MinBackoff: time.Hour, Token: func(context.Context) (string, error) {
			asked.Add(1)
			return "no token at all", nil
		}})
		if m := next[client.Disconnected](w); orders.KindOf(m.Err) != orders.Unauthenticated || m.RetryIn != 0 {
			t.Errorf("%+v", m)
		}
		if m := next[client.Disconnected](w); m.RetryIn == 0 || asked.Load() != 2 {
			t.Errorf("%+v, asked %d times", m, asked.Load())
		}
	})
	t.Run("Run may be called again, and not twice at a time", func(t *testing.T) {
		c := startCluster(t, 1, nil)
		id := c.place()
		w := startWatcher(t, c.hasty(c.customer()), "order/"+id)
		next[client.Snapshot](w)
		if err := w.Run(context.Background()); err == nil {
			t.Error("a second Run ran")
		}
		w.stop()
		if err := w.ended(); err != nil {
			t.Error(err)
		}
		until(t, "the hub has no session", func() bool { return c.nodes[0].hub.Sessions() == 0 })
		c.step(id)
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error)
		go func() { done <- w.Run(ctx) }()
		if m := next[client.Event](w); m.Seq != 4 || count[client.Snapshot](w) != 1 {
			t.Errorf("%+v", m)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// TestRenewal has a token run out for real.
func TestRenewal(t *testing.T) {
	t.Parallel()
	c := startCluster(t, 1, nil)
	id := c.place()
	var asked atomic.Int32
	w := startWatcher(t, client.Config{URL: c.url(), Token: func(context.Context) (string, error) {
		asked.Add(1)
		return tokenOf(t, orders.RoleCustomer, "cus_1", 3*time.Second), nil
	}}, "order/"+id)
	next[client.Snapshot](w)
	time.Sleep(5 * time.Second) // the first token has ended, and then some: the hub looks once a second
	c.step(id)
	if m := next[client.Event](w); m.Seq != 4 || asked.Load() < 2 || count[client.Connected](w) != 1 {
		t.Errorf("%+v, asked for %d tokens, connected %d times", m, asked.Load(), count[client.Connected](w))
	}
}

// TestMaxAge: nodes let go of old sessions by themselves.
func TestMaxAge(t *testing.T) {
	t.Parallel()
	c := startCluster(t, 2, func(h *hub.Config) { h.MaxAge = 2 * time.Second })
	id := c.place()
	w := startWatcher(t, c.hasty(c.customer()), "order/"+id)
	next[client.Snapshot](w)
	next[client.Connected](w)
	if m := next[client.Current](w); m.Seq != 3 {
		t.Errorf("%+v", m)
	}
	c.step(id)
	next[client.Event](w)
	if n := count[client.Disconnected](w); n != 0 {
		t.Errorf("offline %d times", n)
	}
}

func TestMove(t *testing.T) {
	t.Run("a drained node's clients move without a gap and without being offline", func(t *testing.T) {
		c := startCluster(t, 2, nil)
		id, other := c.place(), c.place()
		w := startWatcher(t, c.hasty(c.customer()), "order/"+id, "order/"+other)
		board := startWatcher(t, c.hasty(fixed(tokenOf(t, orders.RoleMerchant, "mer_1", time.Hour, "res_1"))), "restaurant/res_1")
		next[client.Snapshot](w)
		next[client.BoardPage](board)
		stop := make(chan struct{})
		stopped := make(chan struct{})
		go func() {
			defer close(stopped)
			for {
				select {
				case <-stop:
					return
				default:
					c.step(id)
				}
			}
		}()
		c.drain(c.nodes[0], c.nodes[1], 400*time.Millisecond)
		if n := c.nodes[0].hub.Sessions(); n != 0 {
			t.Errorf("%d sessions are left", n)
		}
		close(stop)
		<-stopped
		last := c.step(id)
		until(t, "everything is heard", func() bool { return w.at("order/"+id) == last && board.on("restaurant/res_1", id) == last })
		for _, w := range []*watcher{w, board} {
			if n := count[client.Disconnected](w); n != 0 {
				t.Errorf("offline %d times", n)
			}
			if n := count[client.Connected](w); n != 2 {
				t.Errorf("connected %d times", n)
			}
		}
	})
	t.Run("without another node the old socket is kept while it lives", func(t *testing.T) {
		c := startCluster(t, 1, nil)
		id := c.place()
		w := startWatcher(t, c.hasty(c.customer()), "order/"+id)
		next[client.Snapshot](w)
		c.proxy.mu.Lock()
		c.proxy.down = true // for new ones only
		c.proxy.mu.Unlock()
		drained := make(chan struct{})
		go func() {
			defer close(drained)
			c.nodes[0].hub.Drain(context.Background(), 800*time.Millisecond, 0)
		}()
		time.Sleep(300 * time.Millisecond)
		c.step(id)
		if m := next[client.Event](w); m.Seq != 4 || count[client.Disconnected](w) != 0 {
			t.Errorf("%+v, offline %d times", m, count[client.Disconnected](w))
		}
		<-drained
		next[client.Disconnected](w)
	})
}
