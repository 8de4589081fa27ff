package web

import (
	"encoding/json"
	"errors"
	"math/rand/v2"
	"net/http"
	"strconv"

	"github.com/rs/zerolog"

	"doorbell/orders"
)

// statusOf is the HTTP status of each kind of error.
var statusOf = map[orders.Kind]int{
	orders.Invalid:            http.StatusBadRequest,
	orders.Unauthenticated:    http.StatusUnauthorized,
	orders.Forbidden:          http.StatusForbidden,
	orders.NotFound:           http.StatusNotFound,
	orders.Conflict:           http.StatusConflict,
	orders.PreconditionFailed: http.StatusPreconditionFailed,
	orders.TooLarge:           http.StatusRequestEntityTooLarge,
	orders.Unprocessable:      http.StatusUnprocessableEntity,
	orders.Exhausted:          http.StatusTooManyRequests,
	orders.Unavailable:        http.StatusServiceUnavailable,
	orders.Internal:           http.StatusInternalServerError,
}

// problem is the RFC 9457 body of every error.
type problem struct {
	Type           string        `json:"type"` // about:blank: the title is the status's own
	Title          string        `json:"title"`
	Status         int           `json:"status"`
	Detail         string        `json:"detail"`
	Kind           orders.Kind   `json:"kind"`
	Code           string        `json:"code,omitempty"`
	Errors         []pointed     `json:"errors,omitempty"`
	CurrentStatus  orders.Status `json:"currentStatus,omitempty"`
	Action         string        `json:"action,omitempty"`
	AllowedActions *[]string     `json:"allowedActions,omitempty"`
}

type pointed struct {
	Pointer string `json:"pointer"` // JSON pointer into the body, or the name of a parameter or header
	Detail  string `json:"detail"`
}

// retryAfter is a caller's pause in whole seconds, carried by an Exhausted or Unavailable error.
type retryAfter struct {
	error
	seconds int
}

func (r retryAfter) Unwrap() error { return r.error }

// fail answers with a problem body. What is ours (Internal, Unavailable) is logged with its cause; the caller is told
// the text only.
func fail(w http.ResponseWriter, r *http.Request, err error) {
	var e *orders.Error
	if !errors.As(err, &e) {
		e = &orders.Error{Kind: orders.Internal, Err: err}
	}
	if e.Kind == orders.Internal {
		zerolog.Ctx(r.Context()).Error().Err(err).Str("kind", string(e.Kind)).Msg("request failed")
		e = &orders.Error{Kind: orders.Internal, Text: "something went wrong on our side"}
	} else if e.Err != nil {
		zerolog.Ctx(r.Context()).Warn().Err(e.Err).Str("kind", string(e.Kind)).Msg("request failed")
	}
	code := statusOf[e.Kind]
	if e.Kind == orders.Exhausted || e.Kind == orders.Unavailable {
		seconds := 1 + rand.IntN(3) // jitter, so that those who were turned away do not return together
		var ra retryAfter
		if errors.As(err, &ra) {
			seconds = ra.seconds
		}
		w.Header().Set("Retry-After", strconv.Itoa(seconds))
	}
	if e.Kind == orders.Unauthenticated {
		w.Header().Add("WWW-Authenticate", `Bearer realm="doorbell"`)
	}
	p := problem{Type: "about:blank", Title: http.StatusText(code), Status: code, Detail: e.Text, Kind: e.Kind, Code: e.Code}
	for _, f := range e.Fields {
		p.Errors = append(p.Errors, pointed{f.Pointer, f.Detail})
	}
	if e.Code == orders.CodeInvalidTransition {
		p.CurrentStatus, p.Action, p.AllowedActions = e.CurrentStatus, e.ActionPath, &e.AllowedActions
	}
	writeProblem(w, p)
}

func writeProblem(w http.ResponseWriter, p problem) {
	h := w.Header()
	h.Set("Content-Type", "application/problem+json")
	h.Set("Cache-Control", "no-store")
	h.Del("ETag")
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p) // the client is gone when this fails
}

// failStatus answers an error of HTTP itself that is no Kind of the domain, such as 405.
func failStatus(w http.ResponseWriter, code int, detail string) {
	writeProblem(w, problem{Type: "about:blank", Title: http.StatusText(code), Status: code, Detail: detail, Kind: orders.Invalid})
}
