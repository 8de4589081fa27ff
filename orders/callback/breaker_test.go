package callback

import (
	"testing"
	"time"
)

func TestBreaker(t *testing.T) {
	begun := time.Unix(1_800_000_000, 0)
	at := func(d time.Duration) time.Time { return begun.Add(d) }
	feed := func(b *breaker, n int, alive, connect bool, every time.Duration) (now time.Time) {
		for i := range n {
			now = at(time.Duration(i) * every)
			b.record(now, alive, connect)
		}
		return now
	}
	for _, c := range []struct {
		name string
		feed func(b *breaker)
		open bool
	}{
		{"nine failures say nothing", func(b *breaker) { feed(b, 9, false, false, time.Second) }, false},
		{"ten do", func(b *breaker) { feed(b, 10, false, false, time.Second) }, true},
		{"not over two minutes", func(b *breaker) { feed(b, 10, false, false, 12*time.Second) }, false},
		{"4 of 10 successes", func(b *breaker) { feed(b, 4, true, false, 0); feed(b, 6, false, false, 0) }, false},
		{"3 of 10 successes", func(b *breaker) { feed(b, 3, true, false, 0); feed(b, 7, false, false, 0) }, true},
		{"four connections refused", func(b *breaker) { feed(b, 4, false, true, 0) }, false},
		{"five", func(b *breaker) { feed(b, 5, false, true, time.Hour) }, true},
		{"five with a success between", func(b *breaker) { feed(b, 4, false, true, 0); feed(b, 1, true, false, 0); feed(b, 1, false, true, 0) }, false},
		{"five with another failure between", func(b *breaker) { feed(b, 4, false, true, 0); feed(b, 1, false, false, 0); feed(b, 1, false, true, 0) }, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			var b breaker
			c.feed(&b)
			if open := b.state != breakerClosed; open != c.open {
				t.Errorf("open: %v", open)
			}
		})
	}
	t.Run("each pause is twice the one before, five minutes at most, and success closes it", func(t *testing.T) {
		var b breaker
		now := feed(&b, 5, false, true, 0)
		for _, pause := range []time.Duration{30, 60, 120, 240, 300, 300} {
			pause *= time.Second
			if b.allow(now.Add(pause - 1)) {
				t.Errorf("a probe before %v", pause)
			}
			now = now.Add(pause)
			if !b.allow(now) || b.state != breakerHalf {
				t.Errorf("no probe after %v", pause)
			}
			b.record(now, false, false)
		}
		now = now.Add(breakerLongest)
		b.allow(now)
		b.record(now, true, false)
		if b.state != breakerClosed || b.pause != 0 {
			t.Errorf("%+v after a success", b)
		}
	})
}
