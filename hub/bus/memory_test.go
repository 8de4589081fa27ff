package bus_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"doorbell/hub/bus"
	"doorbell/orders"
)

// memory is a store of many nodes that loses nothing: what a database would be, without the disk.
type memory struct {
	mu          sync.Mutex // guards the following
	down        bool       // it cannot be reached
	unreadable  string     // an order that cannot be read
	unrevoked   bool       // revocations cannot be read
	orders      map[string]*orders.Order
	events      map[string][]orders.Event
	rows        []*row // oldest first
	made        int    // rows so far
	gen         orders.Generation
	renewed     int
	restaurants map[string]*orders.Restaurant
	revoked     map[string]time.Time
	holder      string // of the outbox
	until       time.Time
}

type row struct {
	orders.OutboxRow
	at        time.Time
	published time.Time
}

func newMemory() *memory {
	return &memory{
		orders: map[string]*orders.Order{}, events: map[string][]orders.Event{},
		restaurants: map[string]*orders.Restaurant{}, revoked: map[string]time.Time{},
	}
}

// as is the store as one node uses it.
func (m *memory) as(node string) bus.Store { return &memoryOf{m, node} }

type memoryOf struct {
	*memory
	node string
}

func (m *memory) setDown(down bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.down = down
}

// lock fails while the store is down.
func (m *memory) lock() error {
	m.mu.Lock()
	if m.down {
		m.mu.Unlock()
		return orders.Errorf(orders.Unavailable, "the database is away")
	}
	return nil
}

// place commits a new order and hands its group to a bus, nil = to nobody.
func (m *memory) place(to orders.GroupPublisher) (id string) {
	id = orders.NewID(time.Now())
	m.mu.Lock()
	m.orders[id] = &orders.Order{ID: id, Status: orders.Pending, Restaurant: "res_1", Customer: "cus_1"}
	m.mu.Unlock()
	m.change(to, id, nil)
	return id
}

// change commits the next event of an order, after edit has changed what it likes.
func (m *memory) change(to orders.GroupPublisher, id string, edit func(*orders.Order)) (seq int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	next := *m.orders[id]
	if edit != nil {
		edit(&next)
	}
	next.Seq++
	next.UpdatedAt = time.Now().UTC().Truncate(time.Microsecond)
	e := orders.Event{
		OrderID: id, Seq: next.Seq, Type: orders.OrderPreparing, OccurredAt: next.UpdatedAt, RecordedAt: next.UpdatedAt,
		Actor: orders.Actor{Role: orders.RoleMerchant}, Envelope: fmt.Appendf(nil, `{"eventId":"%s","payload":{%0500d}}`, orders.EventID(id, next.Seq), 0),
	}
	m.orders[id] = &next
	m.events[id] = append(m.events[id], e)
	m.commit(to, orders.Group{Orders: []orders.Committed{{Order: &next, Events: []orders.Event{e}}}})
	return next.Seq
}

// commit writes the outbox's row and publishes. Called with m.mu held, as a committer would do one group at a time.
func (m *memory) commit(to orders.GroupPublisher, g orders.Group) {
	m.made++
	g.Row = fmt.Sprint("row_", m.made)
	r := &row{OutboxRow: orders.OutboxRow{ID: g.Row}, at: time.Now()}
	for _, c := range g.Orders {
		r.Orders = append(r.Orders, c.Order.ID)
	}
	for _, v := range g.Restaurants {
		r.Restaurants = append(r.Restaurants, v.ID)
	}
	for _, v := range g.Revocations {
		r.Subs = append(r.Subs, v.Sub)
	}
	m.rows = append(m.rows, r)
	if to != nil {
		to.PublishGroup(g)
	}
}

func (m *memory) putRestaurant(to orders.GroupPublisher, id, name string) *orders.Restaurant {
	m.mu.Lock()
	defer m.mu.Unlock()
	v := &orders.Restaurant{ID: id, Name: name, Version: 1, UpdatedAt: time.Now().UTC().Truncate(time.Microsecond)}
	if was := m.restaurants[id]; was != nil {
		v.Version = was.Version + 1
	}
	m.restaurants[id] = v
	m.commit(to, orders.Group{Restaurants: []*orders.Restaurant{v}})
	return v
}

func (m *memory) revoke(to orders.GroupPublisher, sub string, at time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.revoked[sub] = at
	m.commit(to, orders.Group{Revocations: []orders.Revocation{{Sub: sub, At: at}}})
}

// restore brings back what the store was at an earlier moment, as a backup does: its generation too.
func (m *memory) restore(to map[string]int64, gen orders.Generation) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for id, seq := range to {
		o := *m.orders[id]
		o.Seq = seq
		m.orders[id], m.events[id] = &o, m.events[id][:seq]
	}
	m.gen, m.rows = gen, nil
}

