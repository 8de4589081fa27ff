package web

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"doorbell/hub/track"
	"doorbell/hub/track/ride"
	"doorbell/hub/track/riderapp"
	"doorbell/orders"
	"doorbell/web/api"
	"doorbell/web/auth"
)

// Positions takes what couriers post, by REST, on live sockets and from rider apps: the same of each.
type Positions struct {
	Rides *ride.Service    // nil = this node takes none
	Limit *auth.Limit      // of posts, by courier, whichever way they come; nil = none
	Now   func() time.Time // nil = this machine's clock
}

// Locate takes what a live socket's locate says. hub.Config.Locate is this. Errors: Exhausted, Invalid, TooLarge,
// Unavailable.
func (p Positions) Locate(ctx context.Context, by orders.Caller, coordSys string, points []byte) ([]byte, error) {
	if ok, after := p.Limit.Allow(by.ID); !ok {
		return nil, orders.Errorf(orders.Exhausted, "too many posts of positions: again in %d s", seconds(after))
	}
	body := append(append([]byte(`{"points":`), points...), '}')
	if coordSys != "" {
		quoted, _ := json.Marshal(coordSys) // a string always encodes
		body = append(append(append(body[:len(body)-1], `,"coordSys":`...), quoted...), '}')
	}
	return p.native(ctx, by.ID, body)
}

// native takes a batch as the document describes it, and answers as it does.
func (p Positions) native(ctx context.Context, courier string, body []byte) ([]byte, error) {
	if err := checkBatch(body); err != nil {
		return nil, err
	}
	post, err := riderapp.Native(body)
	if err != nil {
		return nil, err
	}
	a, err := p.post(ctx, courier, "", post.Points)
	if err != nil {
		return nil, err
	}
	return riderapp.NativeAnswer(make([]byte, 0, 64), &a.Result, a.Carrying), nil
}

// post hands points on. Exhausted, Unavailable.
func (p Positions) post(ctx context.Context, courier, device string, points []track.Point) (ride.Answer, error) {
	if p.Rides == nil {
		return ride.Answer{}, orders.Errorf(orders.Unavailable, "this node takes no positions")
	}
	return p.Rides.Post(ctx, courier, device, points, p.now())
}

func (p Positions) now() time.Time {
	if p.Now == nil {
		return time.Now()
	}
	return p.Now()
}

// underLimit takes one post from the courier's bucket.
func (p Positions) underLimit(courier string) error {
	if ok, after := p.Limit.Allow(courier); !ok {
		return retryAfter{orders.Errorf(orders.Exhausted, "too many posts of positions"), seconds(after)}
	}
	return nil
}

// seconds is a wait in whole seconds, at least one.
func seconds(wait time.Duration) int { return 1 + int(wait/time.Second) }

// PostLocations is POST /couriers/{courierId}/locations.
func (s *Server) PostLocations(w http.ResponseWriter, r *http.Request, courier api.CourierID) {
	answer, err := s.Positions.native(r.Context(), courier, bodyOf(r))
	if err != nil {
		fail(w, r, err)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	answerRaw(w, http.StatusAccepted, answer)
}

// checkBatch holds a batch as a whole against the document; what is in its points is the decoder's business, which drops
// what it cannot read. Invalid.
func checkBatch(body []byte) error {
	batch, err := topLevel(body)
	if err != nil {
		return err
	}
	for name, v := range batch {
		switch {
		case name != "points" && name != "coordSys":
			return badJSON("/"+escapePointer(name), "no such field")
		case name == "coordSys" && v[0] != '"':
			return badJSON("/coordSys", "it is neither wgs84 nor gcj02")
		}
	}
	if len(batch["points"]) == 0 || batch["points"][0] != '[' {
		return badJSON("/points", "it is missing, or not an array")
	}
	return nil
}
