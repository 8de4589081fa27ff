package web_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"doorbell/hub"
	"doorbell/hub/wire"
	"doorbell/orders"
	"doorbell/web"
	"doorbell/web/auth"
)

// app is a rider app at its door: how it says where it is.
type app struct {
	name string
	// send posts one fix with a token; a body in place of its own where one is given.
	send func(n *node, token string, f fix, body ...string) reply
	ok   string // the body that it waits for
}

// fix is where a phone is.
type fix struct {
	at       time.Time
	lat, lon float64
}

var apps = []app{
	{"owntracks", func(n *node, token string, f fix, body ...string) reply {
		return n.post("/v1/ingest/owntracks", "", or(body, fmt.Sprintf(`{"_type":"location","tst":%d,"lat":%v,"lon":%v,"acc":8,"tid":"r7"}`, f.at.Unix(), f.lat, f.lon)),
			"Authorization", basic("r7", token))
	}, "[]"},
	{"osmand query", func(n *node, token string, f fix, body ...string) reply {
		return n.get(fmt.Sprintf("/v1/ingest/osmand/%s?id=r7&timestamp=%d&lat=%v&lon=%v&accuracy=8", token, f.at.Unix(), f.lat, f.lon), "")
	}, ""},
	{"osmand JSON", func(n *node, token string, f fix, body ...string) reply {
		return n.post("/v1/ingest/osmand/"+token, "", or(body, fmt.Sprintf(`{"device_id":"r7","location":{"timestamp":%q,"coords":{"latitude":%v,"longitude":%v,"accuracy":8}}}`,
			f.at.Format(orders.TimeFormat), f.lat, f.lon)))
	}, ""},
	{"overland", func(n *node, token string, f fix, body ...string) reply {
		return n.post("/v1/ingest/overland", token, or(body, fmt.Sprintf(`{"locations":[{"type":"Feature","geometry":{"type":"Point","coordinates":[%v,%v]},`+
			`"properties":{"timestamp":%q,"horizontal_accuracy":8,"device_id":"r7"}}]}`, f.lon, f.lat, f.at.Format(orders.TimeFormat))))
	}, `{"result":"ok"}`},
	{"gpslogger query", func(n *node, token string, f fix, body ...string) reply {
		return n.get(fmt.Sprintf("/v1/ingest/gpslogger?id=r7&timestamp=%d&lat=%v&lon=%v&acc=8", f.at.Unix(), f.lat, f.lon), "", "Authorization", basic("r7", token))
	}, ""},
	{"gpslogger body", func(n *node, token string, f fix, body ...string) reply {
		return n.post("/v1/ingest/gpslogger", "", or(body, fmt.Sprintf(`{"id":"r7","timestamp":%d,"lat":%v,"lon":%v,"acc":8}`, f.at.Unix(), f.lat, f.lon)),
			"Authorization", basic("r7", token))
	}, ""},
}

func or(given []string, own string) string {
	if len(given) > 0 {
		return given[0]
	}
	return own
}

// taken wants what an app waits for.
func (a app) taken(r reply) {
	r.t.Helper()
	if r.want(200); string(r.Raw) != a.ok || r.Header.Get("Cache-Control") != "no-store" {
		r.t.Errorf("%s was answered %q, %v", a.name, r.Raw, r.Header)
	}
}

// located waits for a position of an order, and returns its latitude.
func (s *socket) located() float64 {
	s.t.Helper()
	var at struct{ Lat float64 }
	if err := json.Unmarshal(s.want(wire.OpLocation).Location, &at); err != nil {
		s.t.Fatal(err)
	}
	return at.Lat
}

// silent wants no frame of this kind before the answer to a ping.
func (s *socket) silent(op wire.Op) {
	s.t.Helper()
	s.say(`{"op":"ping"}`)
	for f := s.next(); f.Op != wire.OpPong; f = s.next() {
		if f.Op == op {
			s.t.Errorf("heard %+v: %s", f, f.Location)
		}
	}
}

func topicOf(path string) string { return "order/" + strings.TrimPrefix(path, "/v1/orders/") }

