package riderapp

import (
	"bytes"
	"net/http"
	"strings"

	"doorbell/hub/track"
)

// ownTracks is the message of type location, as far as we read it. acc, alt, cog and vel are left out when they are zero,
// so what is missing is unknown.
type ownTracks struct {
	Type  text   `json:"_type"`
	Tst   number `json:"tst"` // of the fix, seconds since 1970; created_at is when the message was made
	Lat   number `json:"lat"`
	Lon   number `json:"lon"`
	Acc   number `json:"acc"`  // metres
	Alt   number `json:"alt"`  // metres
	Vel   number `json:"vel"`  // km/h
	Cog   number `json:"cog"`  // degrees
	Batt  number `json:"batt"` // percent
	Topic text   `json:"topic"`
	Tid   text   `json:"tid"`
}

// OwnTracks reads a post of OwnTracks in HTTP mode: one message. Types other than location, and the zero-length body that
// stands for a friend who was taken off, are answered and left alone: the app keeps what is refused and never gets past it.
func OwnTracks(r Request) (Post, error) {
	answer := Answer{Status: http.StatusOK, ContentType: "application/json", Body: "[]"}
	if err := checkSize(r.Body); err != nil {
		return Post{}, err
	}
	if len(bytes.TrimSpace(r.Body)) == 0 {
		return Post{Answer: answer}, nil
	}
	var m ownTracks
	if err := readJSON(r.Body, &m); err != nil {
		return Post{}, err
	}
	if m.Type != "location" {
		return Post{Answer: answer}, nil
	}
	at, timed := epochSeconds(m.Tst.or(0))
	p := located(at, timed, m.Lat, m.Lon)
	set(&p, track.Accuracy, m.Acc, 1)
	set(&p, track.Altitude, m.Alt, 1)
	set(&p, track.Speed, m.Vel, kmPerHour)
	set(&p, track.Heading, m.Cog, 1)
	set(&p, track.Battery, m.Batt, 1)
	post := place(m.device(r), p)
	post.Answer = answer
	return post, nil
}

// device is user/device, from the first of: the X-Limit headers, ?u=&d=, the topic it would have published to, the two
// letters of its tracker id.
func (m *ownTracks) device(r Request) string {
	if d := r.Header.Get("X-Limit-D"); d != "" {
		return join(r.Header.Get("X-Limit-U"), d)
	}
	if d := r.Query.Get("d"); d != "" {
		return join(r.Query.Get("u"), d)
	}
	if _, d, ok := strings.Cut(string(m.Topic), "/"); ok && d != "" { // owntracks/jane/phone
		return d
	}
	return join(r.User, string(m.Tid))
}

func join(user, device string) string {
	if user == "" || device == "" {
		return user + device
	}
	return user + "/" + device
}
