package callback

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"doorbell/orders"
)

// world is a disk, receivers and a node, in a bubble of virtual time.
type world struct {
	t    *testing.T
	disk *disk
	to   *receivers
	*node
}

// node is one running engine.
type node struct {
	*Engine
	door   *door
	client *Client
	cancel context.CancelFunc
	ended  chan struct{}

	mu      sync.Mutex // guards the following
	notices []Notice
}

func (n *node) Notice(v Notice) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.notices = append(n.notices, v)
}

func (n *node) noticed() (all []NoticeType) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, v := range n.notices {
		all = append(all, v.Type)
	}
	return all
}

// run starts a node on the world's disk.
func (w *world) run(name string, alone bool, change func(*Config)) *node {
	w.t.Helper()
	return w.runAt(w.disk.door(name, alone), change)
}

// runAt starts a node behind a door.
func (w *world) runAt(d *door, change func(*Config)) *node {
	w.t.Helper()
	n := &node{door: d, client: w.to.client(), ended: make(chan struct{})}
	cfg := Config{Client: n.client, Log: zerolog.Nop(), Notices: n}
	if change != nil {
		change(&cfg)
	}
	e, err := New(n.door, cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	n.Engine = e
	e.chance = func() float64 { return 0.5 } // no jitter
	ctx, cancel := context.WithCancel(w.t.Context())
	n.cancel = cancel
	go func() { _ = e.Run(ctx); close(n.ended) }()
	w.t.Cleanup(n.stop)
	synctest.Wait()
	return n
}

// stop ends a node in an orderly way.
func (n *node) stop() {
	n.cancel()
	<-n.ended
	n.client.Close()
}

// kill ends a node as kill -9 does: from now on nothing of it reaches the disk, nor the network.
func (n *node) kill() {
	n.door.cutOff(true)
	n.set(func() { n.running = false; n.dropAll() })
	n.stop()
}

// inWorld runs a test on one node that is alone, in virtual time.
func inWorld(t *testing.T, endpoints []Endpoint, f func(t *testing.T, w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t, disk: newDisk(endpoints...), to: newReceivers(t)}
		for _, e := range endpoints {
			if u, err := e.target(KindEvent); err == nil {
				w.disk.proven[originOf(u)] = true
			}
		}
		w.node = w.run("one", true, nil)
		f(t, w)
	})
}

// at is an endpoint of a merchant at a host of its own.
func at(host string) Endpoint {
	return Endpoint{
		ID: EndpointPrefix + host, URL: "http://" + host + "/cb", State: StateEnabled, Deliver: orders.DeliverAlways,
		Owner:   orders.Caller{Actor: orders.Actor{Role: orders.RoleMerchant, ID: "mer_1"}, Restaurants: []string{"res_1"}},
		Signing: Signing{Secret: NewSecret()},
	}
}

// row is a callback of an order's event, made now.
func row(e Endpoint, lane string, seq int64, t orders.EventType) Row {
	ev := orders.Event{OrderID: lane, Seq: seq, Type: t, Envelope: fmt.Appendf(nil, `{"seq":%d}`, seq)}
	return e.row(KindEvent, ClassOf(t), ev, time.Now())
}

// commit stores rows and tells the node.
func (w *world) commit(rows ...Row) {
	w.disk.commit(rows...)
	w.Fresh(rows)
}

// after lets virtual time pass, and all that follows from it happen.
func after(d time.Duration) {
	time.Sleep(d) // virtual
	synctest.Wait()
}
