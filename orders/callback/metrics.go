package callback

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics is what an engine counts. Labels are few and ours.
type metrics struct {
	reg       prometheus.Registerer
	firstByte prometheus.Histogram
	attempts  *prometheus.CounterVec // outcome
	stages    *prometheus.CounterVec // stage
	ended     *prometheus.CounterVec // outcome
	breakers  *prometheus.GaugeVec   // state
	found     prometheus.Counter
	all       []prometheus.Collector
}

func newMetrics(reg prometheus.Registerer, e *Engine) (*metrics, error) {
	m := &metrics{
		reg: reg,
		firstByte: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "doorbell_callback_first_byte_seconds",
			Help:    "From when a callback was first due (always: the commit; unless_acked: a second later) until its first byte left.",
			Buckets: []float64{.0005, .001, .002, .003, .005, .0075, .01, .015, .025, .05, .1, .25, 1, 2, 5, 30},
		}),
		attempts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "doorbell_callback_attempts_total", Help: "Tries, by what became of the callback.",
		}, []string{"outcome"}),
		stages: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "doorbell_callback_failed_stages_total", Help: "Tries that failed, by the stage in which they did.",
		}, []string{"stage"}),
		ended: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "doorbell_callback_ended_total", Help: "Callbacks that wait no longer, by what became of them: delivered, superseded, acked and so on.",
		}, []string{"outcome"}),
		breakers: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "doorbell_callback_breakers", Help: "Endpoints whose breaker is not closed, by its state.",
		}, []string{"state"}),
		found: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "doorbell_callback_found_total", Help: "Callbacks found by looking, of which nobody had told.",
		}),
	}
	gauge := func(name, help string, f func() float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, f)
	}
	m.all = []prometheus.Collector{
		m.firstByte, m.attempts, m.stages, m.ended, m.breakers, m.found,
		gauge("doorbell_callback_waiting", "Callbacks of this node that wait or are under way.", func() (n float64) {
			e.set(func() { n = float64(e.rows) })
			return n
		}),
		gauge("doorbell_callback_in_flight", "Tries under way.", func() (n float64) {
			e.set(func() { n = float64(e.inFlight) })
			return n
		}),
		gauge("doorbell_callback_oldest_seconds", "Age of the callback that waits longest.", func() float64 { return e.oldest().Seconds() }),
		gauge("doorbell_callback_shards", "Shards of the endpoints that this node holds.", func() float64 { return float64(e.held()) }),
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "doorbell_callback_connections_opened_total", Help: "Connections made to endpoints.",
		}, func() float64 { return float64(e.cfg.Client.opened.Load()) }),
	}
	if reg == nil {
		return m, nil
	}
	for i, c := range m.all {
		if err := reg.Register(c); err != nil {
			m.all = m.all[:i]
			m.unregister()
			return nil, err
		}
	}
	return m, nil
}

func (m *metrics) unregister() {
	for _, c := range m.all {
		if m.reg != nil {
			m.reg.Unregister(c)
		}
	}
}

// tried counts one try.
func (m *metrics) tried(a *Answer, t *try, v *verdict) {
	m.attempts.WithLabelValues(string(v.outcome)).Inc()
	if a.Stage != "" {
		m.stages.WithLabelValues(string(a.Stage)).Inc()
	}
	if t.snap.Attempt == 0 && !a.Wrote.IsZero() {
		m.firstByte.Observe((a.Timings.Wait + a.Wrote.Sub(t.began)).Seconds())
	}
}

func (m *metrics) settled(o Outcome) { m.ended.WithLabelValues(string(o)).Inc() }

// breaker counts a change of a breaker's state.
func (m *metrics) breaker(from, to breakerState) {
	if from == to {
		return
	}
	if from != breakerClosed {
		m.breakers.WithLabelValues(from.String()).Dec()
	}
	if to != breakerClosed {
		m.breakers.WithLabelValues(to.String()).Inc()
	}
}

func (s breakerState) String() string {
	return [...]string{"closed", "open", "half_open"}[s]
}

// oldest is the age of the row that waits longest. It walks over all lanes, which a scrape can afford.
func (e *Engine) oldest() (age time.Duration) {
	e.mu.Lock()
	defer e.mu.Unlock()
	now := e.now()
	for _, ls := range e.lanes {
		for _, l := range ls {
			if len(l.rows) > 0 {
				age = max(age, now.Sub(l.rows[0].Made))
			}
		}
	}
	return age
}

// held is how many shards this node holds.
func (e *Engine) held() (n int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, s := range e.shards {
		if s != nil {
			n++
		}
	}
	return n
}
