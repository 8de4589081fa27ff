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
	// A revocation between the check of the token and the session's first breath would be missed.
	if s.Revocations.Revoked(id.ID, id.IssuedAt) {
		s.Hub.Revoke(id.ID, s.Orders.Now())
	}
}

// admitLive checks a handshake: form, origin, token, rate.
func (s *Server) admitLive(r *http.Request) (auth.Identity, error) {
	if !strings.EqualFold(r.Header.Get("Upgrade"), "websocket") {
		return auth.Identity{}, badHeader("Upgrade", "this is a WebSocket, protocol "+wire.Subprotocol)
	}
	offered := subprotocols(r)
	if !slices.Contains(offered, wire.Subprotocol) {
		return auth.Identity{}, badHeader("Sec-WebSocket-Protocol", "must offer "+wire.Subprotocol)
	}
	if !s.originAllowed(r) {
		return auth.Identity{}, orders.Errorf(orders.Forbidden, "this origin is not allowed")
	}
	token, err := liveToken(r, offered)
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

// maxProtocols is how many subprotocols a handshake may offer; two are of use.
const maxProtocols = 16

func subprotocols(r *http.Request) []string {
	var out []string
	for _, p := range strings.Split(strings.Join(r.Header.Values("Sec-WebSocket-Protocol"), ","), ",") {
		if p = strings.TrimSpace(p); p != "" && len(out) < maxProtocols {
			out = append(out, p)
		}
	}
	return out
}

// liveToken is the handshake's token: from Authorization, or, since browsers cannot set that, from an offered
// subprotocol, which is never selected.
func liveToken(r *http.Request, offered []string) (string, error) {
	if r.Header.Get("Authorization") != "" {
		return auth.Bearer(r)
	}
	var found []string
	for _, p := range offered {
		if t, ok := strings.CutPrefix(p, wire.BearerPrefix); ok {
			found = append(found, t)
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
	return err == nil && strings.EqualFold(u.Host, r.Host)
}
