package ride

import (
	"context"

	"doorbell/hub/track"
	"doorbell/orders"
)

const (
	// crossingWorkers is how many crossings are told at a time: each waits for a commit. Those of an order are one
	// worker's, since nobody comes near where it has arrived.
	crossingWorkers = 4
	// crossingsWaiting is how many may wait for a worker. What does not fit comes with the next fix.
	crossingsWaiting = 256
)

// crossing is something that the state machine of an order is to be told.
type crossing struct {
	c    *courier
	o    *carried
	kind track.CrossingKind
}

// queueCrossings has crossings told by Run, each once: until it failed, or the order is read anew.
func (s *Service) queueCrossings(all []crossing) {
	if s.commands == nil {
		return
	}
	for _, x := range all {
		if x.o.told.Or(bit(x.kind))&bit(x.kind) != 0 {
			continue
		}
		select {
		case s.crossings[x.o.key%crossingWorkers] <- x:
		default:
			s.again(x, "dropped")
		}
	}
}

// again leaves a crossing to the next fix that shows it.
func (s *Service) again(x crossing, outcome string) {
	x.o.told.And(^bit(x.kind))
	s.m.crossings.WithLabelValues(x.kind.String(), outcome).Inc()
}

func (s *Service) tellCrossings(ctx context.Context, waiting <-chan crossing) {
	for {
		select {
		case x := <-waiting:
			s.tellCrossing(ctx, x)
		case <-ctx.Done():
			return
		}
	}
}

func (s *Service) tellCrossing(ctx context.Context, x crossing) {
	// The command does not name the courier, so what is known to be another's by now is not told.
	if l := x.c.load.Load(); l != nil && !l.has(x.o.id, x.o.epoch, x.o.stop) {
		s.again(x, "overtaken")
		return
	}
	var cmd orders.Command = orders.Nearby{Stop: x.o.stop}
	if x.kind == track.HasArrived {
		cmd = orders.Arrive{Stop: x.o.stop}
	}
	_, events, err := s.commands.DoAsSystem(ctx, x.o.id, cmd, s.now())
	switch kind := orders.KindOf(err); {
	case err == nil && events == nil:
		s.m.crossings.WithLabelValues(x.kind.String(), "repeated").Inc()
	case err == nil:
		s.m.crossings.WithLabelValues(x.kind.String(), "told").Inc()
	case kind == orders.Conflict, kind == orders.NotFound, kind == orders.Unprocessable:
		s.m.crossings.WithLabelValues(x.kind.String(), "refused").Inc() // by an order that has gone on
	default:
		s.again(x, "failed")
		s.log.Warn().Err(err).Str("order", x.o.id).Str("crossing", x.kind.String()).Msg("crossing not told, again with the next fix")
	}
}
