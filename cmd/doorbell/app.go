package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/pprof"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/rs/zerolog"
	"golang.org/x/sync/errgroup"

	"doorbell/hub"
	"doorbell/hub/track"
	"doorbell/hub/track/ride"
	"doorbell/orders"
	"doorbell/web"
	"doorbell/web/auth"
)

// Bursts above a rate, as design section 9 has them: 50/s with 300, 20/s with 100.
const (
	customerBurst = 6 // seconds of the rate
	courierBurst  = 5
)

// app is a server with everything it needs, opened and not started.
type app struct {
	cfg      *config
	log      zerolog.Logger
	on       foundation
	roles    roles
	hub      *hub.Hub
	rides    *ride.Service
	carry    positions
	sessions context.Context // the life of live sessions
	endAll   func()          // ends it
	service  *orders.Service
	verifier *auth.Verifier
	web      *web.Server
	public   *http.Server
	admin    *http.Server

	publicListener net.Listener
	adminListener  net.Listener // nil = none
}

// newApp opens what a server needs: the store, the keys, the ports. It starts nothing; close or run it.
func newApp(ctx context.Context, cfg *config, log zerolog.Logger) (_ *app, err error) {
	p, err := cfg.check()
	if err != nil {
		return nil, err
	}
	a := &app{cfg: cfg, log: log.Level(p.level)}
	a.sessions, a.endAll = context.WithCancel(context.WithoutCancel(ctx))
	defer func() {
		if err != nil {
			a.close()
		}
	}()
	reg := prometheus.NewRegistry()
	reg.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))

	a.roles = p.roles
	if a.on, err = openFoundation(ctx, a, p.roles, reg); err != nil {
		return nil, err
	}
	a.service = orders.NewService(a.on.store, orders.Config{Policy: p.policy, Now: a.on.now, UnpaidOrders: cfg.UnpaidOrders})
	revocations, err := a.openTokens(ctx)
	if err != nil {
		return nil, err
	}
	if err := a.listen(); err != nil {
		return nil, err
	}
	a.web, err = a.newWeb(p, revocations, reg)
	if err != nil {
		return nil, err
	}
	a.public = web.NewHTTPServer(a.web, a.log)
	a.admin = &http.Server{Handler: adminHandler(reg, a.web), ReadHeaderTimeout: 5 * time.Second}
	return a, nil
}

// openTokens reads the keys that tokens are verified with, and who was revoked.
func (a *app) openTokens(ctx context.Context) (*auth.Revocations, error) {
	stored, err := a.on.store.Revocations(ctx)
	if err != nil {
		return nil, err
	}
	revocations := auth.NewRevocations(stored)
	cfg := auth.Config{
		JWKSURL: a.cfg.JWKSURL, Issuer: a.cfg.JWTIssuer, Audience: a.cfg.JWTAudience, Revocations: revocations,
		Now: a.on.now, Log: a.log,
	}
	switch {
	case a.cfg.JWTSecretFile != "":
		cfg.Secret, err = auth.ParseKeyFile(a.cfg.JWTSecretFile)
	case a.cfg.JWKSURL == "":
		if a.cfg.Redis != "" {
			a.log.Warn().Str("data", a.cfg.Data).Msg("tokens are signed with the key in this node's own data folder: give all " +
				"nodes the same --jwt-secret-file or --jwks-url, or a token of one is refused by the others")
		}
		cfg.Secret, err = auth.EnsureSecret(a.cfg.Data)
	}
	if err != nil {
		return nil, err
	}
	a.verifier, err = auth.New(cfg)
	return revocations, err
}

