package callback

import (
	"context"
	"time"

	"doorbell/orders"
)

const (
	maxBatch  = 1000                   // settlements of one transaction
	saveTime  = 5 * time.Second        // of one
	saveRetry = 200 * time.Millisecond // pause after a failure of the store
)

// settle has an outcome stored. A row that is over is kept in mind for a while, for a read that began before it was
// stored may still bring it. The lock is held.
func (e *Engine) settle(s *shard, o Settlement) {
	if !o.waits() {
		e.done.add(o.Key, e.now())
		e.metrics.settled(o.Outcome)
	}
	s.unsaved++
	e.unsaved.Rows = append(e.unsaved.Rows, o)
	e.unsavedOf = append(e.unsavedOf, s)
	signal(e.toSave)
}

// runSaves stores outcomes, those that came together in one transaction.
func (e *Engine) runSaves(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-e.toSave:
		}
		e.saveAll(ctx)
	}
}

// saveAll stores what there is until nothing is left or ctx ends.
func (e *Engine) saveAll(ctx context.Context) {
	for w := e.work(); !w.empty(); w = e.work() {
		for err := e.save(ctx, &w); err != nil; err = e.save(ctx, &w) {
			if ctx.Err() != nil {
				return
			}
			e.cfg.Log.Warn().Err(err).Str("kind", string(orders.KindOf(err))).Msg("callbacks' outcomes not stored, tried again")
			pause(ctx, saveRetry)
		}
	}
}

// saveRest stores what is left when the engine ends, for as long as a lease: then others hold the rows.
func (e *Engine) saveRest(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, orders.LeaseFor)
	defer cancel()
	for ctx.Err() == nil && e.left() > 0 {
		signal(e.toSave)
		pause(ctx, time.Millisecond)
	}
}

// left is how much is not stored.
func (e *Engine) left() (n int) {
	e.set(func() { n = len(e.unsaved.Rows) + len(e.unsaved.Proven) + len(e.toStore) + e.saving })
	return n
}

// work is one transaction's, and what is told after it.
type work struct {
	Batch
	of      []*shard // of Rows, one for one
	notices []Notice
}

func (w *work) size() int   { return len(w.Rows) + len(w.Endpoints) + len(w.Proven) }
func (w *work) empty() bool { return w.size()+len(w.notices) == 0 }

// work takes what the next transaction writes.
func (e *Engine) work() work {
	e.mu.Lock()
	defer e.mu.Unlock()
	n := min(len(e.unsaved.Rows), maxBatch)
	w := work{of: e.unsavedOf[:n:n], notices: e.notices}
	w.Rows, w.Proven = e.unsaved.Rows[:n:n], e.unsaved.Proven
	for id := range e.toStore {
		w.Endpoints = append(w.Endpoints, e.health[id])
	}
	e.unsaved, e.unsavedOf = Batch{Rows: e.unsaved.Rows[n:]}, e.unsavedOf[n:]
	if len(e.unsaved.Rows) == 0 { // let the array go
		e.unsaved.Rows, e.unsavedOf = nil, nil
	}
	clear(e.toStore)
	e.notices = nil
	e.saving = w.size()
	return w
}

func (e *Engine) save(ctx context.Context, w *work) error {
	ctx, cancel := context.WithTimeout(ctx, saveTime)
	defer cancel()
	if w.size() > 0 {
		if err := e.store.Settle(ctx, w.Batch); err != nil {
			return err
		}
	}
	e.set(func() { e.saved(w) })
	for _, n := range w.notices {
		e.cfg.Log.Info().Str("endpoint", n.Endpoint).Str("notice", string(n.Type)).Str("reason", n.Reason).
			Time("since", n.Since).Msg("callback endpoint changed")
		if e.cfg.Notices != nil {
			e.cfg.Notices.Notice(n)
		}
	}
	return nil
}

// saved notes what was stored. The lock is held.
func (e *Engine) saved(w *work) {
	e.saving = 0
	for i := range w.Rows {
		w.of[i].unsaved--
		e.done.keep(w.Rows[i].Key)
	}
	for _, h := range w.Endpoints {
		if e.health[h.Endpoint] == h {
			delete(e.health, h.Endpoint)
		}
	}
	e.pump(e.now()) // it may have waited for room
}

// pause waits, or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