// TestDoors drives each rider app's door through what happens to a phone.
func TestDoors(t *testing.T) {
	n, c := start(t), newCast(t)
	n.restaurant(c, "res_1", nil)
	for i, a := range apps {
		n.sub(a.name, func(n *node) {
			who := n.phone(c, fmt.Sprintf("cou_d%d", i))
			s := n.dial(c.customer)
			s.watch(topicOf(who.order), 0)
			s.want(wire.OpSnapshot)

			n.sub("WhatItPostsIsShown", func(n *node) {
				n.now.pass(5 * time.Second)
				a.taken(a.send(n, who.token, fix{n.now.now(), 31.2301, 121.47}))
				if lat := s.located(); lat != 31.2301 {
					n.t.Errorf("shown at %v", lat)
				}
			})

			n.sub("SentAgainForEverItIsAnsweredAndLetGo", func(n *node) {
				n.now.pass(5 * time.Second)
				f := fix{n.now.now(), 31.2305, 121.47}
				for range 5 {
					a.taken(a.send(n, who.token, f))
				}
				if lat := s.located(); lat != 31.2305 {
					n.t.Errorf("shown at %v", lat)
				}
				s.silent(wire.OpLocation)
			})

			n.sub("NoPlaceIsAnsweredAndLetGo", func(n *node) {
				for _, f := range []fix{
					{n.now.now(), 0, 0}, {n.now.now(), 121.47, 31.23}, {n.now.now(), -91, 0}, {n.now.now(), 31.23, 181},
					{time.Unix(0, 0), 31.23, 121.47}, {time.Unix(1, 0), 31.23, 121.47}, {n.now.now().AddDate(80, 0, 0), 31.23, 121.47},
					{n.now.now().AddDate(-1, 0, 0), 31.23, 121.47}, {n.now.now().Add(time.Hour), 31.23, 121.47},
				} {
					a.taken(a.send(n, who.token, f))
				}
				s.silent(wire.OpLocation)
			})

			n.sub("AnotherTokenOpensNothing", func(n *node) {
				for _, token := range []string{"x", "", who.token[:35] + "_", who.token + "x", who.jwt, c.ops, "dvc_" + strings.Repeat("A", 32)} {
					if token == "" && strings.HasPrefix(a.name, "osmand") {
						continue // another path
					}
					r := a.send(n, token, fix{n.now.now(), 31.24, 121.47}).problem(401, orders.Unauthenticated)
					if h := strings.Join(r.Header.Values("WWW-Authenticate"), ", "); h != `Basic realm="doorbell", Bearer realm="doorbell"` {
						n.t.Errorf("WWW-Authenticate is %s", h)
					}
				}
				s.silent(wire.OpLocation)
			})

			n.sub("TheOrderThatEndedASecondAgo", func(n *node) {
				n.now.pass(5 * time.Second)
				n.act(who.order+"/deliver", c.ops, nil)
				n.now.pass(time.Second)
				a.taken(a.send(n, who.token, fix{n.now.now(), 31.231, 121.47}))
				a.taken(a.send(n, who.token, fix{n.now.now().Add(-2 * time.Second), 31.2309, 121.47})) // made before its end
				s.want(wire.OpEvent)
				s.silent(wire.OpLocation)
				late := n.dial(c.customer)
				late.watch(topicOf(who.order), 0)
				if f := late.want(wire.OpSnapshot); f.Location != nil {
					n.t.Errorf("%s", f.Location)
				}
				n.until("what was before is stored", func() bool { return len(n.track(c, who.order)) >= 2 })
				for _, item := range n.track(c, who.order) {
					if lat := item.(js)["lat"]; lat != 31.2301 && lat != 31.2305 {
						n.t.Errorf("stored at %v", lat)
					}
				}
			})

			n.sub("ARevokedDevice", func(n *node) {
				id := n.get("/v1/couriers/"+who.id+"/devices", who.jwt).want(200).text("items.0.deviceId")
				n.call(http.MethodDelete, "/v1/couriers/"+who.id+"/devices/"+id, who.jwt, nil).want(204)
				a.send(n, who.token, fix{n.now.now(), 31.24, 121.47}).problem(401, orders.Unauthenticated)
			})
		})
	}
}

// track is the whole of an order's, as ops read it.
func (n *node) track(c cast, path string) (all []any) {
	n.t.Helper()
	for cursor := ""; ; {
		r := n.get(path+"/track?limit=200"+cursor, c.ops).want(200)
		all = append(all, r.get("items").([]any)...)
		next := r.text("next")
		if next == "" {
			return all
		}
		cursor = "&cursor=" + next
	}
}