func (m *memory) generation() orders.Generation {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.gen
}

func (m *memory) seqs() map[string]int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := make(map[string]int64, len(m.orders))
	for id, o := range m.orders {
		all[id] = o.Seq
	}
	return all
}

// unpublished is how many rows of the outbox are not marked.
func (m *memory) unpublished() (n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, r := range m.rows {
		if r.published.IsZero() {
			n++
		}
	}
	return n
}

func (m *memory) Order(_ context.Context, id string) (orders.Order, error) {
	if err := m.lock(); err != nil {
		return orders.Order{}, err
	}
	defer m.mu.Unlock()
	o := m.orders[id]
	if m.unreadable == id {
		return orders.Order{}, errors.New("this order cannot be read")
	}
	if o == nil {
		return orders.Order{}, orders.Errorf(orders.NotFound, "no such order")
	}
	return *o, nil
}

func (m *memory) Events(_ context.Context, id string, after int64, limit int) ([]orders.Event, error) {
	if err := m.lock(); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	all := m.events[id]
	all = all[min(after, int64(len(all))):]
	return slices.Clone(all[:min(limit, len(all))]), nil
}

func (m *memory) Restaurant(_ context.Context, id string) (*orders.Restaurant, error) {
	if err := m.lock(); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	return m.restaurants[id], nil
}

func (m *memory) Revocations(context.Context) (map[string]time.Time, error) {
	if err := m.lock(); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	if m.unrevoked {
		return nil, errors.New("revocations cannot be read")
	}
	return maps.Clone(m.revoked), nil
}

func (m *memoryOf) Claim(context.Context, string) (bool, time.Duration, error) {
	if err := m.lock(); err != nil {
		return false, 0, err
	}
	defer m.mu.Unlock()
	now := time.Now()
	if m.holder != m.node && now.Before(m.until) {
		return false, orders.LeaseFor / 3, nil
	}
	m.holder, m.until = m.node, now.Add(orders.LeaseFor)
	return true, orders.LeaseFor / 3, nil
}

func (m *memory) Generation(context.Context) (orders.Generation, error) {
	if err := m.lock(); err != nil {
		return orders.Generation{}, err
	}
	defer m.mu.Unlock()
	if m.gen.ID == "" {
		m.gen.ID = uuid.Must(uuid.NewV7()).String()
	}
	return m.gen, nil
}

func (m *memory) RenewGeneration(_ context.Context, old, run string) (orders.Generation, error) {
	if err := m.lock(); err != nil {
		return orders.Generation{}, err
	}
	defer m.mu.Unlock()
	if m.gen.ID == old {
		m.gen = orders.Generation{ID: uuid.Must(uuid.NewV7()).String(), Run: run}
		m.renewed++
	}
	return m.gen, nil
}

func (m *memory) renewals() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.renewed
}

func (m *memory) Waiting(_ context.Context, age time.Duration, limit int) (out []orders.OutboxRow, err error) {
	if err := m.lock(); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	for _, r := range m.rows {
		if r.published.IsZero() && time.Since(r.at) >= age && len(out) < limit {
			out = append(out, r.OutboxRow)
		}
	}
	return out, nil
}

func (m *memory) OldestWaiting(context.Context) (time.Duration, error) {
	if err := m.lock(); err != nil {
		return 0, err
	}
	defer m.mu.Unlock()
	for _, r := range m.rows {
		if r.published.IsZero() {
			return max(1, time.Since(r.at)), nil
		}
	}
	return 0, nil
}

func (m *memory) MarkPublished(_ context.Context, ids []string) error {
	if err := m.lock(); err != nil {
		return err
	}
	defer m.mu.Unlock()
	for _, r := range m.rows {
		if slices.Contains(ids, r.ID) {
			r.published = time.Now()
		}
	}
	return nil
}

func (m *memory) PublishAgain(_ context.Context, before time.Time) (n int, err error) {
	if err := m.lock(); err != nil {
		return 0, err
	}
	defer m.mu.Unlock()
	for _, r := range m.rows {
		if !r.published.IsZero() && r.published.Before(before) {
			r.published, n = time.Time{}, n+1
		}
	}
	return n, nil
}

func (m *memory) DropPublished(_ context.Context, limit int) (n int, err error) {
	if err := m.lock(); err != nil {
		return 0, err
	}
	defer m.mu.Unlock()
	m.rows = slices.DeleteFunc(m.rows, func(r *row) bool {
		old := n < limit && !r.published.IsZero() && time.Since(r.published) >= orders.OutboxKept
		if old {
			n++
		}
		return old
	})
	return n, nil
}
