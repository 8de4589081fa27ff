package web

import (
	"bytes"
	"context"
	"errors"
	"mime"
	"net/http"
	"slices"
	"strings"

	"github.com/go-chi/chi/v5"

	"doorbell/hub/track/riderapp"
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
		if c.door {
			s.guardDoor(w, r, next)
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
	if c.located && id.Role == orders.RoleCourier {
		err = s.Positions.underLimit(id.ID)
	} else {
		err = s.underLimit(id)
	}
	if err != nil {
		return id, err
	}
	if c.courier && !seesCourier(id.Caller, chi.URLParam(r, "courierId")) {
		return id, orders.Errorf(orders.NotFound, "no such courier")
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

// readBody reads a body within maxBody, holds it against the document and leaves it in r.Body for the handler. That of
// positions may be longer, and is held against nothing: a point that does not fit costs the others nothing.
func (s *Server) readBody(w http.ResponseWriter, r *http.Request, c *contract) error {
	most := maxBody
	if c.located {
		most = riderapp.MaxBody
	}
	body, err := readWhole(w, r, most)
	if err != nil {
		return err
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
	if !c.located {
		v, err := decodeStrict(body)
		if err != nil {
			return err
		}
		if err := c.checkBody(v); err != nil {
			return err
		}
	}
	r.Body = newBody(body)
	return nil
}

// readWhole reads a body of at most so many bytes. TooLarge, Invalid.
func readWhole(w http.ResponseWriter, r *http.Request, most int) ([]byte, error) {
	var body bytes.Buffer
	if n := r.ContentLength; n > 0 && n <= maxBody { // what is longer has to come before it takes room
		body.Grow(int(n) + bytes.MinRead)
	}
	_, err := body.ReadFrom(http.MaxBytesReader(w, r.Body, int64(most)))
	if err == nil {
		return body.Bytes(), nil
	}
	if big := (*http.MaxBytesError)(nil); errors.As(err, &big) {
		return nil, orders.Errorf(orders.TooLarge, "a body may have %d bytes", most)
	}
	return nil, orders.Errorf(orders.Invalid, "the body could not be read")
}

// body is one that was read.
type body struct {
	*bytes.Reader
	whole []byte
}

func newBody(b []byte) *body { return &body{bytes.NewReader(b), b} }

// Close implements io.ReadCloser.
func (*body) Close() error { return nil }

// bodyOf is the whole body of a request, nil where the operation takes none.
func bodyOf(r *http.Request) []byte {
	if b, ok := r.Body.(*body); ok {
		return b.whole
	}
	return nil
}

// seesCourier reports whether the caller may know of this courier.
func seesCourier(by orders.Caller, courier string) bool {
	return by.Role == orders.RoleOps || by.Role == orders.RoleCourier && by.ID == courier
}
