package riderapp

import (
	"bytes"
	"net/http"
	"net/url"
	"strings"

	"doorbell/hub/track"
	"doorbell/orders"
)

// GPSLogger reads what GPSLogger for Android sends to a custom URL. Its user writes URL and body, so the names are his:
// the app's own, the ones of its %ALL, and those that people write for them are read, in any case, in the URL, a form, a
// JSON object or the app's CSV file. Of a file longer than track.MaxPoints lines the last ones are read: it is sent whole
// again and again.
func GPSLogger(r Request) (Post, error) {
	if err := checkSize(r.Body); err != nil {
		return Post{}, err
	}
	post, err := readGPSLogger(r)
	if err != nil {
		return Post{}, err
	}
	post.Answer = Answer{Status: http.StatusOK}
	return post, nil
}

func readGPSLogger(r Request) (Post, error) {
	if isCSV(r) {
		return gpsLoggerCSV(r)
	}
	if err := checkForm(r.Body); err != nil {
		return Post{}, err
	}
	v := r.named()
	if isJSON(r) {
		var m map[string]text
		if err := readJSON(r.Body, &m); err != nil {
			return Post{}, err
		}
		for name, value := range m {
			v[strings.ToLower(name)] = string(value)
		}
	} else {
		for name, value := range namesOf(parameters(nil, string(bytes.TrimSpace(r.Body)))) {
			if v[name] == "" {
				v[name] = value
			}
		}
	}
	return v.post(r.Now)
}

// named is values by their names in lower case.
type named map[string]string

func (r Request) named() named { return namesOf(r.Query) }

func namesOf(v url.Values) named {
	n := make(named, len(v))
	for name, values := range v {
		if len(values) > 0 {
			n[strings.ToLower(name)] = values[0]
		}
	}
	return n
}

// first is the first value that is not empty.
func (n named) first(names ...string) string {
	for _, name := range names {
		if s := n[name]; s != "" {
			return s
		}
	}
	return ""
}

func (n named) number(names ...string) number { return parseNumber(n.first(names...)) }

// The names of things, the app's own first.
var (
	latNames      = []string{"lat", "latitude"}
	lonNames      = []string{"lon", "lng", "long", "longitude"}
	timeNames     = []string{"timestamp_ms", "timestamp", "time", "timeoffset", "time_offset", "tst"}
	accuracyNames = []string{"acc", "accuracy"}
	altitudeNames = []string{"alt", "altitude", "elevation", "ele"}
	headingNames  = []string{"dir", "direction", "bearing", "heading", "course"}
	batteryNames  = []string{"batt", "battery"}
	deviceNames   = []string{"aid", "ser", "id", "deviceid", "device_id", "device"}
)

// post is the one fix of a request. A request that does not even name a place was set up wrongly, and its user should
// hear of it.
func (n named) post(now track.UnixMilli) (Post, error) {
	for _, names := range [][]string{latNames, lonNames} {
		if n.first(names...) == "" {
			return Post{}, fieldError(orders.Invalid, names[0], "it is missing: the app's URL or body needs lat=%%LAT&lon=%%LON")
		}
	}
	return place(n.first(deviceNames...), n.point(now)), nil
}

func (n named) point(now track.UnixMilli) track.Point {
	at, timed := now, true
	if s := n.first(timeNames...); s != "" {
		at, timed = parseTime(s)
	}
	p := located(at, timed, n.number(latNames...), n.number(lonNames...))
	set(&p, track.Accuracy, n.number(accuracyNames...), 1) // 0.0 where the phone does not know it, which Set leaves out
	if kmh := n.number("spd_kph", "speed_kph", "kph", "kmh"); kmh.ok {
		set(&p, track.Speed, kmh, kmPerHour)
	} else {
		set(&p, track.Speed, n.number("spd", "speed"), 1)
	}
	set(&p, track.Heading, n.number(headingNames...), 1)
	set(&p, track.Altitude, n.number(altitudeNames...), 1)
	set(&p, track.Battery, n.number(batteryNames...), 1)
	return p
}