// TestDoors_BadBodies: what cannot be read is refused, what is too long before it is parsed.
func TestDoors_BadBodies(t *testing.T) {
	n, c := start(t), newCast(t)
	n.restaurant(c, "res_1", nil)
	who := n.phone(c, "cou_1")
	long := strings.Repeat(" ", 10<<20)
	deep := strings.Repeat(`{"a":`, 5000) + "1" + strings.Repeat("}", 5000)
	many := `{"locations":[` + strings.Repeat(`{},`, 1000) + `{}]}`
	for _, v := range []struct {
		app, name, body string
		code            int
	}{
		{"owntracks", "ten megabytes", long, 413}, {"osmand JSON", "ten megabytes", long, 413}, {"overland", "ten megabytes", long, 413},
		{"gpslogger body", "ten megabytes", long, 413},
		{"owntracks", "nested", deep, 400}, {"osmand JSON", "nested", deep, 400}, {"overland", "nested", deep, 400}, {"gpslogger body", "nested", deep, 400},
		{"owntracks", "cut off", `{"_type":"location","tst":17`, 400}, {"osmand JSON", "cut off", `{"location":{`, 400},
		{"overland", "cut off", `{"locations":[{"type":"Feature","geom`, 400}, {"gpslogger body", "cut off", `{"lat":31.`, 400},
		{"owntracks", "nothing", "", 200}, {"osmand JSON", "nothing", "", 200}, {"overland", "nothing", "", 400}, {"gpslogger body", "nothing", "", 400},
		{"owntracks", "white space", " \n", 200}, {"overland", "white space", " \n", 400},
		{"overland", "too many", many, 413}, {"overland", "none", `{"locations":[]}`, 200},
		{"overland", "not a number", `{"locations":[{"geometry":{"coordinates":[NaN,31]}}]}`, 400},
		{"overland", "half of a feature", `{"locations":[{"geometry":{"coordinates":[121.47]}},{},7,null,{"geometry":null}]}`, 200},
		{"owntracks", "not a number", `{"_type":"location","tst":"NaN","lat":"NaN","lon":"Infinity"}`, 200},
		{"gpslogger body", "not a number", `{"lat":"NaN","lon":"-Infinity","timestamp":"1e999"}`, 200},
		{"owntracks", "binary", "\x00\xff\xfe", 400},
	} {
		n.sub(v.app+" "+v.name, func(n *node) {
			for _, a := range apps {
				if a.name == v.app {
					if r := a.send(n, who.token, fix{}, v.body); v.code == 200 {
						a.taken(r)
					} else {
						r.want(v.code)
					}
				}
			}
		})
	}
	for _, item := range n.track(c, who.order) {
		t.Errorf("stored: %v", item)
	}
}

// TestDoors_AYearInOneBatch: of a thousand fixes a day apart only what is young enough is taken, and shown only the last.
func TestDoors_AYearInOneBatch(t *testing.T) {
	n, c := start(t), newCast(t)
	n.restaurant(c, "res_1", nil)
	who := n.phone(c, "cou_1")
	s := n.dial(c.customer)
	s.watch(topicOf(who.order), 0)
	s.want(wire.OpSnapshot)
	n.now.pass(time.Minute)
	var points []js
	for day := range 1000 {
		points = append(points, js{"at": n.now.now().UTC().AddDate(0, 0, -day).Format(orders.TimeFormat), "lat": 31.23, "lon": 121.47})
	}
	r := n.post("/v1/couriers/cou_1/locations", who.jwt, js{"points": points}).want(202)
	dropped := r.get("dropped").([]any)
	if got := int(r.get("accepted").(float64)); got < 1 || got+len(dropped) != 1000 || dropped[len(dropped)-1].(js)["reason"] != "STALE" {
		t.Errorf("%d accepted, %d dropped, the last %v", got, len(dropped), dropped[len(dropped)-1])
	}
	if lat := s.located(); lat != 31.23 {
		t.Errorf("shown at %v", lat)
	}
	s.silent(wire.OpLocation)
	n.until("the one is stored", func() bool { return len(n.track(c, who.order)) > 0 })
	if all := n.track(c, who.order); len(all) != 1 {
		t.Errorf("stored: %v", all)
	}
}

// TestDoors_Mixed: two apps on one phone, its own app by REST and its socket, all at once: what is shown never goes back
// in time, and what is the same fix is stored once for each app.
func TestDoors_Mixed(t *testing.T) {
	n := startHub(t, func(hc *hub.Config) { hc.LocationEvery = 0 })
	c := newCast(t)
	n.restaurant(c, "res_1", nil)
	who := n.phone(c, "cou_1")
	watcher, own := n.dial(c.customer), n.dial(who.jwt)
	watcher.watch(topicOf(who.order), 0)
	watcher.want(wire.OpSnapshot)
	last := 31.23
	for i := range 10 {
		n.now.pass(5 * time.Second)
		f := fix{n.now.now().UTC().Truncate(time.Second), 31.23 + float64(i+1)*2e-4, 121.47}
		at := f.at.Format(orders.TimeFormat)
		switch i % 4 {
		case 0:
			apps[0].taken(apps[0].send(n, who.token, f))
		case 1:
			apps[3].taken(apps[3].send(n, who.token, f))
		case 2:
			n.post("/v1/couriers/cou_1/locations", who.jwt, js{"points": []js{{"at": at, "lat": f.lat, "lon": f.lon}}}).want(202).shows("accepted", 1.0)
		case 3:
			own.say(fmt.Sprintf(`{"op":"locate","id":%d,"points":[{"at":%q,"lat":%v,"lon":%v}]}`, i, at, f.lat, f.lon))
			if a := own.want(wire.OpOK); *a.ID != int64(i) || string(a.Answer) != `{"accepted":1,"dropped":[],"nextIntervalMs":5000}` {
				t.Errorf("%+v %s", a, a.Answer)
			}
		}
		// The other app was slower with an older one.
		apps[1].taken(apps[1].send(n, who.token, fix{f.at.Add(-4 * time.Second), last, 121.47}))
		lat := watcher.located()
		if lat <= last {
			t.Errorf("shown at %v after %v", lat, last)
		}
		last = lat
		watcher.silent(wire.OpLocation)
	}
	n.until("all is stored", func() bool { return len(n.track(c, who.order)) >= 20 })
	if all := n.track(c, who.order); len(all) != 20 {
		t.Errorf("%d stored: %v", len(all), all)
	}
}

