package auth

import "time"

// cacheClock lets a cache go by our clock. It never ticks, so the cache runs no goroutine of its own: what is over is
// removed when something else is written, and the cache's size is bounded anyway.
type cacheClock func() time.Time

// NowNano is the time in nanoseconds since 1970.
func (c cacheClock) NowNano() int64 { return c().UnixNano() }

// Tick is a channel that never sends: nil.
func (c cacheClock) Tick(time.Duration) <-chan time.Time { return nil }
