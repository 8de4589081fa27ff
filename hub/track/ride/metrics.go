package ride

import (
	"github.com/prometheus/client_golang/prometheus"

	"doorbell/hub/track"
)

// metrics is what a Service counts. Labels are few and ours.
type metrics struct {
	taken, limited, unavailable prometheus.Counter

	accepted prometheus.Counter
	dropped  map[track.Reason]prometheus.Counter
	mock     prometheus.Counter

	approach, riding, coarse              prometheus.Counter
	early, notLive, closed, older, unsent prometheus.Counter

	reads     prometheus.Counter
	conflicts prometheus.Counter
	crossings *prometheus.CounterVec // kind, outcome
	written   prometheus.Counter
	lost      prometheus.Counter
	post      prometheus.Histogram
}

func newMetrics(reg prometheus.Registerer, s *Service) *metrics {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: "doorbell_track_" + name, Help: help})
	}
	counters := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "doorbell_track_" + name, Help: help}, labels)
	}
	posts := counters("posts_total", "Posts of couriers, by outcome.", "outcome")
	dropped := counters("points_dropped_total", "Fixes dropped, by the reason that the answer gave; TELEPORT: held, and perhaps taken later.", "reason")
	shown := counters("shown_total", "Positions handed to those who watch an order, by what of them may be seen.", "phase")
	hidden := counters("hidden_total", "Positions of an order's courier that were not shown, by reason.", "reason")
	m := &metrics{
		taken: posts.WithLabelValues("taken"), limited: posts.WithLabelValues("limited"),
		unavailable: posts.WithLabelValues("unavailable"),

		accepted: counter("points_accepted_total", "Fixes taken."),
		dropped:  map[track.Reason]prometheus.Counter{},
		mock:     counter("points_mock_total", "Fixes that a phone says an app made up."),

		approach: shown.WithLabelValues("approach"), riding: shown.WithLabelValues("riding"),
		coarse: counter("shown_coarse_total", "Positions that customers see roughly, since other stops come first."),
		early:  hidden.WithLabelValues("early"), notLive: hidden.WithLabelValues("not_live"),
		closed: hidden.WithLabelValues("closed"), older: hidden.WithLabelValues("older"), unsent: hidden.WithLabelValues("unavailable"),

		reads:     counter("order_reads_total", "Times that it was read from the database what a courier carries."),
		conflicts: counter("conflicts_total", "Posts judged again because another one of the same courier was faster."),
		crossings: counters("crossings_total", "Couriers found near or at a stop, by kind and by what the order's state machine said.", "kind", "outcome"),
		written:   counter("history_written_total", "Fixes written to the history of an order."),
		lost:      counter("history_lost_total", "Fixes that the history could not take."),
		post: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "doorbell_track_post_seconds", Help: "From a post until what it shows was handed to the hubs.",
			Buckets: []float64{.00005, .0001, .0002, .0005, .001, .002, .003, .005, .01, .025, .05, .1, .25, 1, 2},
		}),
	}
	for _, r := range track.Reasons {
		m.dropped[r] = dropped.WithLabelValues(string(r))
	}
	if reg != nil {
		reg.MustRegister(posts, dropped, shown, hidden, m.accepted, m.mock, m.coarse, m.reads, m.conflicts, m.crossings,
			m.written, m.lost, m.post,
			prometheus.NewGaugeFunc(prometheus.GaugeOpts{
				Name: "doorbell_track_couriers", Help: "Couriers that posted here not long ago.",
			}, func() float64 { return float64(s.couriers.len()) }),
			prometheus.NewGaugeFunc(prometheus.GaugeOpts{
				Name: "doorbell_track_history_waiting", Help: "Fixes that wait to be written.",
			}, func() float64 { return float64(s.history.len()) }))
	}
	return m
}
