package postgres

import (
	"context"
	"math"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// countEvery is the pause between counts of the outbox.
const countEvery = 5 * time.Second

// metrics is what this engine counts beside the store's own.
type metrics struct {
	waiting     prometheus.Gauge
	oldest      prometheus.Gauge
	ahead       prometheus.GaugeFunc
	connections []prometheus.Collector
	offset      prometheus.GaugeFunc
	reach       atomic.Int64 // the last day that has partitions, Unix seconds
}

func newMetrics(p *pool, c *clock) *metrics {
	m := &metrics{
		waiting: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "doorbell_store_outbox_waiting", Help: "Committed groups that are not marked as published, counted to 10,000.",
		}),
		oldest: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "doorbell_store_outbox_oldest_seconds", Help: "Age of the oldest group that is not marked as published.",
		}),
		offset: prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "doorbell_store_clock_offset_seconds", Help: "How far this machine's clock is behind the database's.",
		}, func() float64 { return c.offset().Seconds() }),
	}
	m.ahead = prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "doorbell_store_partitions_ahead_days", Help: "Days behind today that have their partitions; below 0: today has none.",
	}, func() float64 { return time.Unix(m.reach.Load(), 0).Sub(dayOf(c.now())).Hours() / 24 })
	for _, which := range []struct {
		state string
		count func() int
	}{
		{"used", func() int { used, _ := p.counts(); return used }},
		{"idle", func() int { _, idle := p.counts(); return idle }},
	} {
		m.connections = append(m.connections, prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "doorbell_store_connections", Help: "Connections for reading, by what they do.",
			ConstLabels: prometheus.Labels{"state": which.state},
		}, func() float64 { return float64(which.count()) }))
	}
	return m
}

func (m *metrics) all() []prometheus.Collector {
	return append([]prometheus.Collector{m.waiting, m.oldest, m.ahead, m.offset}, m.connections...)
}

// countOutbox counts what waits, until ctx ends.
func (s *Store) countOutbox(ctx context.Context) {
	tick := time.NewTicker(countEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		var n, age int64
		if s.pool.Row(ctx, countWaiting, nil, &n, &age) == nil {
			s.metrics.waiting.Set(float64(n))
			s.metrics.oldest.Set(math.Max(0, (time.Duration(age) * time.Microsecond).Seconds()))
		}
	}
}
