package ride

import (
	"bytes"
	"context"
	"time"

	"doorbell/hub/track"
	"doorbell/orders"
)

// saveTries is how often a post is judged anew because another of the same courier was faster, before Unavailable.
const saveTries = 16

// Answer is what became of a post.
type Answer struct {
	track.Result      // what was accepted and dropped
	Carrying     bool // the courier has an order, so its phone should send often
}

// NextIntervalMs is how long the phone should wait before its next fix, in milliseconds.
func (a *Answer) NextIntervalMs() int { return a.Result.NextIntervalMs(a.Carrying) }

// scratch is what a post needs while it is judged, used again by others.
type scratch struct {
	next      memory
	data      []byte
	shown     []Shown
	crossings []track.Crossing
	told      []crossing
}

// Post takes the fixes of a courier's phone, received at now. A bad fix is dropped, never the post. The points are the
// service's from now on; those without a device are taken to be of this one ("" = not told apart).
//
// Exhausted when the courier posts too often. Unavailable when it is not known what the courier carries, or what was
// remembered of it; the same post may come again then, and what was taken nevertheless is answered DUPLICATE.
func (s *Service) Post(ctx context.Context, courier, device string, points []track.Point, now time.Time) (Answer, error) {
	begun := time.Now()
	c := s.couriers.of(courier, track.MilliOf(now))
	if c.limiter != nil && !c.limiter.AllowN(now, 1) {
		s.m.limited.Inc()
		return Answer{}, orders.Errorf(orders.Exhausted, "positions come too often: at most %v posts a second", float64(s.couriers.limit))
	}
	hash := track.DeviceHash(device)
	for i := range points {
		if points[i].Device == 0 {
			points[i].Device = hash
		}
	}
	a, err := s.take(ctx, c, points, now)
	if err != nil {
		s.m.unavailable.Inc()
		return Answer{}, err
	}
	s.m.post.Observe(time.Since(begun).Seconds())
	s.m.taken.Inc()
	s.m.accepted.Add(float64(a.Accepted))
	for _, d := range a.Dropped {
		s.m.dropped[d.Reason].Inc()
	}
	for i := range a.History {
		if a.History[i].Flags&track.Mock != 0 {
			s.m.mock.Inc()
		}
	}
	return a, nil
}

// take judges a post, until nobody else was faster.
func (s *Service) take(ctx context.Context, c *courier, points []track.Point, now time.Time) (Answer, error) {
	if err := c.begin(ctx); err != nil {
		return Answer{}, err
	}
	defer c.end()
	l, err := c.carries(ctx, s.store, s.m)
	if err != nil {
		return Answer{}, err
	}
	w := s.scratch.Get().(*scratch)
	defer s.scratch.Put(w)
	retell := c.retell.Swap(false)
	for range saveTries {
		data, mark, err := s.channel.Load(ctx, c.id)
		if err != nil {
			return Answer{}, err
		}
		was := decodeMemory(data)
		if retell {
			was.forgetTold()
		}
		state, res := track.Accept(was.state, points, track.MilliOf(now), s.limits)
		w.next.state = state
		s.judge(c, l, &was, &res, now, w)
		w.data = w.next.append(w.data[:0])
		if len(w.shown) > 0 || !bytes.Equal(w.data, data) { // else it is a batch that comes again and again
			lost, err := s.channel.Save(ctx, c.id, mark, w.data, w.shown)
			if err != nil {
				c.retell.Store(retell)
				return Answer{}, err
			}
			if lost {
				s.m.conflicts.Inc()
				continue
			}
		}
		s.count(c, w.shown)
		s.keep(c, l, &res, w.shown)
		s.queueCrossings(w.told)
		return Answer{Result: res, Carrying: len(l.orders) > 0}, nil
	}
	return Answer{}, orders.Errorf(orders.Unavailable, "too many posts of this courier at once, try again")
}

// forgetTold has everything told again that was told of orders.
func (m *memory) forgetTold() {
	for i := range m.orders {
		o := &m.orders[i]
		o.told, o.arrives = track.Estimate{}, time.Time{}
	}
}

// count looks at what became of what was shown.
func (s *Service) count(c *courier, shown []Shown) {
	for i := range shown {
		switch sh := &shown[i]; sh.Outcome {
		case Sent:
			switch {
			case sh.Quiet:
			case sh.Phase == Approach:
				s.m.approach.Inc()
			default:
				s.m.riding.Inc()
				if sh.StopsAhead > 0 {
					s.m.coarse.Inc()
				}
			}
		case Closed:
			s.m.closed.Inc()
			c.changed() // what the courier carries is not what we think
		case Older:
			s.m.older.Inc()
		default:
			s.m.unsent.Inc()
			c.retell.Store(true)
		}
	}
}

// keep hands the fixes of a post to the history of each order in whose window they lie, as the channel found it open.
func (s *Service) keep(c *courier, l *load, res *track.Result, shown []Shown) {
	if s.history.to == nil || len(res.History) == 0 {
		return
	}
	for i := range shown {
		sh := &shown[i]
		if sh.Phase != Riding || sh.Outcome == Closed {
			continue
		}
		for j := range l.orders {
			o := &l.orders[j]
			if o.id != sh.Order {
				continue
			}
			if sh.Outcome == Failed { // perhaps not its any more
				s.m.lost.Add(float64(len(o.within(res.History))))
				continue
			}
			s.history.add(Fix{
				Order: o.id, Courier: c.id, Epoch: o.epoch, StopsAhead: len(o.ahead),
				Shown: sh.Outcome == Sent && !sh.Quiet, ETAAt: sh.ETA.At,
			}, o.within(res.History), &res.Live)
		}
	}
}
