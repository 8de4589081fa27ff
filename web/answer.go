package web

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"

	"doorbell/orders"
)

// answer writes a JSON body.
func answer(w http.ResponseWriter, r *http.Request, code int, body any) {
	b, err := json.Marshal(body)
	if err != nil {
		fail(w, r, err)
		return
	}
	answerRaw(w, code, b)
}

func answerRaw(w http.ResponseWriter, code int, body []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_, _ = w.Write(body) // the client is gone when this fails
}

// answerOrder writes an order as its caller may see it. Orders are never taken from a cache without asking.
func (s *Server) answerOrder(w http.ResponseWriter, r *http.Request, code int, o *orders.Order) {
	w.Header().Set("ETag", etag(o.Seq))
	w.Header().Set("Cache-Control", "private, no-cache")
	answer(w, r, code, s.Viewer.View(o, callerOf(r).Role, s.Orders.Now()))
}

// decode reads a body that guard has held against the document. What still fails is a whole number written as a
// fraction or with an exponent, such as 5.0: Invalid, pointing at it.
func decode[T any](r *http.Request) (v T, err error) {
	body, err := io.ReadAll(r.Body)
	if err == nil {
		err = json.Unmarshal(body, &v)
	}
	if wrong := (*json.UnmarshalTypeError)(nil); errors.As(err, &wrong) {
		return v, badJSON(pointerAt(body, wrong.Offset), "must be written as a whole number, without fraction and exponent")
	}
	if err != nil {
		e := orders.Errorf(orders.Invalid, "the body is not as the document says")
		e.Err = err
		return v, e
	}
	return v, nil
}
