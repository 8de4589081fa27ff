package bus

import (
	"context"
	"errors"
	"math"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
	"golang.org/x/sync/errgroup"

	"doorbell/orders"
)

const (
	sweepEvery   = 500 * time.Millisecond
	sweepPage    = 256                    // rows of the outbox that are read at a time
	sweepReaders = 8                      // orders that are read at a time
	sweepTimeout = 5 * time.Second        // of one page
	markEvery    = 100 * time.Millisecond // rows are marked together
	markPage     = 256
	dropPage     = 1000
)

// markLoop marks rows of the outbox that are out, until marks is closed. One that is not marked is published once more.
func (r *Redis) markLoop() {
	t := time.NewTicker(markEvery)
	defer t.Stop()
	rows := make([]string, 0, markPage)
	flush := func() {
		if len(rows) == 0 {
			return
		}
		ctx, cancel := context.WithTimeout(context.Background(), storeTimeout)
		defer cancel()
		if err := r.store.MarkPublished(ctx, rows); err != nil {
			r.log.Debug().Err(err).Msg("published rows could not be marked")
		}
		rows = rows[:0]
	}
	for {
		select {
		case row, ok := <-r.marks:
			if !ok {
				flush()
				return
			}
			if rows = append(rows, row); len(rows) == markPage {
				flush()
			}
		case <-t.C:
			flush()
		}
	}
}

// sweepLoop publishes what the outbox still has, while that is this node's task.
func (r *Redis) sweepLoop(ctx context.Context) {
	t := time.NewTicker(sweepEvery)
	defer t.Stop()
	said := ""
	for {
		select {
		case <-t.C:
		case <-ctx.Done():
			return
		}
		why := ""
		if err := r.sweep(ctx); err != nil && ctx.Err() == nil {
			if why = err.Error(); why != said {
				r.log.Warn().Err(err).Msg("the outbox could not be swept")
			}
		}
		said = why
	}
}

// errAway says that there is no Redis to publish to. It is known.
var errAway = errors.New("the bus is away")

// sweep does nothing while there is no Redis: so the task goes to a node that has one.
func (r *Redis) sweep(ctx context.Context) error {
	if r.generation() == nil || r.health.degraded.Load() {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, 6*sweepTimeout)
	defer cancel()
	mine, _, err := r.store.Claim(ctx, orders.TaskOutbox)
	if err != nil || !mine {
		return err
	}
	if r.again.Swap(false) {
		n, err := r.store.PublishAgain(ctx)
		if err != nil {
			r.again.Store(true)
			return err
		}
		r.log.Info().Int("rows", n).Msg("publishing again what the outbox kept")
	}
	if err := r.sweepRows(ctx); err != nil {
		if errors.Is(err, errAway) {
			return nil
		}
		return err
	}
	r.trim(ctx)
	for {
		n, err := r.store.DropPublished(ctx, dropPage)
		if err != nil || n < dropPage {
			return err
		}
	}
}

// sweepRows publishes what waits, the oldest first, and of each order its latest state only.
func (r *Redis) sweepRows(ctx context.Context) error {
	for {
		rows, err := r.store.Waiting(ctx, orders.OutboxAge, sweepPage)
		if err != nil || len(rows) == 0 {
			return err
		}
		if err := r.sweepPage(ctx, rows); err != nil {
			return err
		}
		ids := make([]string, len(rows))
		for i := range rows {
			ids[i] = rows[i].ID
		}
		if err := r.store.MarkPublished(ctx, ids); err != nil || len(rows) < sweepPage {
			return err
		}
		if _, _, err := r.store.Claim(ctx, orders.TaskOutbox); err != nil { // it goes on for long
			return err
		}
	}
}

