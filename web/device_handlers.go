package web

import (
	"net/http"

	"github.com/rs/zerolog"

	"doorbell/orders"
	"doorbell/web/api"
)

// AddDevice is POST /couriers/{courierId}/devices. The token is in this answer and nowhere else: there is no picture to
// GET, since the request for one would have to carry it.
func (s *Server) AddDevice(w http.ResponseWriter, r *http.Request, courier api.CourierID) {
	req, err := decode[api.DeviceRequest](r)
	if err == nil && s.Devices == nil {
		err = errNoDevices
	}
	if err != nil {
		fail(w, r, err)
		return
	}
	dev, token, err := s.Devices.Add(r.Context(), courier, req.Name, s.Orders.Now())
	if err != nil {
		fail(w, r, err)
		return
	}
	apps, err := appSettings(s.Viewer.PublicURL, courier, token)
	if err != nil {
		fail(w, r, err)
		return
	}
	noteDevice(r, "device added", courier, dev.ID)
	w.Header().Set("Cache-Control", "no-store")
	answer(w, r, http.StatusCreated, api.NewDevice{
		DeviceID: dev.ID, Name: dev.Name, CreatedAt: orders.Millis(dev.CreatedAt), Token: token, Apps: apps,
	})
}

// ListDevices is GET /couriers/{courierId}/devices.
func (s *Server) ListDevices(w http.ResponseWriter, r *http.Request, courier api.CourierID) {
	if s.Devices == nil {
		fail(w, r, errNoDevices)
		return
	}
	list, err := s.Devices.List(r.Context(), courier)
	if err != nil {
		fail(w, r, err)
		return
	}
	out := api.DeviceList{Items: make([]api.Device, len(list))}
	for i, d := range list {
		out.Items[i] = api.Device{
			DeviceID: d.ID, Name: d.Name, CreatedAt: orders.Millis(d.CreatedAt), RevokedAt: orders.Millis(d.RevokedAt),
		}
	}
	w.Header().Set("Cache-Control", "private, no-cache")
	answer(w, r, http.StatusOK, out)
}

// RevokeDevice is DELETE /couriers/{courierId}/devices/{deviceId}.
func (s *Server) RevokeDevice(w http.ResponseWriter, r *http.Request, courier api.CourierID, device api.DeviceID) {
	if s.Devices == nil {
		fail(w, r, errNoDevices)
		return
	}
	if err := s.Devices.Revoke(r.Context(), courier, device, s.Orders.Now()); err != nil {
		fail(w, r, err)
		return
	}
	noteDevice(r, "device revoked", courier, device)
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusNoContent)
}

// noteDevice logs who let a phone post positions of a courier, or no longer.
func noteDevice(r *http.Request, what, courier, device string) {
	zerolog.Ctx(r.Context()).Info().Stringer("by", actor(callerOf(r))).Str("courier", courier).Str("device", device).Msg(what)
}

// actor is a caller in the log: its role and id.
type actor orders.Caller

// String is such as "ops ops_1".
func (a actor) String() string { return string(a.Role) + " " + a.ID }
