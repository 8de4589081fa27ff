package store

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"

	"doorbell/orders"
)

// metrics is what the store counts about itself.
type metrics struct {
	groupSize     prometheus.Histogram
	commitSeconds prometheus.Histogram
	reads         prometheus.Counter
	lost          prometheus.Counter
	errors        *prometheus.CounterVec // by Kind
	queue         prometheus.GaugeFunc
}

func newMetrics(waiting func() int) *metrics {
	return &metrics{
		groupSize: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "doorbell_store_group_size", Help: "Changes in one transaction.",
			Buckets: prometheus.ExponentialBuckets(1, 2, 9), // to maxGroup
		}),
		commitSeconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "doorbell_store_commit_seconds", Help: "Time of one transaction with its fsync.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 2, 14), // 0.5 ms to 4 s
		}),
		reads: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "doorbell_store_reads_total", Help: "Queries of the database.",
		}),
		lost: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "doorbell_store_lost_total", Help: "Changes that lost their compare-and-set.",
		}),
		errors: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "doorbell_store_errors_total", Help: "Changes that failed, by kind of error.",
		}, []string{"kind"}),
		queue: prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "doorbell_store_queue_length", Help: "Changes that wait for a transaction.",
		}, func() float64 { return float64(waiting()) }),
	}
}

func (m *metrics) all() []prometheus.Collector {
	return []prometheus.Collector{m.groupSize, m.commitSeconds, m.reads, m.lost, m.errors, m.queue}
}

// count notes how a change ended.
func (m *metrics) count(err error) {
	switch {
	case err == nil || errors.Is(err, orders.ErrKeyTaken):
	case errors.Is(err, orders.ErrLost):
		m.lost.Inc()
	default:
		m.errors.WithLabelValues(string(orders.KindOf(err))).Inc()
	}
}

// register puts the metrics, and more of the engine's, where they are scraped; the returned function takes them away.
// A nil r is nowhere.
func (m *metrics) register(r prometheus.Registerer, more []prometheus.Collector) (undo func(), err error) {
	undo = func() {}
	if r == nil {
		return undo, nil
	}
	var done []prometheus.Collector
	undo = func() {
		for _, c := range done {
			r.Unregister(c)
		}
	}
	for _, c := range append(m.all(), more...) {
		if err := r.Register(c); err != nil {
			undo()
			return nil, err
		}
		done = append(done, c)
	}
	return undo, nil
}
