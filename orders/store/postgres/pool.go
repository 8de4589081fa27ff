package postgres

import (
	"context"
	"database/sql"
	"errors"
	"runtime"
	"sync"
	"time"

	"doorbell/orders/store"
)

// How many connections read. A read takes a fraction of a millisecond; more connections than this make the server slower.
const (
	readersPerCore = 4
	maxReaders     = 32
)

// linkAge is how long a reading connection is used: then the server may have back what it keeps for it.
const linkAge = 30 * time.Minute

// errBusy is the cause when no connection became free in time.
var errBusy = errors.New("all connections to Postgres are in use")

// pool is the connections that read, and write what is not an order's. It implements [store.Engine].
//
// A reader who leaves early does not break its connection off, which would cost a new one: the answer comes in no time.
type pool struct {
	db    *connector
	clock *clock
	slots chan struct{} // one for each connection in use

	mu     sync.Mutex // guards the following
	idle   []*aged    // the one used last is taken first
	closed bool
}

type aged struct {
	*link
	born time.Time
}

func newPool(db *connector, c *clock) *pool {
	return &pool{db: db, clock: c, slots: make(chan struct{}, min(maxReaders, readersPerCore*runtime.GOMAXPROCS(0)))}
}

// Fault implements [store.Engine].
func (*pool) Fault(err error) store.Fault { return faultOf(err) }

// Now implements [store.Engine].
func (p *pool) Now() time.Time { return p.clock.now() }

// Row implements [store.Engine].
func (p *pool) Row(ctx context.Context, text string, args []any, into ...any) error {
	err := p.with(ctx, func(ctx context.Context, l *link) (begun bool, err error) {
		return false, l.QueryRow(ctx, text, args...).Scan(into...)
	})
	if codeOf(err) == codeNotInSet { // no row has what no column can hold
		return sql.ErrNoRows
	}
	return err
}

// Each implements [store.Engine].
func (p *pool) Each(ctx context.Context, text string, args []any, f func(store.Scan) error) error {
	err := p.with(ctx, func(ctx context.Context, l *link) (begun bool, err error) {
		rows, err := l.Query(ctx, text, args...)
		if err != nil {
			return false, err
		}
		defer rows.Close()
		for rows.Next() {
			begun = true
			if err := f(rows.Scan); err != nil {
				return begun, err
			}
		}
		return begun, rows.Err()
	})
	if codeOf(err) == codeNotInSet {
		return nil
	}
	return err
}

// Exec runs a statement that may be run twice, and counts the rows it touched.
func (p *pool) Exec(ctx context.Context, text string, args ...any) (n int64, err error) {
	err = p.with(ctx, func(ctx context.Context, l *link) (bool, error) {
		tag, err := l.Exec(ctx, text, args...)
		n = tag.RowsAffected()
		return false, err
	})
	return n, err
}

// with runs f on a connection, and once more on a new one if the first turns out to be broken before f has begun to hand
// anything on.
func (p *pool) with(ctx context.Context, f func(context.Context, *link) (begun bool, err error)) error {
	if ctx.Err() != nil {
		return awayError{context.Cause(ctx)}
	}
	if err := p.db.may(); err != nil {
		return err
	}
	ctx, own, cancel := patient(ctx)
	defer cancel()
	select {
	case p.slots <- struct{}{}:
	case <-ctx.Done():
		return awayError{errBusy}
	}
	defer func() { <-p.slots }()
	for try := 0; ; try++ {
		l, err := p.take(ctx, try > 0)
		if err != nil {
			return err
		}
		begun, err := f(ctx, l.link)
		lost := err != nil && l.IsClosed()
		broken := lost || outdated(err)
		p.put(l, broken)
		if lost && (ctx.Err() == nil || own) {
			p.forget() // what broke this one has most likely broken the others; a caller in a hurry has not
		}
		if broken && !begun && try == 0 && ctx.Err() == nil {
			continue
		}
		if lost {
			err = awayError{err}
		}
		return err
	}
}

// patient is ctx with its deadline, or readTimeout if that is earlier (own), but not ended by its caller.
func patient(ctx context.Context) (_ context.Context, own bool, cancel context.CancelFunc) {
	end, own := time.Now().Add(readTimeout), true
	if t, ok := ctx.Deadline(); ok && t.Before(end) {
		end, own = t, false
	}
	ctx, cancel = context.WithDeadline(context.WithoutCancel(ctx), end)
	return ctx, own, cancel
}

// take is an idle connection, or a new one.
func (p *pool) take(ctx context.Context, fresh bool) (*aged, error) {
	for !fresh {
		p.mu.Lock()
		n := len(p.idle)
		if n == 0 {
			p.mu.Unlock()
			break
		}
		l := p.idle[n-1]
		p.idle = p.idle[:n-1]
		p.mu.Unlock()
		if l.alive() && time.Since(l.born) < linkAge {
			return l, nil
		}
		l.drop()
	}
	l, err := p.db.connect(ctx, forReads)
	if err != nil {
		return nil, err
	}
	return &aged{l, time.Now()}, nil
}

// put gives a connection back, or ends it.
func (p *pool) put(l *aged, broken bool) {
	p.mu.Lock()
	keep := !broken && !p.closed && !l.IsClosed()
	if keep {
		p.idle = append(p.idle, l)
	}
	p.mu.Unlock()
	if !keep {
		l.drop()
	}
}

// forget ends all idle connections.
func (p *pool) forget() {
	p.mu.Lock()
	idle := p.idle
	p.idle = nil
	p.mu.Unlock()
	for _, l := range idle {
		l.drop()
	}
}

// Close ends the pool. Calls that are under way end their connections themselves.
func (p *pool) Close() {
	p.mu.Lock()
	p.closed = true
	idle := p.idle
	p.idle = nil
	p.mu.Unlock()
	for _, l := range idle {
		l.bye()
	}
	for range cap(p.slots) { // whoever still reads has a deadline
		p.slots <- struct{}{}
	}
	for range cap(p.slots) {
		<-p.slots
	}
}

// counts are the connections in use and those that wait for work.
func (p *pool) counts() (used, idle int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.slots), len(p.idle)
}