func (a *app) newWeb(p parsed, revocations *auth.Revocations, reg prometheus.Registerer) (*web.Server, error) {
	customers, err := auth.NewLimit(a.cfg.CustomerRate, burst(customerBurst, a.cfg.CustomerRate), nil)
	if err != nil {
		return nil, fmt.Errorf("--customer-rate: %w", err)
	}
	couriers, err := auth.NewLimit(a.cfg.CourierRequests, burst(courierBurst, a.cfg.CourierRequests), nil)
	if err != nil {
		return nil, fmt.Errorf("--courier-requests: %w", err)
	}
	proxies, err := auth.ParseTrustedProxies(a.cfg.TrustedProxies)
	if err != nil {
		return nil, fmt.Errorf("--trusted-proxies: %w", err)
	}
	viewer, gate := web.Viewer{PublicURL: a.publicURL(), Estimator: p.policy.Estimator}, web.Gate{Verifier: a.verifier, Orders: a.service}
	posts, err := auth.NewLimit(a.cfg.CourierRate, burst(ride.DefaultBurst, a.cfg.CourierRate), nil)
	if err != nil {
		return nil, fmt.Errorf("--courier-rate: %w", err)
	}
	devices, err := auth.NewDevices(a.on.store, nil)
	if err != nil {
		return nil, err
	}
	positions := web.Positions{Limit: posts, Now: a.on.now}
	a.hub = hub.New(hub.Config{
		Locate: func(ctx context.Context, by orders.Caller, coordSys string, points []byte) ([]byte, error) {
			return positions.Locate(ctx, by, coordSys, points)
		},
		Follow: a.on.follow, LocationEvery: a.cfg.LocationEvery,
		Last:   func(ctx context.Context, id string) (hub.Position, bool) { return a.carry.Last(ctx, id) },
		Source: a.on.store, Recent: a.on.near, Now: a.on.now, View: viewer.JSON, Verify: gate.Live, MaxSessions: maxSessions(), MaxPerSubject: a.cfg.SocketsPerSubject,
		Log: a.log, Registerer: reg,
	})
	a.carry = a.on.positions(a.hub)
	limits := track.DefaultLimits
	limits.MaxSpeed = a.cfg.MaxSpeed
	a.rides = ride.New(ride.Config{
		Store: a.on.store, Channel: a.carry, Commands: a.service, Tracks: web.TrackWriter{Store: a.on.store},
		Limits: limits, Now: a.on.now, Log: a.log, Registerer: reg, // the rate is looked at before a post is read
	})
	positions.Rides = a.rides
	a.on.more = a.on.hear(listeners{hub: a.hub, rides: a.rides, positions: a.carry, revoked: revocations})
	revocations.OnRevoke(a.hub.Revoke)
	return web.New(web.Config{
		Orders: a.service, Store: a.on.store, Gate: gate, Revocations: revocations, Hub: a.hub, Sessions: a.sessions,
		Health: web.NewHealth(a.on.ready), Proxies: proxies, Viewer: viewer, Origins: a.cfg.Origins, OpenURLs: len(p.allow) > 0,
		Positions: positions, Devices: devices, Tracks: a.on.store,
		NoAPI: !p.roles.api, NoLive: !p.roles.hub, CustomerLimit: customers, CourierLimit: couriers, Log: a.log, Registerer: reg,
	})
}

// listen takes the ports, so that a port in use is told before anything runs.
func (a *app) listen() (err error) {
	if a.publicListener, err = net.Listen("tcp", a.cfg.Listen); err != nil {
		return fmt.Errorf("--listen: %w", err)
	}
	if a.cfg.TLSCert != "" {
		pair, err := tls.LoadX509KeyPair(a.cfg.TLSCert, a.cfg.TLSKey)
		if err != nil {
			return fmt.Errorf("--tls-cert, --tls-key: %w", err)
		}
		a.publicListener = tls.NewListener(a.publicListener, &tls.Config{
			Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"},
		})
	}
	if a.cfg.Admin == "" {
		return nil
	}
	if a.adminListener, err = net.Listen("tcp", a.cfg.Admin); err != nil {
		return fmt.Errorf("--admin: %w", err)
	}
	return nil
}

// publicURL is how clients reach this installation: as configured, else this machine by the port it listens on.
func (a *app) publicURL() string {
	if a.cfg.PublicURL != "" {
		return strings.TrimRight(a.cfg.PublicURL, "/")
	}
	scheme := "http"
	if a.cfg.TLSCert != "" {
		scheme = "https"
	}
	_, port, _ := net.SplitHostPort(a.addr())
	return scheme + "://localhost:" + port
}

// addr is where the public port listens.
func (a *app) addr() string { return a.publicListener.Addr().String() }

// adminAddr is where the admin port listens, "" for nowhere.
func (a *app) adminAddr() string {
	if a.adminListener == nil {
		return ""
	}
	return a.adminListener.Addr().String()
}

// burst is so many seconds of a rate, and room for one request under any rate.
func burst(seconds, rate float64) int { return max(1, int(seconds*rate)) }

