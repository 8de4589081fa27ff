package callback

import (
	"context"
	"time"
)

// runAlarms rings what is due: one timer for all that waits.
func (e *Engine) runAlarms(ctx context.Context) {
	t := time.NewTimer(0)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-e.poke:
		case <-t.C:
		}
		if wait, ok := e.ringDue(); ok {
			t.Reset(wait)
		} else {
			t.Stop()
		}
	}
}

// ringDue rings what is due and says how long the next takes.
func (e *Engine) ringDue() (wait time.Duration, ok bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	now := e.now()
	for a := e.bells.due(now); a != nil; a = e.bells.due(now) {
		a.who.ring(e, now)
	}
	e.pump(now)
	e.sleeping, ok = e.bells.next()
	return e.sleeping.Sub(now), ok
}

// wake sets an alarm, and wakes runAlarms where it would sleep too long. The lock is held.
func (e *Engine) wake(a *alarm, at time.Time) {
	e.bells.set(a, at)
	if e.sleeping.IsZero() || at.Before(e.sleeping) {
		signal(e.poke)
	}
}