// sweepPage publishes what rows are about. Without an error all of it is out.
func (r *Redis) sweepPage(ctx context.Context, rows []orders.OutboxRow) error {
	g, c := r.generation(), r.data.Load()
	if g == nil || c == nil {
		return errAway
	}
	ctx, cancel := context.WithTimeout(ctx, sweepTimeout)
	defer cancel()
	changed, restaurants, subs := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for i := range rows {
		for _, id := range rows[i].Orders {
			changed[id] = true
		}
		for _, id := range rows[i].Restaurants {
			restaurants[id] = true
		}
		for _, sub := range rows[i].Subs {
			subs[sub] = true
		}
	}
	now := time.Now()
	var calls []call
	for id := range restaurants {
		// Which version there is now, only the database knows for sure: what Redis and the nodes hold is dropped.
		if err := c.Del(ctx, r.name[partitionOf(id)].restaurant(g.ID, id)).Err(); err != nil {
			return err
		}
		calls = append(calls, r.notice(g.ID, appendRestaurantNotice(nil, g.ID, now, id, math.MaxInt64)))
	}
	if len(subs) > 0 {
		all, err := r.store.Revocations(ctx)
		if err != nil {
			return err
		}
		for sub := range subs {
			if at, ok := all[sub]; ok {
				calls = append(calls, r.notice(g.ID, appendRevocation(nil, g.ID, now, orders.Revocation{Sub: sub, At: at})))
			}
		}
	}
	latest, err := r.readLatest(ctx, g.ID, changed, now)
	if err != nil {
		return err
	}
	return r.call(ctx, c, append(calls, latest...))
}

// call is one script and what it is given.
type call struct {
	script *redis.Script
	keys   []string
	args   []any
}

func (r *Redis) notice(gen string, message []byte) call {
	keys, args := r.noticeArgs(gen, message)
	return call{publishNotice, keys, args}
}

// readLatest is the calls that publish orders as they are now, in any order.
func (r *Redis) readLatest(ctx context.Context, gen string, ids map[string]bool, now time.Time) (calls []call, err error) {
	var mu sync.Mutex
	work, ctx := errgroup.WithContext(ctx)
	work.SetLimit(sweepReaders)
	for id := range ids {
		work.Go(func() error {
			o, events, err := r.latest(ctx, id)
			switch {
			case orders.KindOf(err) == orders.NotFound: // archived
				return nil
			case err != nil:
				return err
			case len(events) == 0:
				return nil
			}
			keys, args := r.publishArgs(gen, &o, events, now)
			mu.Lock()
			defer mu.Unlock()
			calls = append(calls, call{publishOrder, keys, args})
			return nil
		})
	}
	return calls, work.Wait()
}

// latest reads an order and its last events, up to its seq.
func (r *Redis) latest(ctx context.Context, id string) (o orders.Order, events []orders.Event, err error) {
	if o, err = r.store.Order(ctx, id); err != nil {
		return o, nil, err
	}
	if events, err = r.store.Events(ctx, id, max(0, o.Seq-keptEvents), keptEvents); err != nil {
		return o, nil, err
	}
	for len(events) > 0 && events[len(events)-1].Seq > o.Seq { // it went on between the two
		events = events[:len(events)-1]
	}
	return o, events, nil
}

// call publishes in as few round trips as may be. Without an error all of it is out.
func (r *Redis) call(ctx context.Context, c *client, calls []call) error {
	for len(calls) > 0 {
		part := calls[:min(len(calls), publishBatch)]
		calls = calls[len(part):]
		send := func() ([]redis.Cmder, error) {
			return c.Pipelined(ctx, func(p redis.Pipeliner) error {
				for _, one := range part {
					p.EvalSha(ctx, one.script.Hash(), one.keys, one.args...)
				}
				return nil
			})
		}
		answers, err := send()
		if unknownScript(err) {
			if err = loadScripts(ctx, c); err == nil {
				answers, err = send()
			}
		}
		if err != nil {
			r.poke()
			return err
		}
		for _, a := range answers {
			switch n, _ := a.(*redis.Cmd).Int64(); {
			case n == answerRefused:
				r.m.refused.Inc()
				r.poke()
				return errAway
			case n > 0:
				r.m.published.WithLabelValues("swept").Inc()
			}
		}
	}
	return nil
}
