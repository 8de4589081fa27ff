package bus

import "github.com/prometheus/client_golang/prometheus"

// metrics is what the Redis bus counts. Labels are few and ours.
type metrics struct {
	published   *prometheus.CounterVec // kind
	refused     prometheus.Counter
	failed      prometheus.Counter
	dropped     *prometheus.CounterVec // reason
	received    prometheus.Counter
	repeated    prometheus.Counter
	unreadable  prometheus.Counter
	heals       *prometheus.CounterVec // reason
	compares    prometheus.Counter
	generations prometheus.Counter
	publish     prometheus.Histogram
	lag         prometheus.Histogram
}

// Why a partition was read again.
const (
	healGap        = "gap"          // a message was missing between two
	healBehind     = "behind"       // the counter ran ahead of what came
	healReconnect  = "reconnect"    // the connection was away
	healShort      = "stream_short" // more is missing than the stream keeps
	healGeneration = "generation"   // Redis is not the one it was
)

func newMetrics(reg prometheus.Registerer, r *Redis) *metrics {
	latency := []float64{.0002, .0005, .001, .002, .003, .005, .0075, .01, .015, .025, .05, .1, .25, .5, 1, 2}
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: "doorbell_bus_" + name, Help: help})
	}
	counters := func(name, help, label string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "doorbell_bus_" + name, Help: help}, []string{label})
	}
	histogram := func(name, help string) prometheus.Histogram {
		return prometheus.NewHistogram(prometheus.HistogramOpts{Name: "doorbell_bus_" + name, Help: help, Buckets: latency})
	}
	gauge := func(name, help string, f func() float64) prometheus.GaugeFunc {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "doorbell_bus_" + name, Help: help}, f)
	}
	m := &metrics{
		published:   counters("published_total", "Messages published, by kind: order, notice, or swept (orders out of the outbox).", "kind"),
		refused:     counter("refused_total", "Messages that Redis refused, being in another generation."),
		failed:      counter("failed_total", "Messages that could not be published; the outbox brings them again."),
		dropped:     counters("dropped_total", "Messages not even tried, by reason; the outbox brings them again.", "reason"),
		received:    counter("received_total", "Messages received, those read from a stream included."),
		repeated:    counter("repeated_total", "Messages received once more, and dropped."),
		unreadable:  counter("unreadable_total", "Messages received that could not be read, or of a kind that is unknown here."),
		heals:       counters("heals_total", "Times that something missed was made good, by reason.", "reason"),
		compares:    counter("compares_total", "Times that all that is watched had to be compared with the database."),
		generations: counter("generations_total", "Generations that this node went over to."),
		publish:     histogram("publish_seconds", "From the commit of a change until Redis had it."),
		lag:         histogram("lag_seconds", "From the commit of a change until this node had it, by the clocks of both."),
	}
	for _, reason := range []string{healGap, healBehind, healReconnect, healShort, healGeneration} {
		m.heals.WithLabelValues(reason)
	}
	if reg != nil {
		reg.MustRegister(m.published, m.refused, m.failed, m.dropped, m.received, m.repeated, m.unreadable, m.heals, m.compares, m.generations,
			m.publish, m.lag,
			gauge("queue_length", "Messages waiting to be published.", func() float64 { return float64(r.waiting.Load()) }),
			gauge("degraded", "1 while changes may come late.", func() float64 {
				if r.health.degraded.Load() {
					return 1
				}
				return 0
			}),
		)
	}
	return m
}
