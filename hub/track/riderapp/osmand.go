package riderapp

import (
	"bytes"
	"net/http"
	"net/url"
	"strings"

	"doorbell/hub/track"
)

// OsmAnd reads a post of Traccar Client: of its JSON form, see TraccarJSON, or of its older form, which OsmAnd and other
// apps speak too: parameters in the URL, or in the body as a form. Every parameter that is not read is an attribute of
// Traccar's. A post without a place (cell towers only) is answered like any other, and its fix dropped.
func OsmAnd(r Request) (Post, error) {
	if err := checkSize(r.Body); err != nil {
		return Post{}, err
	}
	if isJSON(r) {
		return TraccarJSON(r)
	}
	if err := checkForm(r.Body); err != nil {
		return Post{}, err
	}
	v := r.Query
	if form := bytes.TrimSpace(r.Body); len(form) > 0 {
		v = parameters(r.Query, string(form))
	}
	at, timed := r.Now, true
	if s := v.Get("timestamp"); s != "" {
		at, timed = parseTime(s)
	}
	lat, lon := parseNumber(v.Get("lat")), parseNumber(v.Get("lon"))
	if first, second, ok := strings.Cut(v.Get("location"), ","); ok && !lat.ok && !lon.ok {
		lat, lon = parseNumber(first), parseNumber(second)
	}
	p := located(at, timed, lat, lon)
	if s := v.Get("valid"); s != "" && !isTrue(s) {
		p = track.Unplaced() // the phone itself does not believe it
	}
	set(&p, track.Accuracy, parseNumber(v.Get("accuracy")), 1)
	set(&p, track.Speed, parseNumber(v.Get("speed")), knot)
	set(&p, track.Heading, parseNumber(either(v, "bearing", "heading")), 1)
	set(&p, track.Altitude, parseNumber(v.Get("altitude")), 1)
	set(&p, track.Battery, parseNumber(v.Get("batt")), 1)
	if isTrue(v.Get("mock")) {
		p.Flags |= track.Mock
	}
	post := place(either(v, "id", "deviceid"), p)
	post.Answer = Answer{Status: http.StatusOK}
	return post, nil
}

func either(v url.Values, a, b string) string {
	if s := v.Get(a); s != "" {
		return s
	}
	return v.Get(b)
}

// parameters are those of the URL, and of a form where the URL has none of the name. What is badly escaped is left out.
func parameters(query url.Values, form string) url.Values {
	all, _ := url.ParseQuery(form)
	for name, values := range query {
		all[name] = values
	}
	return all
}

// isJSON goes by the body: apps whose user writes the body send it with any type.
func isJSON(r Request) bool {
	b := bytes.TrimLeft(r.Body, " \t\r\n\ufeff")
	return len(b) > 0 && (b[0] == '{' || b[0] == '[') ||
		len(b) > 0 && strings.HasPrefix(r.ContentType, "application/json")
}
