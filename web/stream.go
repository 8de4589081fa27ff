package web

import (
	"net/http"
	"strconv"
	"strings"

	"doorbell/hub/wsconn"
	"doorbell/orders"
)

// wantsStream reports whether the client asks for server-sent events. HEAD asks for no events, and a stream without a
// body would never end.
func wantsStream(r *http.Request) bool {
	if r.Method == http.MethodHead {
		return false
	}
	for _, v := range r.Header.Values("Accept") {
		for part := range strings.SplitSeq(v, ",") {
			media, _, _ := strings.Cut(part, ";")
			if strings.EqualFold(strings.TrimSpace(media), "text/event-stream") {
				return true
			}
		}
	}
	return false
}

// streamEvents is GET …/events for who asks for text/event-stream. after is the query's; Last-Event-ID is stronger.
func (s *Server) streamEvents(w http.ResponseWriter, r *http.Request, orderID string, after int64) {
	if last := r.Header.Get("Last-Event-ID"); last != "" {
		n, err := strconv.ParseInt(last, 10, 64)
		if err != nil || n < 0 {
			fail(w, r, badHeader("Last-Event-ID", "must be a seq"))
			return
		}
		after = n
	}
	own, err := s.Orders.Visible(r.Context(), orderID, callerOf(r))
	if err != nil {
		fail(w, r, err)
		return
	}
	if own.Status.Final() && after >= own.Seq {
		w.WriteHeader(http.StatusNoContent) // tells an EventSource not to come back
		return
	}
	place, err := s.Hub.Admit(liveIdentity(identityOf(r)))
	if err != nil {
		fail(w, r, err)
		return
	}
	defer place.Release()
	id := identityOf(r)
	if err := wsconn.Serve(w, r, place, own, after, func() { s.recheck(id) }); err != nil {
		fail(w, r, orders.Errorf(orders.Unavailable, "this connection cannot stream"))
	}
}
