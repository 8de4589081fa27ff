package web

import (
	"bytes"
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"

	"github.com/go-chi/chi/v5"

	"doorbell/orders"
	"doorbell/web/auth"
)

// maxBody is the largest request body in bytes.
const maxBody = 64 << 10

// basePath is where openapi.yaml's paths live.
const basePath = "/v1"

type identityKey struct{}

// identityOf is whose token the request carries, as guard found out. The zero Identity stands behind a public operation.
func identityOf(r *http.Request) auth.Identity {
	id, _ := r.Context().Value(identityKey{}).(auth.Identity)
	return id
}

// callerOf is who makes the request.
func callerOf(r *http.Request) orders.Caller { return identityOf(r).Caller }

// guard checks every request of a documented operation, in this order: token, rate, visible, role, schema. What an
// order's state or a rule forbids is found behind it.
func (s *Server) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		method := r.Method
		if method == http.MethodHead {
			method = http.MethodGet // routed so by middleware.GetHead
		}
		c := s.contracts[method+" "+strings.TrimPrefix(chi.RouteContext(r.Context()).RoutePattern(), basePath)]
		if c == nil {
			fail(w, r, orders.Errorf(orders.NotFound, "no such operation"))
			return
		}
		if !c.public {
			id, err := s.admit(r, c)
			if err != nil {
				fail(w, r, err)
				return
			}
			r = r.WithContext(context.WithValue(r.Context(), identityKey{}, id))
		}
		err := c.checkParams(r)
		if err == nil {
			err = s.readBody(w, r, c)
		}
		if err != nil {
			fail(w, r, err)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// admit finds out who calls and whether it may call this at all.
func (s *Server) admit(r *http.Request, c *contract) (auth.Identity, error) {
	id, err := s.identify(r)
	if err != nil {
		return id, err
	}
	if err := s.underLimit(id); err != nil {
		return id, err
	}
	if c.ofOrder {
		if _, err := s.Orders.Visible(r.Context(), chi.URLParam(r, "orderId"), id.Caller); err != nil {
			return id, err
		}
	}
	if !slices.Contains(c.roles, id.Role) {
		return id, orders.Errorf(orders.Forbidden, "not for role %s", id.Role)
	}
	if rest := chi.URLParam(r, "restaurantId"); rest != "" && !ownsRestaurant(id.Caller, rest) {
		return id, orders.Errorf(orders.Forbidden, "another merchant's restaurant")
	}
	return id, nil
}

// identify finds out whose token the request carries.
func (s *Server) identify(r *http.Request) (auth.Identity, error) {
	token, err := auth.Bearer(r)
	if err != nil {
		return auth.Identity{}, err
	}
	return s.Gate.Identify(r.Context(), token)
}

// underLimit takes one request from the caller's bucket.
func (s *Server) underLimit(id auth.Identity) error {
	var limit *auth.Limit
	key := string(id.Role) + ":" + id.ID
	switch id.Role {
	case orders.RoleCustomer:
		limit = s.CustomerLimit
	case orders.RoleTracker:
		limit, key = s.CustomerLimit, string(id.Role)+":"+id.OrderID
	case orders.RoleCourier:
		limit = s.CourierLimit
	}
	if ok, after := limit.Allow(key); !ok {
		return retryAfter{orders.Errorf(orders.Exhausted, "too many requests"), 1 + int(after.Seconds())}
	}
	return nil
}

// readBody reads a body within maxBody, holds it against the document and leaves it in r.Body for the handler.
func (s *Server) readBody(w http.ResponseWriter, r *http.Request, c *contract) error {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		var big *http.MaxBytesError
		if errors.As(err, &big) {
			return orders.Errorf(orders.TooLarge, "a body may have %d bytes", maxBody)
		}
		return orders.Errorf(orders.Invalid, "the body could not be read")
	}
	if c.body == nil {
		if len(bytes.TrimSpace(body)) > 0 {
			return orders.Errorf(orders.Invalid, "this operation takes no body")
		}
		return nil
	}
	if len(bytes.TrimSpace(body)) == 0 && !c.needBody {
		body = []byte("{}")
	}
	if ct := r.Header.Get("Content-Type"); ct != "" {
		if media, _, err := mime.ParseMediaType(ct); err != nil || media != "application/json" {
			return badHeader("Content-Type", "must be application/json")
		}
	}
	v, err := decodeStrict(body)
	if err != nil {
		return err
	}
	if err := c.checkBody(v); err != nil {
		return err
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	return nil
}
