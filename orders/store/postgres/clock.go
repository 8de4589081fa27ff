package postgres

import (
	"context"
	"sync"
	"time"
)

const (
	clockSamples = 5                // round trips of one measurement; the shortest counts
	clockEvery   = 10 * time.Second // between measurements
	clockWatch   = time.Second      // between looks whether this machine's clock jumped or stood still
	clockJump    = 100 * time.Millisecond
	clockWorst   = 500 * time.Millisecond // a round trip longer than this says too little
)

// nowText is the database's clock in µs. now() would be the time at which a transaction began.
const nowText = `(extract(epoch FROM clock_timestamp()) * 1000000)::bigint`

// clock is the database's clock as this machine knows it: read now and then, and in between carried on by this machine's
// monotonic clock, which no operator sets.
type clock struct {
	wall func() time.Time

	mu    sync.Mutex // guards the following
	there time.Time  // the database's clock…
	here  time.Time  // …when this machine's was that
}

func newClock(wall func() time.Time) *clock {
	if wall == nil {
		wall = time.Now
	}
	at := wall()
	return &clock{wall: wall, there: at, here: at}
}

// now is the database's time, in UTC and microseconds.
func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.there.Add(c.wall().Sub(c.here)).UTC().Truncate(time.Microsecond)
}

// offset is how far this machine's clock is behind the database's.
func (c *clock) offset() time.Duration {
	now := c.now()
	return now.Sub(c.wall().Round(0))
}

// measure compares with the database, as read by ask.
func (c *clock) measure(ask func() (time.Time, error)) error {
	var there, here time.Time
	best := time.Duration(-1)
	for range clockSamples {
		start := c.wall()
		at, err := ask()
		took := c.wall().Sub(start)
		if err != nil {
			return err
		}
		if best < 0 || took < best {
			there, here, best = at, start.Add(took/2), took
		}
	}
	if best > clockWorst {
		return nil // a process that was stopped in between, or a server that was; the next measurement is soon
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	// What the two disagree about within half the round trip is the network's doing.
	if known := c.there.Add(here.Sub(c.here)); known.Sub(there).Abs() > best/2 {
		c.there, c.here = there, here
	}
	return nil
}

// askNow reads the database's clock.
func (p *pool) askNow(ctx context.Context) (time.Time, error) {
	var micros int64
	err := p.Row(ctx, `SELECT `+nowText, nil, &micros)
	return time.UnixMicro(micros).UTC(), err
}

// watchClock measures every clockEvery, and soon when this machine's clock was set or the machine was asleep: the
// monotonic clock stands still then.
func (s *Store) watchClock(ctx context.Context) {
	tick := time.NewTicker(clockWatch)
	defer tick.Stop()
	was, at := s.clock.wall(), time.Now()
	for measured := at; ; {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		is, took := s.clock.wall(), time.Since(at)
		set := (is.Sub(was)-took).Abs() > clockJump || (is.Round(0).Sub(was.Round(0))-took).Abs() > clockJump
		was, at = is, time.Now()
		if !set && took < 2*clockWatch && time.Since(measured) < clockEvery { // a longer tick: the process was stopped
			continue
		}
		if err := s.clock.measure(func() (time.Time, error) { return s.pool.askNow(ctx) }); err == nil {
			measured = at
		}
	}
}

// Clock is the database's clock, without asking it: in UTC and microseconds, right to about half a round trip.
func (s *Store) Clock() time.Time { return s.clock.now() }

// Now implements [orders.Store]: it asks the database.
func (s *Store) Now(ctx context.Context) (time.Time, error) {
	at, err := s.pool.askNow(ctx)
	return at, s.Told(err)
}
