package web

import (
	"encoding/json"
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
	answer(w, r, code, s.view(o, callerOf(r), s.Orders.Now()))
}

// decode reads a body that guard has held against the document.
func decode[T any](r *http.Request) (v T, err error) {
	if err := json.NewDecoder(r.Body).Decode(&v); err != nil {
		e := orders.Errorf(orders.Invalid, "the body is not as the document says")
		e.Err = err
		return v, e
	}
	return v, nil
}
