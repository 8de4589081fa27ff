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
	"doorbell/orders"
	"doorbell/orders/store"
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
	store    *store.Store
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
	defer func() {
		if err != nil {
			a.close()
		}
	}()
	reg := prometheus.NewRegistry()
	reg.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))

	waiters := &hub.Waiters{}
	a.store, err = store.Open(ctx, store.Config{Dir: cfg.Data, Publisher: waiters, Log: a.log, Registerer: reg})
	if err != nil {
		return nil, err
	}
	a.service = orders.NewService(a.store, orders.Config{Policy: p.policy, UnpaidOrders: cfg.UnpaidOrders})
	revocations, err := a.openTokens(ctx)
	if err != nil {
		return nil, err
	}
	if err := a.listen(); err != nil {
		return nil, err
	}
	a.web, err = a.newWeb(p, waiters, revocations, reg)
	if err != nil {
		return nil, err
	}
	a.public = web.NewHTTPServer(a.web, a.log)
	a.admin = &http.Server{Handler: adminHandler(reg, a.web), ReadHeaderTimeout: 5 * time.Second}
	return a, nil
}

// openTokens reads the keys that tokens are verified with, and who was revoked.
func (a *app) openTokens(ctx context.Context) (*auth.Revocations, error) {
	stored, err := a.store.Revocations(ctx)
	if err != nil {
		return nil, err
	}
	revocations := auth.NewRevocations(stored)
	cfg := auth.Config{
		JWKSURL: a.cfg.JWKSURL, Issuer: a.cfg.JWTIssuer, Audience: a.cfg.JWTAudience, Revocations: revocations, Log: a.log,
	}
	switch {
	case a.cfg.JWTSecretFile != "":
		cfg.Secret, err = auth.ParseKeyFile(a.cfg.JWTSecretFile)
	case a.cfg.JWKSURL == "":
		cfg.Secret, err = auth.EnsureSecret(a.cfg.Data)
	}
	if err != nil {
		return nil, err
	}
	a.verifier, err = auth.New(cfg)
	return revocations, err
}

func (a *app) newWeb(p parsed, waiters *hub.Waiters, revocations *auth.Revocations, reg prometheus.Registerer) (*web.Server, error) {
	customers, err := auth.NewLimit(a.cfg.CustomerRate, int(customerBurst*a.cfg.CustomerRate), nil)
	if err != nil {
		return nil, fmt.Errorf("--customer-rate: %w", err)
	}
	couriers, err := auth.NewLimit(a.cfg.CourierRequests, int(courierBurst*a.cfg.CourierRequests), nil)
	if err != nil {
		return nil, fmt.Errorf("--courier-requests: %w", err)
	}
	proxies, err := auth.ParseTrustedProxies(a.cfg.TrustedProxies)
	if err != nil {
		return nil, fmt.Errorf("--trusted-proxies: %w", err)
	}
	return web.New(web.Config{
		Orders: a.service, Store: a.store, Verifier: a.verifier, Revocations: revocations, Waiters: waiters,
		Health: web.NewHealth(a.store.Ready), Proxies: proxies, PublicURL: a.publicURL(), Origins: a.cfg.Origins,
		OpenURLs: len(p.allow) > 0, CustomerLimit: customers, CourierLimit: couriers, Log: a.log, Registerer: reg,
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

// adminHandler is what operators see and nobody else.
func adminHandler(reg *prometheus.Registry, public http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/metrics", promhttp.HandlerFor(reg, promhttp.HandlerOpts{EnableOpenMetrics: true}))
	mux.Handle("/livez", public)
	mux.Handle("/readyz", public)
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	return mux
}

// run serves until ctx ends, then finishes what is under way and returns once everything it started has ended. The
// store goes last, so that every answered request could write.
func (a *app) run(ctx context.Context) error {
	defer a.close()
	storeCtx, stopStore := context.WithCancel(context.WithoutCancel(ctx))
	defer stopStore()
	var storeGroup errgroup.Group
	storeGroup.Go(func() error { return a.store.Run(storeCtx) })

	work, workCtx := errgroup.WithContext(ctx)
	onError := func(err error) { a.log.Warn().Err(err).Msg("store failed, will be tried again") }
	work.Go(func() error { return a.service.RunTimers(workCtx, onError) })
	work.Go(func() error { return a.service.RunSweeps(workCtx, a.cfg.ArchiveAfter, onError) })
	work.Go(func() error { return a.verifier.Run(workCtx) })
	work.Go(func() error { return ignoreClosed(a.public.Serve(a.publicListener)) })
	if a.adminListener != nil {
		work.Go(func() error { return ignoreClosed(a.admin.Serve(a.adminListener)) })
	}
	work.Go(func() error {
		<-workCtx.Done()
		a.stop()
		return nil
	})
	a.log.Info().Str("listen", a.addr()).Str("admin", a.cfg.Admin).Str("data", a.cfg.Data).
		Str("public_url", a.publicURL()).Str("version", versionText()).Msg("serving")

	err := work.Wait()
	stopStore()
	if serr := storeGroup.Wait(); err == nil {
		err = serr
	}
	a.log.Info().Msg("stopped")
	return err
}

// stop lets requests finish, at most as long as the drain may take, and tells long-polls to answer now.
func (a *app) stop() {
	a.log.Info().Dur("drain_ms", a.cfg.Drain).Msg("stopping")
	a.web.Drain()
	ctx, cancel := context.WithTimeout(context.Background(), a.cfg.Drain)
	defer cancel()
	if err := a.public.Shutdown(ctx); err != nil {
		_ = a.public.Close()
	}
	_ = a.admin.Close()
}

// close gives back what newApp opened; what is closed already stays so.
func (a *app) close() {
	for _, l := range []net.Listener{a.publicListener, a.adminListener} {
		if l != nil {
			_ = l.Close()
		}
	}
	if a.store != nil {
		if err := a.store.Close(); err != nil {
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
