package callback

import (
	"context"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"doorbell/orders"
)

// disk keeps rows in memory as the engines of orders/store keep them in tables. It outlives the nodes that use it, as a
// database does; each node has its own door to it.
type disk struct {
	mu        sync.Mutex // guards the following
	rows      map[Key]Row
	bodies    map[string][]byte // by lane and seq
	endpoints map[string]Endpoint
	proven    map[string]bool
	holder    [Shards]string
	leases    map[string]time.Time // by node
	log       []Settlement         // all that were settled, in order
	healths   []Health
}

func newDisk(endpoints ...Endpoint) *disk {
	d := &disk{
		rows: map[Key]Row{}, bodies: map[string][]byte{}, endpoints: map[string]Endpoint{}, proven: map[string]bool{},
		leases: map[string]time.Time{},
	}
	for _, e := range endpoints {
		d.endpoints[e.ID] = e
	}
	return d
}

// commit stores rows as a transaction of the order would.
func (d *disk) commit(rows ...Row) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, r := range rows {
		d.bodies[orders.EventID(r.Lane, r.Seq)] = r.Body
		r.Body = nil
		d.rows[r.Key] = r
	}
}

func (d *disk) set(f func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	f()
}

// waiting counts rows that are neither over nor parked.
func (d *disk) waiting() (n int) {
	d.set(func() {
		for _, r := range d.rows {
			if !r.Parked {
				n++
			}
		}
	})
	return n
}

// outcomes counts what was settled.
func (d *disk) outcomes() map[Outcome]int {
	n := map[Outcome]int{}
	d.set(func() {
		for _, s := range d.log {
			n[s.Outcome]++
		}
	})
	return n
}

// door is one node's way to the disk.
type door struct {
	*disk
	node  string
	alone bool

	gate  sync.Mutex    // guards the following
	cut   bool          // the node is dead, or its network is
	flaky *rand.Rand    // not nil: a fifth of all calls fail
	slow  time.Duration // of reads of shards
	calls map[string]int
}

func (d *disk) door(node string, alone bool) *door {
	return &door{disk: d, node: node, alone: alone, calls: map[string]int{}}
}

var _ Store = (*door)(nil)

// enter counts a call, and fails where the node is cut off.
func (d *door) enter(ctx context.Context, call string) error {
	d.gate.Lock()
	defer d.gate.Unlock()
	d.calls[call]++
	if d.cut || d.flaky != nil && d.flaky.IntN(5) == 0 {
		return orders.Errorf(orders.Unavailable, "cut off")
	}
	return ctx.Err()
}

func (d *door) cutOff(cut bool) {
	d.gate.Lock()
	defer d.gate.Unlock()
	d.cut = cut
}

func (d *door) called() map[string]int {
	d.gate.Lock()
	defer d.gate.Unlock()
	return maps.Clone(d.calls)
}

func (d *door) Hold(ctx context.Context, give []int) (h Holding, err error) {
	if err := d.enter(ctx, "Hold"); err != nil {
		return Holding{}, err
	}
	d.set(func() {
		now := time.Now()
		d.leases[d.node] = now.Add(orders.LeaseFor)
		for _, until := range d.leases {
			if !until.Before(now) {
				h.Nodes++
			}
		}
		for _, n := range give {
			if d.holder[n] == d.node {
				d.holder[n] = ""
			}
		}
		share := (Shards + h.Nodes - 1) / h.Nodes
		for n, node := range d.holder {
			if node == d.node {
				h.Shards = append(h.Shards, n)
			}
		}
		for n, node := range d.holder {
			if node != d.node && d.leases[node].Before(now) && len(h.Shards) < share {
				d.holder[n] = d.node
				h.Shards = append(h.Shards, n)
			}
		}
		for _, node := range d.holder {
			if until := d.leases[node]; node != d.node && !until.IsZero() && (h.Free.IsZero() || until.Before(h.Free)) {
				h.Free = until
			}
		}
		slices.Sort(h.Shards)
		h.Now = now.Round(0)
	})
	if !d.alone {
		h.Again = orders.LeaseFor / 3
	}
	return h, nil
}

func (d *door) Release(ctx context.Context) error {
	if err := d.enter(ctx, "Release"); err != nil {
		return err
	}
	d.set(func() { delete(d.leases, d.node) })
	return nil
}

