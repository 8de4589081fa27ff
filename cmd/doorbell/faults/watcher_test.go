package faults

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"doorbell/hub/client"
	"doorbell/hub/wire"
	"doorbell/orders"
)

// watcher is a client with a live socket, and the person in front of it.
type watcher struct {
	person
	*view
	tap tap
	socketClient
}

// socketClient keeps a socket to some hub node, and comes back whenever it breaks.
type socketClient interface {
	run(ctx context.Context) error
	watch(topic string)
	unwatch(topic string)
}

// owed reports whether the watcher is to hear of an order.
func (w *watcher) owed(e entry) bool {
	switch w.role {
	case orders.RoleCustomer:
		return e.customer == w.person.id
	case orders.RoleMerchant:
		return e.restaurant == w.person.id && e.shown
	case orders.RoleCourier:
		return e.courier == w.person.id
	}
	return false
}

// board reports whether the watcher watches a board rather than orders.
func (w *watcher) board() bool { return w.role != orders.RoleCustomer }

// httpClient makes the handshakes of one watcher, to any node that the balancer picks.
func httpClient(b *balancer, t *tap) *http.Client {
	return &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: t.wrap(b.dial("hub"))}}
}

// backoffMin and backoffMax are shorter than a phone's, so that what is measured is the installation.
const (
	backoffMin = 50 * time.Millisecond
	backoffMax = 400 * time.Millisecond
)

// newLive makes a watcher that is the product's own client.
func newLive(b *balancer, o *oracle, p person) *watcher {
	w := newWatcher(o, p, "client", true)
	w.socketClient = live{client.New(client.Config{
		URL: "http://hub.test", HTTPClient: httpClient(b, &w.tap), MinBackoff: backoffMin, MaxBackoff: backoffMax,
		Token:  func(context.Context) (string, error) { return p.token, nil },
		Handle: w.handle, Log: zerolog.New(gapFinder{w.view}),
	})}
	return w.atWork()
}

func newWatcher(o *oracle, p person, kind string, strict bool) *watcher {
	name := fmt.Sprintf("%s %s's %s", p.role, p.id, kind)
	return &watcher{person: p, view: newView(o, name, strict), tap: tap{oracle: o, name: name}}
}

// atWork has a watcher watch what its person always does.
func (w *watcher) atWork() *watcher {
	if w.board() {
		w.watch(w.topic())
	}
	return w
}

func (w *watcher) topic() string {
	if w.role == orders.RoleMerchant {
		return string(wire.TopicRestaurant) + "/" + w.person.id
	}
	return string(wire.TopicCourier) + "/" + w.person.id
}

type live struct{ c *client.Client }

func (l live) run(ctx context.Context) error { return l.c.Run(ctx) }
func (l live) watch(topic string)            { l.c.Watch(topic, 0) }
func (l live) unwatch(topic string)          { l.c.Unwatch(topic) }

func (w *watcher) handle(m client.Message) {
	switch m := m.(type) {
	case client.Event:
		w.event(m.OrderID, m.Seq)
	case client.Snapshot:
		w.snapshot(m.OrderID, m.Seq)
	case client.BoardPage:
		w.page(m.First, m.More, listed(m.Orders))
	case client.Gone:
		w.gone(m.OrderID)
		if m.Board == "" && !w.oracle.mayGo(m.OrderID) {
			w.oracle.note(1, 0, "%s was told that %s is gone", w.view.name, m.OrderID)
		}
	case client.Problem:
		switch {
		case m.Kind == orders.Unavailable || m.Kind == orders.Internal:
		case m.Kind == orders.NotFound && w.oracle.mayGo(orderOf(m.Topic)):
			w.gone(orderOf(m.Topic))
		default:
			w.oracle.note(1, 0, "%s was refused %s: %s %s", w.view.name, m.Topic, m.Kind, m.Detail)
		}
		w.other(fmt.Sprintf("problem %v", m))
	case client.Connected, client.Disconnected, client.Degraded:
		w.other(fmt.Sprintf("%T %v", m, m))
	}
}

func listed(raw []json.RawMessage) (out []order) {
	for _, r := range raw {
		var o order
		if json.Unmarshal(r, &o) == nil {
			out = append(out, o)
		}
	}
	return out
}

// gapFinder reads the client's log: a gap that the client mended by asking again is one all the same, and the tap has
// more to say about it.
type gapFinder struct{ v *view }

func (g gapFinder) Write(p []byte) (int, error) {
	if strings.Contains(string(p), `"message":"gap"`) {
		g.v.other("gap " + string(p))
	}
	return len(p), nil
}
