package web

import (
	"context"
	"net/http"

	"github.com/go-chi/chi/v5"

	"doorbell/hub/track"
	"doorbell/hub/track/riderapp"
	"doorbell/orders"
	"doorbell/web/api"
	"doorbell/web/auth"
)

type deviceKey struct{}

// guardDoor checks a rider app's request, in this order: the device's token, the courier's rate, the body's length. What
// stands in query and body is the app's own, and its decoder's to judge.
func (s *Server) guardDoor(w http.ResponseWriter, r *http.Request, next http.Handler) {
	dev, err := s.device(r)
	if orders.KindOf(err) == orders.Unauthenticated {
		w.Header().Add("WWW-Authenticate", `Basic realm="doorbell"`) // which most apps speak
	}
	if err == nil {
		err = s.Positions.underLimit(dev.Courier)
	}
	var body []byte
	if err == nil {
		body, err = readWhole(w, r, riderapp.MaxBody)
	}
	if err != nil {
		fail(w, r, err)
		return
	}
	r = r.WithContext(context.WithValue(r.Context(), deviceKey{}, dev))
	r.Body = newBody(body)
	next.ServeHTTP(w, r)
}

// device is whose token the request carries: in its path where the door has a place for it, else in its header.
func (s *Server) device(r *http.Request) (orders.Device, error) {
	if s.Devices == nil {
		return orders.Device{}, errNoDevices
	}
	token := chi.URLParam(r, "token")
	if token == "" {
		var err error
		if token, err = auth.DeviceToken(r); err != nil {
			return orders.Device{}, err
		}
	}
	return s.Devices.Find(r.Context(), token)
}

var errNoDevices = orders.Errorf(orders.Unavailable, "this node knows no devices")

// ingest takes what an app posts and answers what it waits for, whatever was dropped.
func (s *Server) ingest(w http.ResponseWriter, r *http.Request, read func(riderapp.Request) (riderapp.Post, error)) {
	dev, _ := r.Context().Value(deviceKey{}).(orders.Device)
	post, err := read(riderapp.RequestOf(r, bodyOf(r), track.MilliOf(s.Positions.now())))
	if err == nil && len(post.Points) > 0 {
		tellApart(post.Points, dev.ID)
		_, err = s.Positions.post(r.Context(), dev.Courier, dev.ID, post.Points)
	}
	if err != nil {
		fail(w, r, err)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	if post.Answer.ContentType != "" {
		w.Header().Set("Content-Type", post.Answer.ContentType)
	}
	w.WriteHeader(post.Answer.Status)
	_, _ = w.Write([]byte(post.Answer.Body)) // the app is gone when this fails
}

// tellApart puts points on the device whose token it was, and on the phone as the app calls it, since riders share tokens
// and apps share names.
func tellApart(points []track.Point, device string) {
	own := track.DeviceHash(device)
	for i := range points {
		points[i].Device = max(points[i].Device^own, 1)
	}
}

// IngestOwnTracks is POST /ingest/owntracks.
func (s *Server) IngestOwnTracks(w http.ResponseWriter, r *http.Request) {
	s.ingest(w, r, riderapp.OwnTracks)
}

// IngestOsmAnd is POST /ingest/osmand/{token}.
func (s *Server) IngestOsmAnd(w http.ResponseWriter, r *http.Request, _ api.DeviceToken) {
	s.ingest(w, r, riderapp.OsmAnd)
}

// IngestOsmAndQuery is GET /ingest/osmand/{token}.
func (s *Server) IngestOsmAndQuery(w http.ResponseWriter, r *http.Request, _ api.DeviceToken) {
	s.ingest(w, r, riderapp.OsmAnd)
}

// IngestOverland is POST /ingest/overland.
func (s *Server) IngestOverland(w http.ResponseWriter, r *http.Request) {
	s.ingest(w, r, riderapp.Overland)
}

// IngestGPSLogger is POST /ingest/gpslogger.
func (s *Server) IngestGPSLogger(w http.ResponseWriter, r *http.Request) {
	s.ingest(w, r, riderapp.GPSLogger)
}

// IngestGPSLoggerQuery is GET /ingest/gpslogger.
func (s *Server) IngestGPSLoggerQuery(w http.ResponseWriter, r *http.Request) {
	s.ingest(w, r, riderapp.GPSLogger)
}
