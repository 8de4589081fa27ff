package store

import (
	"context"
	"errors"
	"time"

	"github.com/rs/zerolog"
)

// committer writes what its queue holds. Everything in it but the queue belongs to the goroutine that calls run.
type committer struct {
	session Session
	fault   func(error) Fault
	outbox  *outbox // nil: there are no other nodes
	log     zerolog.Logger
	m       *metrics

	queue   chan *change
	steps   []Step // reused by each group, as the following are
	touched []int64
	told    []error
	ailing  Fault // what was last said in the log, so that it is said once
}

// run takes what is there, commits it, and looks again, until ctx ends. While it waits for the disk the next group
// gathers, so nobody waits for a clock.
func (w *committer) run(ctx context.Context) {
	q := gatherer{held: map[string]struct{}{}}
	for ctx.Err() == nil {
		if w.writeNext(&q, w.queue) {
			continue
		}
		select {
		case c := <-w.queue:
			q.late = append(q.late, c)
		case <-ctx.Done():
		}
	}
	// What waits now is still committed, and what comes later is not, or a busy store would never end.
	rest := make(chan *change, cap(w.queue))
	for range len(w.queue) {
		rest <- <-w.queue
	}
	for w.writeNext(&q, rest) {
	}
}

// writeNext writes a group of what is on the queue, and reports whether there was anything.
func (w *committer) writeNext(q *gatherer, queue <-chan *change) bool {
	g := q.gather(queue)
	if len(g) == 0 {
		return false
	}
	w.write(g)
	return true
}

// write commits a group and answers each of its changes.
func (w *committer) write(g group) {
	w.m.groupSize.Observe(float64(len(g)))
	start := time.Now()
	row, err := w.try(g)
	w.m.commitSeconds.Observe(time.Since(start).Seconds())

	if err == nil {
		w.wellAgain()
		w.answer(row, g, func(*change) error { return nil })
		return
	}
	switch f := w.fault(err); {
	case errors.Is(err, ErrOutcome):
		w.sayOnce(f, err)
		w.answer(row, g, w.asRead(err))
	case f == RowFault && len(g) > 1:
		for _, c := range g { // one row must not fail the others: each gets a transaction of its own
			w.write(group{c})
		}
	default:
		w.sayOnce(f, err)
		err = told(w.fault, err)
		for _, c := range g {
			w.m.count(err)
			c.answer(err)
		}
	}
}

// try is the group's transaction, and the row of the outbox that goes with it, "" = none. After an error nothing of it
// is there, unless the error is ErrOutcome.
func (w *committer) try(g group) (row string, err error) {
	w.steps = g.steps(w.steps[:0])
	if w.outbox != nil {
		if s, id, ok := w.outbox.note(g); ok {
			w.steps, row = append(w.steps, s), id
		}
	}
	w.touched = w.touched[:0]
	for range w.steps {
		w.touched = append(w.touched, -1)
	}
	err = w.session.Commit(w.steps, w.touched)
	g.take(w.touched)
	return row, err
}

// answer publishes a group that was committed, and tells each caller. made has the last word on those who did not lose.
func (w *committer) answer(row string, g group, made func(*change) error) {
	w.told = w.told[:0]
	for _, c := range g {
		err := c.judge()
		if err == nil {
			err = made(c)
		}
		w.told = append(w.told, err)
	}
	if w.outbox != nil {
		w.outbox.publish(row, g, w.told)
	}
	for i, c := range g {
		w.m.count(w.told[i])
		c.answer(w.told[i])
	}
}

// asRead asks the database which changes of a group are there after all. Who sees its own mark was committed; who lost
// has lost either way, since the group was judged against what was committed before; nobody knows of the others.
func (w *committer) asRead(outcome error) func(*change) error {
	away := false // one answer that does not come is enough: the others' callers must not wait for as long again
	return func(c *change) error {
		if c.probe == nil || away {
			return unavailable(outcome)
		}
		mark, err := w.session.Mark(*c.probe)
		away = err != nil
		if err != nil || mark != c.mark {
			return unavailable(outcome)
		}
		return nil
	}
}

// sayOnce logs what ails the database when it begins. A row's own fault is the caller's to log.
func (w *committer) sayOnce(f Fault, err error) {
	if f == w.ailing || f == RowFault && !errors.Is(err, ErrOutcome) {
		return
	}
	w.ailing = f
	w.log.Error().Err(err).Str("kind", "unavailable").Msg("the store cannot write")
}

func (w *committer) wellAgain() {
	if w.ailing != NoFault {
		w.ailing = NoFault
		w.log.Info().Msg("the store can write again")
	}
}
