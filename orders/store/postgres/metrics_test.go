package postgres

import (
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"doorbell/orders/store/storetest"
)

// TestMetricsAreThereUntilClose: SQLite's, and what an operator of several nodes needs beside them.
func TestMetricsAreThereUntilClose(t *testing.T) {
	r := prometheus.NewRegistry()
	s := opened(t, shared.Database(t), func(c *Config) { c.Registerer = r })
	stop := running(t, s)
	place(t, s, storetest.Draft{})
	values := map[string]float64{}
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			values[f.GetName()] += m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	for _, name := range []string{
		"doorbell_store_group_size", "doorbell_store_commit_seconds", "doorbell_store_queue_length", "doorbell_store_connections",
		"doorbell_store_outbox_waiting", "doorbell_store_outbox_oldest_seconds", "doorbell_store_clock_offset_seconds",
	} {
		if _, ok := values[name]; !ok {
			t.Errorf("%s is not there", name)
		}
	}
	if ahead := values["doorbell_store_partitions_ahead_days"]; ahead != daysAhead {
		t.Errorf("partitions for %v days, want %d", ahead, daysAhead)
	}
	stop()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if families, _ := r.Gather(); len(families) != 0 {
		t.Errorf("%d metrics are left behind", len(families))
	}
}
