package hub

import "github.com/prometheus/client_golang/prometheus"

// metrics is what a hub counts. Labels are few and ours.
type metrics struct {
	sessions  prometheus.Gauge
	ended     *prometheus.CounterVec // reason
	refused   *prometheus.CounterVec // reason
	thrown    *prometheus.CounterVec // reason
	delivery  prometheus.Histogram
	acked     prometheus.Histogram
	snapshots prometheus.Counter
	replayed  prometheus.Counter
	asked     prometheus.Counter

	compares    prometheus.Counter
	differences prometheus.Counter
}

func newMetrics(reg prometheus.Registerer, h *Hub) *metrics {
	latency := []float64{.0005, .001, .002, .003, .005, .0075, .01, .015, .025, .05, .1, .25, 1, 2, 5}
	m := &metrics{
		sessions: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "doorbell_hub_sessions", Help: "Live sessions.",
		}),
		ended: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "doorbell_hub_sessions_ended_total", Help: "Sessions that ended, by reason.",
		}, []string{"reason"}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "doorbell_hub_sessions_refused_total", Help: "Connections refused before the upgrade, by reason.",
		}, []string{"reason"}),
		thrown: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "doorbell_hub_messages_thrown_away_total", Help: "Messages thrown away for slow clients, by reason; a snapshot follows.",
		}, []string{"reason"}),
		delivery: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "doorbell_hub_delivery_seconds", Help: "From the commit of a change until the socket took it.", Buckets: latency,
		}),
		acked: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "doorbell_hub_acked_seconds", Help: "From the commit of a change until a client acknowledged it.", Buckets: latency,
		}),
		snapshots: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "doorbell_hub_snapshots_total", Help: "Snapshots and board pages made.",
		}),
		replayed: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "doorbell_hub_replayed_events_total", Help: "Events replayed to clients that resumed.",
		}),
		asked: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "doorbell_hub_drain_asked_total", Help: "Clients asked to move by a drain.",
		}),
		compares: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "doorbell_hub_compares_total", Help: "Times that all that is watched was compared with the database.",
		}),
		differences: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "doorbell_hub_differences_total", Help: "Orders of which that found something else than was told.",
		}),
	}
	if reg != nil {
		reg.MustRegister(m.sessions, m.ended, m.refused, m.thrown, m.delivery, m.acked, m.snapshots, m.replayed, m.asked, m.compares, m.differences,
			prometheus.NewGaugeFunc(prometheus.GaugeOpts{
				Name: "doorbell_hub_topics", Help: "Topics that are watched.",
			}, func() float64 { return float64(h.Topics()) }),
			prometheus.NewGaugeFunc(prometheus.GaugeOpts{
				Name: "doorbell_hub_queue_bytes", Help: "Bytes that wait for clients.",
			}, func() float64 { return float64(h.queuedBytes()) }),
			prometheus.NewGaugeFunc(prometheus.GaugeOpts{
				Name: "doorbell_hub_drain_sessions_left", Help: "While draining, sessions that have not left yet; else 0.",
			}, func() float64 {
				if !h.Draining() {
					return 0
				}
				return float64(h.Sessions())
			}))
	}
	return m
}

// queuedBytes is asked for by a scrape only: it looks at every session.
func (h *Hub) queuedBytes() (n int) {
	for _, s := range h.all() {
		s.mu.Lock()
		n += s.queued
		s.mu.Unlock()
	}
	return n
}