func (d *door) Waiting(ctx context.Context, shard int, after Key, limit int) (rows []Row, err error) {
	if err := d.enter(ctx, "Waiting"); err != nil {
		return nil, err
	}
	defer pause(ctx, d.slow) // behind the snapshot
	d.set(func() {
		for k, r := range d.rows {
			if ShardOf(k.Endpoint) == shard && !r.Parked && k.Compare(after) > 0 {
				rows = append(rows, r)
			}
		}
	})
	slices.SortFunc(rows, func(a, b Row) int { return a.Compare(b.Key) })
	return rows[:min(limit, len(rows))], nil
}

func (d *door) OfLanes(ctx context.Context, lanes []string) (rows []Row, err error) {
	if err := d.enter(ctx, "OfLanes"); err != nil {
		return nil, err
	}
	d.set(func() {
		for k, r := range d.rows {
			if slices.Contains(lanes, k.Lane) && !r.Parked {
				r.Body = d.bodies[orders.EventID(k.Lane, k.Seq)]
				rows = append(rows, r)
			}
		}
	})
	return rows, nil
}

func (d *door) MadeSince(ctx context.Context, shards []int, t time.Time, limit int) (rows []Row, err error) {
	if err := d.enter(ctx, "MadeSince"); err != nil {
		return nil, err
	}
	d.set(func() {
		for k, r := range d.rows {
			if slices.Contains(shards, ShardOf(k.Endpoint)) && !r.Parked && !r.Made.Before(t) {
				rows = append(rows, Row{Key: k, Made: r.Made})
			}
		}
	})
	slices.SortFunc(rows, func(a, b Row) int { return a.Made.Compare(b.Made) })
	return rows[:min(limit, len(rows))], nil
}

func (d *door) Body(ctx context.Context, k Key) (body []byte, err error) {
	if err := d.enter(ctx, "Body"); err != nil {
		return nil, err
	}
	d.set(func() { body = d.bodies[orders.EventID(k.Lane, k.Seq)] })
	if body == nil {
		return nil, orders.Errorf(orders.NotFound, "no such event")
	}
	return body, nil
}

func (d *door) Endpoints(ctx context.Context, ids []string) (found []Endpoint, err error) {
	if err := d.enter(ctx, "Endpoints"); err != nil {
		return nil, err
	}
	d.set(func() {
		for _, id := range ids {
			if e, ok := d.endpoints[id]; ok && e.State != StateDeleted {
				if u, err := e.target(KindEvent); err == nil {
					e.Proven = d.proven[originOf(u)]
				}
				found = append(found, e)
			}
		}
	})
	return found, nil
}

func (d *door) Settle(ctx context.Context, b Batch) error {
	if err := d.enter(ctx, "Settle"); err != nil {
		return err
	}
	d.set(func() {
		for _, s := range b.Rows {
			d.log = append(d.log, s)
			r, ok := d.rows[s.Key]
			switch {
			case !ok:
			case s.waits():
				if r.Attempt == s.Before {
					r.Attempt, r.Due = s.Attempt, s.Due
					d.rows[s.Key] = r
				}
			case s.Outcome == Parked:
				r.Parked = true
				d.rows[s.Key] = r
			default:
				delete(d.rows, s.Key)
			}
		}
		for _, h := range b.Endpoints {
			e := d.endpoints[h.Endpoint]
			e.State, e.FailingSince, e.Noticed = h.State, h.FailingSince, h.Noticed
			d.endpoints[h.Endpoint] = e
			d.healths = append(d.healths, h)
		}
		for _, o := range b.Proven {
			d.proven[o] = true
		}
	})
	return nil
}

// enable is what the store does for who enables an endpoint again.
func (d *disk) enable(id string) {
	d.set(func() {
		e := d.endpoints[id]
		e.State, e.FailingSince, e.Noticed = StateEnabled, time.Time{}, false
		d.endpoints[id] = e
		var parked []Row
		for _, r := range d.rows {
			if r.Endpoint == id && r.Parked {
				parked = append(parked, r)
			}
		}
		again, over := Replay(parked, time.Now())
		for _, r := range again {
			d.rows[r.Key] = r
		}
		for _, r := range over {
			delete(d.rows, r.Key)
		}
	})
}
