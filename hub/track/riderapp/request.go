package riderapp

import (
	"fmt"
	"net/http"
	"net/url"

	"doorbell/hub/track"
	"doorbell/orders"
)

// Limits of a request. The number of fixes is limited by track.MaxPoints.
const (
	MaxBody  = 1 << 20 // bytes
	MaxForm  = 1 << 16 // bytes of a form, or of an object whose names are the user's: they hold one fix
	MaxDepth = 16      // JSON arrays and objects inside each other; the deepest app has five
)

// Request is what the decoders look at. They keep nothing of it.
type Request struct {
	ContentType string
	Query       url.Values  // of the URL; may be nil
	Header      http.Header // may be nil
	User        string      // of HTTP Basic; "" = none
	Body        []byte
	Now         track.UnixMilli // when it came in, for apps that leave the time out
}

// RequestOf takes from r what the decoders need; body is its whole body.
func RequestOf(r *http.Request, body []byte, now track.UnixMilli) Request {
	user, _, _ := r.BasicAuth()
	return Request{
		ContentType: r.Header.Get("Content-Type"),
		Query:       r.URL.Query(),
		Header:      r.Header,
		User:        user,
		Body:        body,
		Now:         now,
	}
}

// Post is a request in our terms. What the app calls itself is not proof of anything.
type Post struct {
	Device string // the app's name for the phone; "" = it has none
	Points []track.Point
	Answer Answer // of the native form without the body, see NativeAnswer
}

// Answer is what the app wants to hear once its fixes were taken, whatever was dropped.
type Answer struct {
	Status      int
	ContentType string // "" with an empty body
	Body        string
}

// fieldError says which field makes a request useless. Pointer is a JSON pointer, or the name of a parameter.
func fieldError(kind orders.Kind, pointer, format string, args ...any) error {
	e := orders.Errorf(kind, "%s: %s", pointer, fmt.Sprintf(format, args...))
	e.Fields = []orders.FieldError{{Pointer: pointer, Detail: fmt.Sprintf(format, args...)}}
	return e
}

func tooMany(pointer string, n int) error {
	return fieldError(orders.TooLarge, pointer, "%d positions; send at most %d in one request", n, track.MaxPoints)
}

// checkSize is for every decoder, also where the door cuts bodies off.
func checkSize(body []byte) error {
	if len(body) > MaxBody {
		return orders.Errorf(orders.TooLarge, "the body has more than %d bytes", MaxBody)
	}
	return nil
}

// checkForm is checkSize for what becomes a map.
func checkForm(body []byte) error {
	if len(body) > MaxForm {
		return orders.Errorf(orders.TooLarge, "the form has more than %d bytes", MaxForm)
	}
	return nil
}

// place puts every fix of a post on one device.
func place(device string, points ...track.Point) Post {
	h := track.DeviceHash(device)
	for i := range points {
		points[i].Device = h
	}
	return Post{Device: device, Points: points}
}
