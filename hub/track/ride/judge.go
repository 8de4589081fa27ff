package ride

import (
	"math"
	"time"

	"doorbell/hub/track"
	"doorbell/orders"
)

// judge works out what a post means for each order of a courier: what is shown of it, what the state machine is to be
// told, and what is remembered. It fills w and changes nothing else.
func (s *Service) judge(c *courier, l *load, was *memory, res *track.Result, now time.Time, w *scratch) {
	w.shown, w.told, w.next.orders = w.shown[:0], w.told[:0], w.next.orders[:0]
	for i := range l.orders {
		o := &l.orders[i]
		m := was.of(o.key)
		live := res.HasLive && o.in(&res.Live)
		history := o.within(res.History)
		s.fence(c, o, &m, res, history, live, w)
		switch {
		case live:
			s.show(c, o, &m, &w.next.state, &res.Live, now, w)
		case res.HasLive:
			s.m.early.Inc()
		case res.Accepted > 0:
			s.m.notLive.Inc()
		}
		if !live && len(history) > 0 && o.phase == Riding { // is it still?
			w.shown = append(w.shown, Shown{Order: o.id, Courier: c.id, Epoch: o.epoch, Phase: Riding, Quiet: true})
		}
		w.next.orders = append(w.next.orders, m)
	}
}

// show adds what those who watch an order are told of a fix inside its window.
func (s *Service) show(c *courier, o *carried, m *orderMemory, state *track.State, p *track.Point, now time.Time, w *scratch) {
	sh := Shown{Order: o.id, Courier: c.id, Epoch: o.epoch, Phase: o.phase, StopsAhead: len(o.ahead), Distance: -1}
	place := track.Place{Lat: p.Lat, Lon: p.Lon}
	f := o.facts
	f.Courier, f.CourierAt, f.Pace, f.Ahead = place, p.At.Time(), state.Pace(), o.ahead
	if e, ok := s.estimator.Estimate(f, now); ok {
		m.told, sh.TellETA = track.Change(m.told, e, now)
		sh.ETA = m.told
	}
	switch {
	case o.phase == Riding:
		sh.Point = *p
	case f.Delivery == orders.AtMerchant, !o.place.Known():
		sh.Point.At, sh.Point.ReceivedAt = p.At, p.ReceivedAt
	default:
		sh.Point.At, sh.Point.ReceivedAt = p.At, p.ReceivedAt
		m.approach(&sh, o, place, track.Travel(place, o.place, o.ahead, f.Vehicle, f.Pace), now)
	}
	if o.phase == Riding || sh.TellETA || sh.Merchant {
		w.shown = append(w.shown, sh)
	}
}

const (
	distanceStep = 10  // metres to which the distance to a merchant is rounded: it is no point, and no ruler either
	distanceTold = 100 // metres that it moves before it is told again
)

// approach adds what the merchant is told of a courier on its way there, travel from it.
func (m *orderMemory) approach(sh *Shown, o *carried, at track.Place, travel time.Duration, now time.Time) {
	sh.Distance = int(math.Round(at.To(o.place)/distanceStep)) * distanceStep
	arrives, moved := track.Change(track.Estimate{At: m.arrives}, track.Estimate{At: later(sh.Point.At.Time().Add(travel), now)}, now)
	far := sh.Distance - m.distance
	if sh.Merchant = moved || sh.TellETA || far >= distanceTold || far <= -distanceTold; sh.Merchant {
		m.distance = sh.Distance
	}
	m.arrives, sh.Arrives = arrives.At, arrives.At
}

func later(t, u time.Time) time.Time {
	if t.After(u) {
		return t
	}
	return u
}

// fence adds what the state machine is to be told of an order. The memory keeps only where the courier was: what was
// told, the order knows itself, and what got lost on the way there comes again with the next fix.
func (s *Service) fence(c *courier, o *carried, m *orderMemory, res *track.Result, history []track.Point, live bool, w *scratch) {
	stop := track.Stop{OrderID: o.id, Kind: o.stop, Epoch: o.epoch, Lat: o.place.Lat, Lon: o.place.Lon, Memory: m.fence}
	if live && len(o.ahead) == 0 {
		at := track.Place{Lat: res.Live.Lat, Lon: res.Live.Lon}
		stop.Travel = track.Travel(at, o.place, nil, o.facts.Vehicle, w.next.state.Pace())
	}
	stops := [1]track.Stop{stop}
	w.crossings = track.Geofence(w.crossings[:0], stops[:], history, s.limits)
	m.fence = stops[0].Memory
	m.fence.Retell()
	lat, lon, _, _ := w.next.state.Last()
	for _, x := range w.crossings {
		if o.believes(x.Kind, track.Place{Lat: lat, Lon: lon}, &s.limits) && o.told.Load()&bit(x.Kind) == 0 {
			w.told = append(w.told, crossing{c: c, o: o, kind: x.Kind})
		}
	}
}

// believes reports whether a crossing is this order's, for a courier that makes other stops first: passing by is not
// coming near, and who stands at another customer's door next to this one's has not arrived here.
func (o *carried) believes(k track.CrossingKind, at track.Place, lim *track.Limits) bool {
	if o.stop == orders.StopMerchant {
		return true
	}
	if k == track.IsNearby {
		return len(o.ahead) == 0
	}
	for _, p := range o.ahead {
		if p.Known() && p.To(at) <= lim.Arrived*lim.Leave {
			return false
		}
	}
	return true
}
