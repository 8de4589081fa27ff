package web

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"doorbell/hub/wire"
	"doorbell/hub/wsconn"
	"doorbell/orders"
	"doorbell/web/auth"
)

// live is GET /v1/live: everything that can be refused is refused before the upgrade, as an HTTP answer.
func (s *Server) live(w http.ResponseWriter, r *http.Request) {
	id, err := s.admitLive(r)
	if err != nil {
		w.Header().Set("Sec-WebSocket-Version", "13") // what a client of another version is to be told (RFC 6455 section 4.4)
		fail(w, r, err)
		return
	}
	place, err := s.Hub.Admit(liveIdentity(id))
	if err != nil {
		fail(w, r, err)
		return
	}
	if err := wsconn.Upgrade(s.Sessions, w, r, place); err != nil {
		place.Release() // the answer was written with the error
		return
	}
	s.recheck(id)
}

// recheck ends a session that has just begun on a token that was revoked between the check of the token and that
// moment, and those that were begun on tokens as old.
func (s *Server) recheck(id auth.Identity) {
	if s.Revocations.Revoked(id.ID, id.IssuedAt) {
		s.Hub.Revoke(id.ID, id.IssuedAt)
	}
}

// admitLive checks a handshake: form, origin, token, rate.
func (s *Server) admitLive(r *http.Request) (auth.Identity, error) {
	if err := wsconn.CheckHandshake(r); err != nil {
		return auth.Identity{}, err
	}
	if !s.originAllowed(r) {
		return auth.Identity{}, orders.Errorf(orders.Forbidden, "this origin is not allowed")
	}
	token, err := liveToken(r)
	if err != nil {
		return auth.Identity{}, err
	}
	id, err := s.Gate.Identify(r.Context(), token)
	if err != nil {
		return auth.Identity{}, err
	}
	if id.Role == orders.RolePayment {
		return auth.Identity{}, orders.Errorf(orders.Forbidden, "not for role %s", id.Role)
	}
	return id, s.underLimit(id)
}

// liveToken is the handshake's token: from Authorization, or, since browsers cannot set that, from an offered
// subprotocol, which is never selected.
func liveToken(r *http.Request) (string, error) {
	if r.Header.Get("Authorization") != "" {
		return auth.Bearer(r)
	}
	var found []string
	for _, v := range r.Header.Values("Sec-WebSocket-Protocol") {
		for p := range strings.SplitSeq(v, ",") {
			if t, ok := strings.CutPrefix(strings.TrimSpace(p), wire.BearerPrefix); ok {
				found = append(found, t)
			}
		}
	}
	if len(found) != 1 {
		return "", orders.Errorf(orders.Unauthenticated, "one token is needed: in Authorization, or as the subprotocol %s<token>", wire.BearerPrefix)
	}
	return found[0], nil
}

// originAllowed holds browsers to the configured origins; the page's own host is always one of them. Other clients
// send no Origin.
func (s *Server) originAllowed(r *http.Request) bool {
	origin := r.Header.Get("Origin")
	if origin == "" || slices.Contains(s.Origins, "*") || slices.Contains(s.Origins, origin) {
		return true
	}
	u, err := url.Parse(origin)
	return err == nil && u.Host != "" && strings.EqualFold(u.Host, r.Host)
}