// adminHandler is what operators see and nobody else.
func adminHandler(reg *prometheus.Registry, public http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/metrics", promhttp.HandlerFor(reg, promhttp.HandlerOpts{EnableOpenMetrics: true}))
	mux.Handle("/livez", public)
	mux.Handle("/readyz", public)
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	return mux
}

// run serves until ctx ends, then moves live clients away, finishes what is under way and returns once everything it
// started has ended. What others lean on goes last: the hub after its sessions, the store after everything that writes.
func (a *app) run(ctx context.Context) error {
	defer a.close()
	lasting, stopLasting := context.WithCancel(context.WithoutCancel(ctx))
	defer stopLasting()
	var base errgroup.Group
	runs := append([]func(context.Context) error{a.on.store.Run, a.on.bus.Run, a.hub.Run}, a.on.more...)
	for _, run := range runs {
		base.Go(func() error { return run(lasting) })
	}
	if a.on.joined != nil { // else what is committed first is published by others, later
		joining, enough := context.WithTimeout(ctx, joinTimeout)
		a.on.joined(joining)
		enough()
	}
	work, workCtx := errgroup.WithContext(ctx)
	onError := func(err error) { a.log.Warn().Err(err).Msg("store failed, will be tried again") }
	if a.roles.api {
		work.Go(func() error { return a.service.RunTimers(workCtx, onError) })
		work.Go(func() error { return a.service.RunSweeps(workCtx, a.cfg.ArchiveAfter, onError) })
	}
	work.Go(func() error { return a.verifier.Run(lasting) })
	riding, stopRiding := context.WithCancel(lasting)
	defer stopRiding()
	var rides errgroup.Group // what couriers posted is written before the store ends
	rides.Go(func() error { return a.rides.Run(riding) })
	work.Go(func() error { return ignoreClosed(a.public.Serve(a.publicListener)) })
	if a.adminListener != nil {
		work.Go(func() error { return ignoreClosed(a.admin.Serve(a.adminListener)) })
	}
	work.Go(func() error {
		<-workCtx.Done()
		a.drain()
		stopRiding()
		err := rides.Wait()
		stopLasting()
		return err
	})
	if a.cfg.Redis != "" && a.cfg.PublicURL == "" {
		a.log.Warn().Msg("tracking links name this node: give all nodes the same --public-url")
	}
	a.log.Info().Str("listen", a.addr()).Str("admin", a.adminAddr()).Str("data", a.cfg.Data).Stringer("roles", a.roles).
		Str("public_url", a.publicURL()).Str("version", versionText()).Msg("serving")

	err := work.Wait()
	if berr := base.Wait(); err == nil {
		err = berr
	}
	a.log.Info().Msg("stopped")
	return err
}

// drain moves live clients away and lets requests finish. Clients may take --drain, the requests drainRest after that.
func (a *app) drain() {
	a.log.Info().Int64("drain_ms", a.cfg.Drain.Milliseconds()).Int("sessions", a.hub.Sessions()).Msg("draining")
	a.web.Drain()
	ctx, cancel := context.WithTimeout(context.Background(), a.cfg.Drain+drainRest)
	defer cancel()
	a.hub.Drain(ctx, a.cfg.Drain, a.notice())
	a.endAll()
	if err := a.public.Shutdown(ctx); err != nil {
		_ = a.public.Close()
	}
	_ = a.admin.Close()
}

// joinTimeout is how long a node waits for Redis before it serves without it.
const joinTimeout = time.Second

// notice is how long a node that stops still takes requests, though it may have nobody left to move. One of many is sent
// requests until the gateway has seen that /readyz says no; a node that is alone is asked by nobody who could go elsewhere.
func (a *app) notice() time.Duration {
	if a.cfg.Redis == "" {
		return 0
	}
	return min(hub.DrainNotice, a.cfg.Drain)
}

// drainRest is what a stop may take beyond --drain: 8 s, so that by default it is over after 28 s, before the usual
// orchestrator's 30 s are.
const drainRest = 8 * time.Second

// close gives back what newApp opened; what is closed already stays so.
func (a *app) close() {
	a.endAll()
	for _, l := range []net.Listener{a.publicListener, a.adminListener} {
		if l != nil {
			_ = l.Close()
		}
	}
	if a.on.store != nil {
		if err := a.on.store.Close(); err != nil {
			a.log.Error().Err(err).Msg("closing the store failed")
		}
	}
}

func ignoreClosed(err error) error {
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}
