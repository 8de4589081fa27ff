package bus

import (
	"context"
	"sync"
	"time"

	"doorbell/orders"
)

// Redis may answer who reads and refuse who writes, or be away for those only who publish. Nobody else would notice:
// what is not published is not missed. So every node looks at the outbox too.
const (
	lateEvery = time.Second            // the outbox is looked at
	lateAgain = 250 * time.Millisecond // while what it has is late: the end is to be seen soon
	lateAge   = 3 * orders.OutboxAge   // of a row: sweeps should have come by
)

// lateLoop looks at the outbox, and at how publishing goes here, until ctx ends. A database that is away says nothing:
// then all stays as it is.
func (r *Redis) lateLoop(ctx context.Context) {
	select {
	case <-r.begun: // nothing is promised before
	case <-ctx.Done():
		return
	}
	var rows lateness
	every := lateEvery
	for pause(ctx, every) {
		ask, cancel := context.WithTimeout(ctx, storeTimeout)
		age, err := r.store.OldestWaiting(ask)
		cancel()
		now := time.Now()
		if err == nil {
			rows.note(now, age)
		}
		late, h := rows.late || r.health.trouble.persists(now), &r.health
		switch was := h.late.Load(); {
		case late && !was:
			r.log.Warn().Int64("oldest_ms", age.Milliseconds()).Msg("what is committed stays unpublished: does Redis take writes, and do the nodes that publish reach it?")
			h.late.Store(true)
			r.poke()
		case !late && was:
			r.doubt() // before the end of late is seen
			h.late.Store(false)
			r.poke()
		}
		if every = lateEvery; late {
			every = lateAgain
		}
	}
}

// lateness is whether rows of the outbox stay unpublished.
type lateness struct {
	late bool
	age  time.Duration // of the oldest at the look before, 0 = it was young enough
	at   time.Time     // of that look
}

// note notes how old the oldest row is, 0 = there is none. It takes two looks to be late, and one to be no more. A
// backlog that shrinks by more than half of the time that passes is being worked off: so it is where all that was kept
// is published again.
func (l *lateness) note(now time.Time, age time.Duration) {
	switch {
	case age <= lateAge:
		l.late, age = false, 0
	case l.age > 0 && age > l.age-now.Sub(l.at)/2:
		l.late = true
	}
	l.age, l.at = age, now
}

// trouble is whether this node's own publishing fails, again and again.
type trouble struct {
	mu    sync.Mutex // guards the following
	since time.Time  // of the first failure with no success behind it and no long pause; zero = none
	last  time.Time  // of the last one
}

// note notes how it went, nil = well.
func (t *trouble) note(now time.Time, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case err == nil:
		t.since = time.Time{}
	case t.since.IsZero() || now.Sub(t.last) > lateAge:
		t.since, t.last = now, now
	default:
		t.last = now
	}
}

// persists reports whether it has failed for lateAge, and not long ago.
func (t *trouble) persists(now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return !t.since.IsZero() && t.last.Sub(t.since) >= lateAge && now.Sub(t.last) <= lateAge
}
