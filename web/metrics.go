package web

import (
	"net/http"
	"strconv"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
)

// metrics is what the edge counts. Labels are few and ours: no ids.
type metrics struct {
	seconds *prometheus.HistogramVec // route, method, code
	flying  prometheus.Gauge
}

func newMetrics(reg prometheus.Registerer) *metrics {
	m := &metrics{
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "doorbell_web_request_seconds",
			Help:    "Time from a request's first byte to its answer, by route, method and status code.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10, 60},
		}, []string{"route", "method", "code"}),
		flying: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "doorbell_web_requests_in_flight",
			Help: "Requests that are being answered, long-polls among them.",
		}),
	}
	if reg != nil {
		reg.MustRegister(m.seconds, m.flying)
	}
	return m
}

// observe gives each request a logger with its id, times it, and logs its end: route patterns only, since a path may
// hold a device's token.
func (s *Server) observe(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		s.metrics.flying.Inc()
		defer s.metrics.flying.Dec()
		id := newRequestID()
		w.Header().Set("X-Request-Id", id)
		log := s.log.With().Str("request", id).Logger()
		ww := middleware.NewWrapResponseWriter(w, r.ProtoMajor)
		r = r.WithContext(log.WithContext(r.Context()))
		next.ServeHTTP(ww, r)

		route := chi.RouteContext(r.Context()).RoutePattern()
		if route == "" {
			route = "none"
		}
		code, took := ww.Status(), time.Since(start)
		if code == 0 {
			code = http.StatusOK
		}
		s.metrics.seconds.WithLabelValues(route, methodLabel(r.Method), strconv.Itoa(code)).Observe(took.Seconds())
		level := zerolog.DebugLevel
		if code >= 400 {
			level = zerolog.InfoLevel
		}
		log.WithLevel(level).Str("method", r.Method).Str("route", route).Int("status", code).
			Stringer("client_ip", s.proxies.ClientIP(r)).Float64("took_ms", float64(took.Microseconds())/1000).
			Msg("request")
	})
}

// methodLabel keeps made-up methods from making labels.
func methodLabel(m string) string {
	switch m {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return m
	}
	return "other"
}
