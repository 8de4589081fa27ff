package bus

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
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
	sweepTimeout = 5 * time.Second        // of one page: to read it, and to publish it
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
	if r.generation() == nil || r.health.away.Load() {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, 6*sweepTimeout)
	defer cancel()
	mine, _, err := r.store.Claim(ctx, orders.TaskOutbox)
	if err != nil || !mine {
		return err
	}
	if r.again.Swap(false) {
		n, err := r.store.PublishAgain(ctx, beginOf(r.generation().ID).Add(markMargin))
		if err != nil {
			r.again.Store(true)
			return err
		}
		r.log.Info().Int("rows", n).Msg("publishing again what the outbox kept")
	}
	unread, err := r.sweepRows(ctx)
	if errors.Is(err, errAway) {
		return nil
	}
	if err != nil {
		return err
	}
	r.trim(ctx)
	for {
		n, err := r.store.DropPublished(ctx, dropPage)
		if err != nil {
			return err
		}
		if n < dropPage {
			return unread
		}
	}
}

// markMargin is how late a row may be marked that went to the Redis before. Whoever takes the outbox over within that
// time publishes once more what was published again already; later takeovers find nothing to do.
const markMargin = 2 * time.Second

// beginOf is when a generation began: its id is a UUIDv7, which begins with that in milliseconds.
func beginOf(gen string) time.Time {
	ms, err := strconv.ParseInt(strings.ReplaceAll(gen, "-", "")[:12], 16, 64)
	if err != nil {
		return time.Now() // of an id that is none of ours nothing is known: all of it is published again
	}
	return time.UnixMilli(ms)
}

// sweepRows publishes what waits, the newest first, and of each order its latest state only. unread says why some rows
// still wait.
func (r *Redis) sweepRows(ctx context.Context) (unread, err error) {
	for {
		rows, err := r.store.Waiting(ctx, orders.OutboxAge, sweepPage)
		if err != nil || len(rows) == 0 {
			return nil, err
		}
		out, unread, err := r.sweepPage(ctx, rows)
		if err != nil {
			return nil, err
		}
		if err := r.store.MarkPublished(ctx, out); err != nil {
			return nil, err
		}
		if len(rows) < sweepPage || len(out) == 0 {
			return unread, nil
		}
		if _, _, err := r.store.Claim(ctx, orders.TaskOutbox); err != nil { // it goes on for long
			return nil, err
		}
	}
}

// sweepPage publishes what rows are about, and returns those of which all is out. What cannot be read holds up nobody:
// its rows stay, and unread says why.
func (r *Redis) sweepPage(ctx context.Context, rows []orders.OutboxRow) (out []string, unread, err error) {
	g, c := r.generation(), r.data.Load()
	if g == nil || c == nil {
		return nil, nil, errAway
	}
	reading, cancel := context.WithTimeout(ctx, sweepTimeout)
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
			r.health.trouble.note(time.Now(), err)
			return nil, nil, err
		}
		calls = append(calls, r.notice(g.ID, appendRestaurantNotice(nil, g.ID, now, id, math.MaxInt64)))
	}
	var revoked map[string]time.Time
	var unrevoked error
	if len(subs) > 0 { // read behind the rows: what they are about is in it for sure
		revoked, unrevoked = r.store.Revocations(reading)
	}
	for sub := range subs {
		if at, ok := revoked[sub]; ok {
			calls = append(calls, r.notice(g.ID, appendRevocation(nil, g.ID, now, orders.Revocation{Sub: sub, At: at})))
		}
	}
	latest, failed := r.readLatest(reading, g.ID, changed, now)
	writing, done := context.WithTimeout(ctx, sweepTimeout)
	defer done()
	if err := r.call(writing, c, append(calls, latest...)); err != nil {
		return nil, nil, err
	}
	for i := range rows {
		var why error
		if len(rows[i].Subs) > 0 && unrevoked != nil {
			why = fmt.Errorf("read the revocations: %w", unrevoked)
		}
		for _, id := range rows[i].Orders {
			if failed[id] != nil {
				why = fmt.Errorf("read order %s: %w", id, failed[id])
			}
		}
		if why == nil {
			delete(r.stuck, rows[i].ID)
		}
		if why == nil || r.giveUp(rows[i].ID, why, now) {
			out = append(out, rows[i].ID)
		} else {
			unread = why
		}
	}
	return out, unread, nil
}

const (
	giveUpAfter = time.Minute // on a row that nobody can read, for another reason than that the database is away
	maxStuck    = 4096        // rows that are remembered for that
)

// giveUp reports whether a row could not be read for so long that it must not keep all nodes degraded any more: then it
// goes as if it were out, and whoever asks for its order is told by the database what is wrong with it.
func (r *Redis) giveUp(row string, why error, now time.Time) bool {
	if orders.KindOf(why) == orders.Unavailable || errors.Is(why, context.DeadlineExceeded) || errors.Is(why, context.Canceled) {
		return false
	}
	since, known := r.stuck[row]
	switch {
	case !known:
		if len(r.stuck) >= maxStuck { // others may have swept them
			clear(r.stuck)
		}
		r.stuck[row] = now
		r.log.Error().Err(why).Str("row", row).Msg("a row of the outbox cannot be read: the others go on without it")
	case now.Sub(since) >= giveUpAfter:
		delete(r.stuck, row)
		r.log.Error().Err(why).Str("row", row).Msg("a row of the outbox could not be read for long, and is given up")
		return true
	}
	return false
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

// readLatest is the calls that publish orders as they are now, in any order, and why some could not be read.
func (r *Redis) readLatest(ctx context.Context, gen string, ids map[string]bool, now time.Time) (calls []call, failed map[string]error) {
	var mu sync.Mutex // guards what is returned
	failed = map[string]error{}
	var work errgroup.Group
	work.SetLimit(sweepReaders)
	for id := range ids {
		work.Go(func() error {
			o, events, err := r.latest(ctx, id)
			if orders.KindOf(err) == orders.NotFound { // archived
				return nil
			}
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err != nil:
				failed[id] = err
			case len(events) > 0:
				keys, args := r.publishArgs(gen, &o, events, now)
				calls = append(calls, call{publishOrder, keys, args})
			}
			return nil
		})
	}
	_ = work.Wait() // each has its error
	return calls, failed
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
		r.health.trouble.note(time.Now(), err)
		if err != nil {
			if !r.health.late.Load() { // known by now
				r.poke()
			}
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
