package ride

import (
	"context"
	"math"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"doorbell/hub/track"
	"doorbell/orders"
)

// Config is what a Service works with. Zero fields take the default beside them.
type Config struct {
	Store    Store
	Channel  Channel
	Commands Commands // nil = crossings are told to nobody
	Tracks   Tracks   // nil = no history

	Estimator track.Estimator  // track.Formula
	Limits    track.Limits     // track.DefaultLimits
	Rate      float64          // posts a second of one courier on this node; 0 = any number
	Burst     int              // of them at once; DefaultBurst
	Now       func() time.Time // time.Now

	Log        zerolog.Logger
	Registerer prometheus.Registerer // nil = no metrics
}

// DefaultBurst is how many posts a courier may send at once: what a phone had queued in a tunnel.
const DefaultBurst = 10

// Service takes the posts of couriers. It is safe for concurrent use; posts of one courier may land on several nodes at
// once. Run must run while it is used.
type Service struct {
	store     Store
	channel   Channel
	commands  Commands
	estimator track.Estimator
	limits    track.Limits
	now       func() time.Time
	log       zerolog.Logger
	m         *metrics

	couriers  couriers
	crossings [crossingWorkers]chan crossing // Run receives
	history   history
	scratch   sync.Pool // *scratch
}

// New makes a Service. It starts nothing.
func New(cfg Config) *Service {
	s := &Service{
		store: cfg.Store, channel: cfg.Channel, commands: cfg.Commands, estimator: cfg.Estimator, limits: cfg.Limits,
		now: cfg.Now, log: cfg.Log,
		scratch: sync.Pool{New: func() any { return new(scratch) }},
	}
	if s.estimator == nil {
		s.estimator = track.Formula{}
	}
	if s.limits == (track.Limits{}) {
		s.limits = track.DefaultLimits
	}
	if s.now == nil {
		s.now = time.Now
	}
	limit, burst := cfg.Rate, cfg.Burst
	if !(limit > 0) || math.IsInf(limit, 0) {
		limit = 0
	}
	if burst <= 0 {
		burst = DefaultBurst
	}
	s.couriers.init(limit, burst)
	for i := range s.crossings {
		s.crossings[i] = make(chan crossing, crossingsWaiting)
	}
	s.m = newMetrics(cfg.Registerer, s)
	s.history.init(cfg.Tracks, s.m, s.log)
	return s
}

// Run tells crossings, writes the history and forgets idle couriers until ctx ends. It returns when what was taken is
// written, or could not be in a few seconds, and nothing of the service runs any more.
func (s *Service) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	for _, waiting := range s.crossings {
		wg.Go(func() { s.tellCrossings(ctx, waiting) })
	}
	wg.Go(func() { s.history.run(ctx) })
	t := time.NewTicker(time.Second)
	defer t.Stop()
	for shard := 0; ; shard = (shard + 1) % shards {
		select {
		case <-t.C:
			s.couriers.forget(shard, track.MilliOf(s.now()))
		case <-ctx.Done():
			wg.Wait()
			return nil
		}
	}
}

// Heard has what these couriers carry read anew with their next post. It is to be called behind the commit of every
// change of an order, on every node, with the order's courier and the one it was last taken from; "" is nobody. It takes
// some 100 ns and waits for nothing.
func (s *Service) Heard(couriers ...string) {
	for _, id := range couriers {
		if id == "" {
			continue
		}
		if c := s.couriers.known(id); c != nil {
			c.changed()
		}
	}
}

// Doubt has what every courier carries read anew: changes may have been missed.
func (s *Service) Doubt() {
	for i := range shards {
		s.couriers.each(i, (*courier).changed)
	}
}

var _ orders.Publisher = (*Service)(nil)

// Publish is Heard of a change that this process committed. A bus that hands changes to a Local, a Service and a hub does
// so in this order: then a window is closed before anybody is told that it is.
func (s *Service) Publish(o *orders.Order, _ []orders.Event) {
	own := ""
	if o.Delivery.Courier != nil {
		own = o.Delivery.Courier.ID
	}
	s.Heard(own, o.Delivery.Previous)
}
