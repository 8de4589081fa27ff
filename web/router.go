package web

import (
	"cmp"
	"errors"
	"net/http"
	"strings"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
	"github.com/go-chi/cors"

	"doorbell/hub/wire"
	"doorbell/orders"
	"doorbell/web/api"
	"doorbell/web/pages"
)

var _ api.ServerInterface = (*Server)(nil)

// routes builds the public router. /metrics and pprof are not here: they live on the admin listener.
func (s *Server) routes() (http.Handler, error) {
	r := chi.NewRouter()
	r.Use(s.observe, s.recoverer)
	if len(s.Origins) > 0 {
		r.Use(s.cors())
	}
	r.NotFound(func(w http.ResponseWriter, r *http.Request) {
		fail(w, r, orders.Errorf(orders.NotFound, "no such path"))
	})
	r.MethodNotAllowed(notAllowed)
	r.Use(middleware.GetHead)

	r.Get("/livez", s.Health.live)
	r.Get("/readyz", s.Health.ready)
	r.Get("/openapi.yaml", document(api.Document()))
	r.Get("/asyncapi.yaml", document(wire.Document()))
	pages.Mount(r)

	if s.NoLive {
		r.Get(basePath+"/live", elsewhere("hub"))
	} else {
		r.Get(basePath+"/live", s.live)
	}
	if s.NoAPI {
		r.Handle(basePath+"/*", elsewhere("api"))
		return r, nil
	}
	r.Group(func(r chi.Router) {
		r.Use(s.guard)
		api.HandlerWithOptions(s, api.ChiServerOptions{BaseURL: basePath, BaseRouter: r, ErrorHandlerFunc: failParam})
	})
	return r, nil
}

// elsewhere answers for what nodes with this role do.
func elsewhere(role string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		fail(w, r, orders.Errorf(orders.NotFound, "this node does not have the role %s: ask one that has", role))
	}
}

// document serves a document as it stands in the repository.
func document(text []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/yaml")
		w.Header().Set("Cache-Control", "no-cache")
		_, _ = w.Write(text)
	}
}

// notAllowed answers another method than the path takes, and names those it does take (RFC 9110 section 15.5.6).
func notAllowed(w http.ResponseWriter, r *http.Request) {
	path := cmp.Or(r.URL.RawPath, r.URL.Path) // as the router matches it
	var allow []string
	for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
		if !chi.RouteContext(r.Context()).Routes.Match(chi.NewRouteContext(), method, path) {
			continue
		}
		if allow = append(allow, method); method == http.MethodGet {
			allow = append(allow, http.MethodHead) // by middleware.GetHead
		}
	}
	w.Header().Set("Allow", strings.Join(allow, ", "))
	failStatus(w, http.StatusMethodNotAllowed, "not with this method")
}

// failParam answers a parameter that the generated code could not read.
func failParam(w http.ResponseWriter, r *http.Request, err error) {
	var bad *api.InvalidParamFormatError
	if errors.As(err, &bad) {
		fail(w, r, badHeader(bad.ParamName, "has the wrong form"))
		return
	}
	fail(w, r, orders.Errorf(orders.Invalid, "a parameter has the wrong form"))
}

// recoverer turns a panic into a logged 500. What net/http itself panics with to abort an answer is passed on.
func (s *Server) recoverer(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			if p := recover(); p == http.ErrAbortHandler {
				panic(p)
			} else if p != nil {
				s.log.Error().Interface("panic", p).Stack().Msg("handler panicked")
				fail(w, r, orders.Errorf(orders.Internal, "panic"))
			}
		}()
		next.ServeHTTP(w, r)
	})
}

// cors lets the configured origins call from a browser. Tokens come in a header, so no cookies are allowed.
func (s *Server) cors() func(http.Handler) http.Handler {
	return cors.Handler(cors.Options{
		AllowedOrigins: s.Origins,
		AllowedMethods: []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete},
		AllowedHeaders: []string{"Authorization", "Content-Type", "Idempotency-Key", "If-Match", "If-None-Match", "Last-Event-ID", "Prefer"},
		ExposedHeaders: []string{"ETag", "Idempotency-Replayed", "Location", "Preference-Applied", "Retry-After", "X-Request-Id"},
		MaxAge:         600,
	})
}
