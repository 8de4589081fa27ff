package web

import (
	"net/http"

	"doorbell/orders"
	"doorbell/web/api"
)

// RevokeTokens is POST /revocations: tokens of a sub issued before now stop working, here at once.
func (s *Server) RevokeTokens(w http.ResponseWriter, r *http.Request) {
	req, err := decode[api.RevocationRequest](r)
	if err != nil {
		fail(w, r, err)
		return
	}
	now := s.Orders.Now()
	if err := s.Store.Revoke(r.Context(), req.Sub, now); err != nil {
		fail(w, r, err)
		return
	}
	s.Revocations.Revoke(req.Sub, now)
	w.Header().Set("Cache-Control", "no-store")
	answer(w, r, http.StatusOK, api.Revocation{Sub: req.Sub, RevokedAt: orders.Millis(now)})
}
