package ride

import (
	"bytes"
	"context"
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"

	"doorbell/hub"
	"doorbell/hub/track"
	"doorbell/orders"
)

// PointKept is how long the last position of an order may be shown.
const PointKept = 5 * time.Minute

// OrderReader is where a Local reads an order that it has not heard of. orders.Store has it.
type OrderReader interface {
	// Order reads one order. NotFound, Unavailable.
	Order(ctx context.Context, id string) (orders.Order, error)
}

// Local is the Channel of a single process. Every change of an order is to be handed to Publish, in the order of seq and
// before the hub hears of it. What is idle is forgotten by Run.
type Local struct {
	to    Locator
	store OrderReader
	now   func() time.Time
	seed  maphash.Seed
	marks atomic.Uint64 // the last mark given out

	couriers [shards]struct {
		mu   sync.Mutex // guards the following
		byID map[string]*kept
	}
	orders [shards]struct {
		mu   sync.Mutex // guards the following
		byID map[string]*window
	}
}

var (
	_ Channel          = (*Local)(nil)
	_ orders.Publisher = (*Local)(nil)
)

// kept is what is remembered of a courier.
type kept struct {
	data []byte // replaced, never changed
	mark uint64
	used time.Time
}

// window is what may be shown of an order.
type window struct {
	mu      sync.Mutex // guards the following; taken before any lock of the hub
	gone    bool       // forgotten: another one may stand in its place
	seq     int64      // of the change that it is from; 0 = of none yet
	courier string
	epoch   int64
	phase   Phase
	last    *Shown // the last one sent, since the window is as it is
	used    time.Time
}

// NewLocal makes a Local that hands positions to a hub. now is the clock, nil for the real one. It starts nothing.
func NewLocal(to Locator, store OrderReader, now func() time.Time) *Local {
	if now == nil {
		now = time.Now
	}
	l := &Local{to: to, store: store, now: now, seed: maphash.MakeSeed()}
	for i := range shards {
		l.couriers[i].byID = map[string]*kept{}
		l.orders[i].byID = map[string]*window{}
	}
	return l
}

// Run forgets couriers and orders that are idle, until ctx ends.
func (l *Local) Run(ctx context.Context) error {
	t := time.NewTicker(time.Second)
	defer t.Stop()
	for shard := 0; ; shard = (shard + 1) % shards {
		select {
		case <-t.C:
			l.forget(shard)
		case <-ctx.Done():
			return nil
		}
	}
}

// forget drops what of a shard was not used for long. The window of an order that goes on is read again when it is
// needed; that of one that ended has been kept longer than anybody may still be reading how it was before.
func (l *Local) forget(shard int) {
	old := l.now().Add(-forgottenAfter)
	cs := &l.couriers[shard]
	cs.mu.Lock()
	for id, k := range cs.byID {
		if k.used.Before(old) {
			delete(cs.byID, id)
		}
	}
	cs.mu.Unlock()
	os := &l.orders[shard]
	os.mu.Lock()
	defer os.mu.Unlock()
	for id, w := range os.byID {
		if w.mu.TryLock() { // else it is in use
			if w.used.Before(old) {
				w.gone = true
				delete(os.byID, id)
			}
			w.mu.Unlock()
		}
	}
}

func (l *Local) shardOf(id string) uint64 { return maphash.String(l.seed, id) % shards }

// Load implements Channel.
func (l *Local) Load(_ context.Context, courier string) (data []byte, mark uint64, err error) {
	s := &l.couriers[l.shardOf(courier)]
	s.mu.Lock()
	defer s.mu.Unlock()
	if k := s.byID[courier]; k != nil {
		return k.data, k.mark, nil
	}
	return nil, 0, nil
}

// Save implements Channel. Nothing is shown of what was lost.
func (l *Local) Save(ctx context.Context, courier string, mark uint64, data []byte, shown []Shown) (lost bool, err error) {
	if !l.save(courier, mark, data) {
		return true, nil
	}
	for i := range shown {
		l.tell(ctx, &shown[i])
	}
	return false, nil
}

func (l *Local) save(courier string, mark uint64, data []byte) bool {
	s := &l.couriers[l.shardOf(courier)]
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.byID[courier]
	switch {
	case k == nil && mark != 0, k != nil && k.mark != mark:
		return false
	case k == nil:
		k = &kept{}
		s.byID[courier] = k
	}
	k.data, k.mark, k.used = bytes.Clone(data), l.marks.Add(1), l.now()
	return true
}

// tell hands a position to the hub, if its window is open. The window's lock is held all the while: once a change has
// closed it, no position is on its way any more.
func (l *Local) tell(ctx context.Context, sh *Shown) {
	w, ok := l.known(ctx, sh)
	if !ok {
		return
	}
	defer w.mu.Unlock()
	w.used = l.now()
	switch {
	case sh.Phase == Hidden, w.phase != sh.Phase, w.courier != sh.Courier, w.epoch != sh.Epoch:
		sh.Outcome = Closed
		return
	case sh.Quiet:
		sh.Outcome = Sent
		return
	case w.last != nil && sh.Point.At < w.last.Point.At:
		sh.Outcome = Older
		return
	}
	sh.Outcome = Sent
	if w.last == nil {
		w.last = new(Shown)
	}
	*w.last = *sh
	l.to.Locate(sh.Position())
}

// known is the window of an order, locked, read from the store if it was not heard of. Else it sets the outcome.
func (l *Local) known(ctx context.Context, sh *Shown) (w *window, ok bool) {
	for range 2 {
		if w = l.lock(sh.Order); w.seq > 0 {
			return w, true
		}
		w.mu.Unlock()
		o, err := l.store.Order(ctx, sh.Order)
		switch {
		case err == nil && o.Delivery.Epoch > 0:
			l.Publish(&o, nil)
		case err == nil, orders.KindOf(err) == orders.NotFound:
			sh.Outcome = Closed
			return nil, false
		default:
			sh.Outcome = Failed
			return nil, false
		}
	}
	sh.Outcome = Failed
	return nil, false
}

// lock is the window of an order, locked. It is made if there is none.
func (l *Local) lock(order string) *window {
	s := &l.orders[l.shardOf(order)]
	for {
		s.mu.Lock()
		w := s.byID[order]
		if w == nil {
			w = &window{used: l.now()}
			s.byID[order] = w
		}
		s.mu.Unlock()
		w.mu.Lock()
		if !w.gone {
			return w
		}
		w.mu.Unlock()
	}
}

// Publish takes a change of an order: its window opens or closes. The events do not matter.
func (l *Local) Publish(o *orders.Order, _ []orders.Event) {
	if o.Delivery.Epoch == 0 {
		return // no courier yet
	}
	w := l.lock(o.ID)
	defer w.mu.Unlock()
	if o.Seq <= w.seq {
		return
	}
	phase, courier, epoch := PhaseOf(o)
	if phase != w.phase || courier != w.courier || epoch != w.epoch {
		w.last = nil
	}
	w.seq, w.phase, w.courier, w.epoch, w.used = o.Seq, phase, courier, epoch, l.now()
}

// Last is the last position of an order whose window is open, if it is no more than PointKept old.
func (l *Local) Last(_ context.Context, orderID string) (p hub.Position, ok bool) {
	s := &l.orders[l.shardOf(orderID)]
	s.mu.Lock()
	w := s.byID[orderID]
	s.mu.Unlock()
	if w == nil {
		return hub.Position{}, false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.gone || w.last == nil || track.MilliOf(l.now()).Sub(w.last.Point.At) > PointKept {
		return hub.Position{}, false
	}
	return w.last.Position(), true
}
