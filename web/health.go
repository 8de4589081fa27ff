package web

import (
	"context"
	"net/http"
	"sync/atomic"
	"time"
)

// Health answers /livez and /readyz. It is safe for concurrent use.
type Health struct {
	draining atomic.Bool
	check    func(context.Context) error
}

// readyTimeout is how long a readiness check may take: half of the two seconds between a balancer's checks.
const readyTimeout = time.Second

// NewHealth makes a Health whose readiness is what check says.
func NewHealth(check func(context.Context) error) *Health { return &Health{check: check} }

// Drain makes /readyz say no for good: the node is about to stop.
func (h *Health) Drain() { h.draining.Store(true) }

func (h *Health) live(w http.ResponseWriter, _ *http.Request) { plain(w, http.StatusOK, "ok") }

func (h *Health) ready(w http.ResponseWriter, r *http.Request) {
	if h.draining.Load() {
		plain(w, http.StatusServiceUnavailable, "draining")
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), readyTimeout)
	defer cancel()
	if err := h.check(ctx); err != nil {
		plain(w, http.StatusServiceUnavailable, "not ready")
		return
	}
	plain(w, http.StatusOK, "ok")
}

func plain(w http.ResponseWriter, code int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(code)
	_, _ = w.Write([]byte(text + "\n"))
}
