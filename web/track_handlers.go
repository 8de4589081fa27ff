package web

import (
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"doorbell/hub/track"
	"doorbell/hub/track/ride"
	"doorbell/orders"
	"doorbell/web/api"
)

var errNoTracks = orders.Errorf(orders.Unavailable, "this node keeps no tracks")

// GetTrack is GET /orders/{orderId}/track. Who read it is logged.
func (s *Server) GetTrack(w http.ResponseWriter, r *http.Request, orderID api.OrderID, params api.GetTrackParams) {
	after, device, err := trackCursor(params.Cursor)
	if err == nil && s.Tracks == nil {
		err = errNoTracks
	}
	if err != nil {
		fail(w, r, err)
		return
	}
	limit := pageSize(params.Limit)
	rows, err := s.Tracks.Track(r.Context(), orderID, after, device, limit+1)
	if err != nil {
		fail(w, r, err)
		return
	}
	out := api.Track{Items: []api.TrackPoint{}}
	if len(rows) > limit {
		rows = rows[:limit]
		last := &rows[limit-1]
		out.Next = strconv.FormatInt(last.At.UnixMilli(), 10) + "." + strconv.FormatUint(last.Device, 10)
	}
	for i := range rows {
		f, err := fixOf(&rows[i])
		if err != nil {
			fail(w, r, err)
			return
		}
		out.Items = append(out.Items, trackPoint(&f))
	}
	zerolog.Ctx(r.Context()).Info().Stringer("by", actor(callerOf(r))).Str("order", orderID).Int("fixes", len(rows)).Msg("track read")
	w.Header().Set("Cache-Control", "no-store")
	answer(w, r, http.StatusOK, out)
}

// trackCursor is where a page begins: behind the last fix of the one before.
func trackCursor(cursor string) (after time.Time, device uint64, err error) {
	if cursor == "" {
		return time.Time{}, 0, nil
	}
	at, of, _ := strings.Cut(cursor, ".")
	ms, err := strconv.ParseInt(at, 10, 64)
	if err == nil {
		device, err = strconv.ParseUint(of, 10, 64)
	}
	if err != nil || ms < 0 || ms > math.MaxInt64/1000 || device > math.MaxInt64 {
		return time.Time{}, 0, badHeader("cursor", "was not given out by this list")
	}
	return time.UnixMilli(ms).UTC(), device, nil
}

func trackPoint(f *ride.Fix) api.TrackPoint {
	p := &f.Point
	field := func(of track.Field) *float64 {
		if v, ok := p.Get(of); ok {
			v = math.Round(v*100) / 100 // kept as a float32, which has no more
			return &v
		}
		return nil
	}
	v := api.TrackPoint{
		CourierID: f.Courier, At: orders.Millis(p.At.Time()), ReceivedAt: orders.Millis(p.ReceivedAt.Time()), Lat: p.Lat, Lon: p.Lon,
		Accuracy: field(track.Accuracy), Speed: field(track.Speed), Heading: field(track.Heading), Altitude: field(track.Altitude),
		Mock: p.Flags&track.Mock != 0, Shown: f.Shown, StopsAhead: f.StopsAhead, ETAAt: orders.Millis(f.ETAAt),
	}
	if percent, ok := p.Get(track.Battery); ok {
		n := int(percent)
		v.Battery = &n
	}
	return v
}

// DeleteTrack is DELETE /orders/{orderId}/track.
func (s *Server) DeleteTrack(w http.ResponseWriter, r *http.Request, orderID api.OrderID) {
	if s.Tracks == nil {
		fail(w, r, errNoTracks)
		return
	}
	n, err := s.Tracks.DropTrack(r.Context(), orderID)
	s.answerDeleted(w, r, "order", orderID, n, err)
}

// dropAtOnce is how many fixes of a courier one statement deletes, so that none takes long.
const dropAtOnce = 1000

// DeleteCourierTrack is DELETE /couriers/{courierId}/track. What was deleted stays so when it fails half-way.
func (s *Server) DeleteCourierTrack(w http.ResponseWriter, r *http.Request, courier api.CourierID) {
	if s.Tracks == nil {
		fail(w, r, errNoTracks)
		return
	}
	all := 0
	for {
		n, err := s.Tracks.DropCourierTracks(r.Context(), courier, dropAtOnce)
		all += n
		if err != nil || n < dropAtOnce {
			s.answerDeleted(w, r, "courier", courier, all, err)
			return
		}
	}
}

// answerDeleted logs who deleted what, and answers with how much it was.
func (s *Server) answerDeleted(w http.ResponseWriter, r *http.Request, what, id string, n int, err error) {
	zerolog.Ctx(r.Context()).Info().Stringer("by", actor(callerOf(r))).Str(what, id).Int("fixes", n).Msg("track deleted")
	if err != nil {
		fail(w, r, err)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	answer(w, r, http.StatusOK, api.Deleted{Deleted: n})
}
