package web

import (
	"context"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"doorbell/hub"
	"doorbell/orders"
	"doorbell/web/auth"
)

// Config is what a Server works with.
type Config struct {
	Orders      *orders.Service
	Store       Store
	Gate        Gate
	Revocations *auth.Revocations
	Hub         *hub.Hub
	Sessions    context.Context // the life of live sessions: longer than that of the requests they began as
	Viewer      Viewer
	Health      *Health
	Proxies     auth.TrustedProxies
	Origins     []string // that browsers may call from; "*" = any, empty = none
	NoAPI       bool     // REST, streams and long-polls are other nodes' work
	NoLive      bool     // live sockets are other nodes' work
	OpenURLs    bool     // callbacks may go to any port and over plain http (development)

	CustomerLimit *auth.Limit // of customers and tracking links, by sub; nil = none
	CourierLimit  *auth.Limit // of couriers, by sub, but for what they post of positions; nil = none

	Positions Positions
	Devices   *auth.Devices     // nil = there are none
	Tracks    orders.TrackStore // nil = tracks are not kept

	Log        zerolog.Logger
	Registerer prometheus.Registerer // nil = no metrics
}

// Store is what the edge itself keeps: everything else goes through orders.Service.
type Store interface {
	// Revoke stores that tokens of sub issued at or before the second of t are void.
	Revoke(ctx context.Context, sub string, t time.Time) error
}

// Server is the public HTTP edge. It is an http.Handler.
type Server struct {
	Config
	log       zerolog.Logger
	proxies   auth.TrustedProxies
	metrics   *metrics
	contracts map[string]*contract // by method and path, e.g. "POST /orders/{orderId}/pay"
	handler   http.Handler
	stopping  chan struct{} // closed by Drain: long-polls answer at once
}

// New makes a Server. It fails where openapi.yaml and the routes do not fit together.
func New(cfg Config) (*Server, error) {
	known, err := contracts()
	if err != nil {
		return nil, err
	}
	s := &Server{
		Config: cfg, log: cfg.Log, proxies: cfg.Proxies, metrics: newMetrics(cfg.Registerer), contracts: known,
		stopping: make(chan struct{}),
	}
	s.handler, err = s.routes()
	return s, err
}

// ServeHTTP answers a request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.handler.ServeHTTP(w, r) }

// Drain makes /readyz say no and answers every long-poll at once. Call it once, before http.Server.Shutdown.
func (s *Server) Drain() {
	s.Health.Drain()
	close(s.stopping)
}