// TestDoors_Rate: a courier's posts share one bucket, whichever door they come in by, and no other request's.
func TestDoors_Rate(t *testing.T) {
	began := time.Now()
	passed := &clock{}
	limit := func(perSecond float64, burst int) *auth.Limit {
		l, err := auth.NewLimit(perSecond, burst, func() time.Time { return began.Add(time.Duration(passed.ahead.Load())) })
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	positions := limit(1, 6)
	n := start(t, func(wc *web.Config, _ *orders.Config) { wc.Positions.Limit, wc.CourierLimit = positions, limit(1, 10) })
	c := newCast(t)
	n.restaurant(c, "res_1", nil)
	who := n.phone(c, "cou_1")
	for i, a := range apps {
		a.taken(a.send(n, who.token, fix{n.now.now().Add(time.Duration(i) * time.Second), 31.23, 121.47}))
	}
	for _, a := range apps {
		a.send(n, who.token, fix{n.now.now(), 31.23, 121.47}).exhausted()
	}
	n.post("/v1/couriers/cou_1/locations", who.jwt, js{"points": []js{}}).exhausted()
	n.post("/v1/couriers/cou_1/locations", who.jwt, strings.Repeat("x", 2<<20)).exhausted() // before it is read
	s := n.dial(who.jwt)
	s.say(`{"op":"locate","id":1,"points":[]}`)
	if f := s.next(); f.Op != wire.OpError || f.Kind != orders.Exhausted || *f.ID != 1 {
		t.Errorf("%+v", f)
	}
	n.get("/v1/orders", who.jwt).want(200) // the rest has its own
	n.post("/v1/couriers/cou_2/locations", c.otherCourier, js{"points": []js{}}).want(202)
	passed.pass(time.Second)
	n.post("/v1/couriers/cou_1/locations", who.jwt, js{"points": []js{}}).want(202)
	apps[0].send(n, who.token, fix{n.now.now(), 31.23, 121.47}).exhausted()
}

// TestDoors_TheTokenIsNotInTheLog: route patterns are logged, and what stands in path, query and header is not.
func TestDoors_TheTokenIsNotInTheLog(t *testing.T) {
	n, book := logged(t)
	c := newCast(t)
	n.restaurant(c, "res_1", nil)
	who := n.phone(c, "cou_1")
	for _, a := range apps {
		a.taken(a.send(n, who.token, fix{n.now.now(), 31.2345, 121.4765}))
	}
	line := book.of(n, n.get("/v1/ingest/osmand/"+who.token+"x?lat=31.2345", ""))
	if line["route"] != "/v1/ingest/osmand/{token}" || line["status"] != 401.0 {
		t.Errorf("%v", line)
	}
	n.post("/v1/ingest/osmand/"+who.token, "", `{"location":7}`).want(400)
	n.call(http.MethodPut, "/v1/ingest/osmand/"+who.token, "", nil).want(405)
	n.get("/v1/ingest/osmand/"+who.token+"/", "").want(404)
	n.get("/v1/ingest/osmand/"+who.token+"/x?token="+who.token, "").want(404)
	n.get("/v1/ingest/"+who.token, "").want(404)
	n.get("/v1/orders", who.token).want(401)
	n.track(c, who.order)
	n.srv.Close()
	text := book.text()
	for _, s := range []string{who.token, who.token[4:], "31.23", "121.47", basic("r7", who.token)[6:]} {
		if i := strings.Index(text, s); i >= 0 {
			t.Errorf("the log holds %q: …%s…", s, text[max(0, i-100):min(len(text), i+100)])
		}
	}
	if !strings.Contains(text, `"by":"ops ops_1"`) || !strings.Contains(text, `"message":"track read"`) || !strings.Contains(text, `"message":"device added"`) {
		t.Errorf("who did what is not logged:\n%s", text)
	}
}
