package riderapp

import (
	"net/http"
	"strconv"

	"doorbell/hub/track"
	"doorbell/orders"
)

// native is our own batch. Of its shape as a whole openapi.yaml is the judge, and the door asks it first; here a fix that
// is wrong is dropped.
type native struct {
	CoordSys text              `json:"coordSys"`
	Points   list[nativePoint] `json:"points"`
}

type nativePoint struct {
	At       text   `json:"at"` // RFC 3339
	Lat      number `json:"lat"`
	Lon      number `json:"lon"`
	Accuracy number `json:"accuracy"` // metres
	Speed    number `json:"speed"`    // m/s
	Heading  number `json:"heading"`  // degrees
	Altitude number `json:"altitude"` // metres
	Battery  number `json:"battery"`  // percent
	Mock     truth  `json:"mock"`
}

// Native reads the body of POST /couriers/{id}/locations, and of the frame "locate". The body of its answer is NativeAnswer.
func Native(body []byte) (Post, error) {
	var m native
	if err := readJSON(body, &m); err != nil {
		return Post{}, err
	}
	crs, known := track.ParseCRS(string(m.CoordSys))
	switch {
	case !known:
		return Post{}, fieldError(orders.Invalid, "/coordSys", "it is neither wgs84 nor gcj02")
	case !m.Points.ok:
		return Post{}, fieldError(orders.Invalid, "/points", "it is missing, or not an array")
	case m.Points.n > track.MaxPoints:
		return Post{}, tooMany("/points", m.Points.n)
	}
	points := make([]track.Point, len(m.Points.v))
	for i := range m.Points.v {
		points[i] = m.Points.v[i].point(crs)
	}
	post := place("", points...)
	post.Answer = Answer{Status: http.StatusAccepted, ContentType: "application/json"}
	return post, nil
}

func (n *nativePoint) point(crs track.CRS) track.Point {
	at, timed := parseISO(string(n.At))
	p := located(at, timed, n.Lat, n.Lon)
	p.Lat, p.Lon = crs.ToWGS84(p.Lat, p.Lon)
	set(&p, track.Accuracy, n.Accuracy, 1)
	set(&p, track.Speed, n.Speed, 1)
	set(&p, track.Heading, n.Heading, 1)
	set(&p, track.Altitude, n.Altitude, 1)
	set(&p, track.Battery, n.Battery, 1)
	if n.Mock {
		p.Flags |= track.Mock
	}
	return p
}

// NativeAnswer appends the answer to a native batch to b: {"accepted":2,"dropped":[{"i":1,"reason":"INVALID"}],
// "nextIntervalMs":5000}.
func NativeAnswer(b []byte, r *track.Result, onDelivery bool) []byte {
	b = strconv.AppendInt(append(b, `{"accepted":`...), int64(r.Accepted), 10)
	b = append(b, `,"dropped":[`...)
	for i, d := range r.Dropped {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(append(b, `{"i":`...), int64(d.I), 10)
		b = append(append(append(b, `,"reason":"`...), d.Reason...), `"}`...)
	}
	b = strconv.AppendInt(append(b, `],"nextIntervalMs":`...), int64(r.NextIntervalMs(onDelivery)), 10)
	return append(b, '}')
}
