package web_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"doorbell/hub/wire"
	"doorbell/orders"
)

const locationsPath = "/v1/couriers/cou_1/locations"

// TestLocations posts the native batch.
func TestLocations(t *testing.T) {
	n, c := start(t), newCast(t)
	n.restaurant(c, "res_1", nil)
	at := func(ago time.Duration) string { return n.now.now().Add(-ago).UTC().Format(orders.TimeFormat) }
	good := func(ago time.Duration, lat float64) string {
		return fmt.Sprintf(`{"at":%q,"lat":%v,"lon":121.47}`, at(ago), lat)
	}

	n.sub("WithoutAnOrderAPhoneIsToldToSendSeldom", func(n *node) {
		r := n.post(locationsPath, c.courier, `{"points":[`+good(0, 31.23)+`]}`).want(202)
		if string(r.Raw) != `{"accepted":1,"dropped":[],"nextIntervalMs":30000}` || r.Header.Get("Cache-Control") != "no-store" {
			n.t.Errorf("%s %v", r.Raw, r.Header)
		}
		n.post(locationsPath, c.courier, `{"points":[]}`).want(202).shows("accepted", 0.0)
	})

	path := n.ridden(c, "cou_1")
	s := n.dial(c.customer)
	s.watch(topicOf(path), 0)
	s.want(wire.OpSnapshot)

	n.sub("ABadPointIsDroppedAndTheRestIsTaken", func(n *node) {
		n.now.pass(time.Minute)
		late := n.now.now().Add(time.Hour).UTC().Format(orders.TimeFormat)
		points := []string{
			good(9*time.Second, 31.2301), `{}`, `7`, `null`, `"x"`, `[]`, good(8*time.Second, 91), `{"at":"yesterday","lat":31.23,"lon":121.47}`,
			`{"at":"` + at(0) + `","lat":"NaN","lon":121.47}`, `{"at":"` + at(0) + `","lat":0,"lon":0}`, `{"at":"` + late + `","lat":31.23,"lon":121.47}`,
			`{"at":"1970-01-01T00:00:00Z","lat":31.23,"lon":121.47}`, `{"at":"2106-02-07T06:28:15Z","lat":31.23,"lon":121.47}`,
			good(5*time.Second, 31.2303), `{"at":"` + at(4*time.Second) + `","lat":1e999,"lon":121.47}`, good(3*time.Second, 32.5),
		}
		r := n.post(locationsPath, c.courier, `{"points":[`+strings.Join(points, ",")+`]}`).want(202)
		const want = `{"accepted":2,"dropped":[{"i":1,"reason":"INVALID"},{"i":2,"reason":"INVALID"},{"i":3,"reason":"INVALID"},{"i":4,"reason":"INVALID"},` +
			`{"i":5,"reason":"INVALID"},{"i":6,"reason":"INVALID"},{"i":7,"reason":"INVALID"},{"i":8,"reason":"INVALID"},{"i":9,"reason":"INVALID"},` +
			`{"i":10,"reason":"FUTURE"},{"i":11,"reason":"INVALID"},{"i":12,"reason":"FUTURE"},{"i":14,"reason":"INVALID"},{"i":15,"reason":"TELEPORT"}],"nextIntervalMs":5000}`
		if string(r.Raw) != want {
			n.t.Errorf("%s, want\n%s", r.Raw, want)
		}
		if lat := s.located(); lat != 31.2303 {
			n.t.Errorf("shown at %v", lat)
		}
		s.silent(wire.OpLocation)
	})

	n.sub("TheSameBatchAgain", func(n *node) {
		n.now.pass(time.Minute)
		batch := `{"points":[` + good(time.Second, 31.2304) + `]}`
		n.post(locationsPath, c.courier, batch).want(202).shows("accepted", 1.0)
		for range 3 {
			n.post(locationsPath, c.courier, batch).want(202).shows("accepted", 0.0, "dropped.0.reason", "DUPLICATE", "dropped.0.i", 0.0)
		}
		s.located()
		s.silent(wire.OpLocation)
	})

	n.sub("GCJ02IsShownAsWGS84", func(n *node) {
		n.now.pass(time.Minute)
		n.post(locationsPath, c.courier, `{"coordSys":"gcj02","points":[`+good(0, 31.2304)+`]}`).want(202).shows("accepted", 1.0)
		if lat := s.located(); lat < 31.2320 || lat > 31.2328 { // some 200 m further north
			n.t.Errorf("shown at %v", lat)
		}
	})

	n.sub("ABatchThatCannotBeReadIsRefused", func(n *node) {
		for _, bad := range []struct {
			body    string
			pointer string // "-" = none is named
			code    int
		}{
			{``, "", 400}, {`x`, "", 400}, {`[]`, "", 400}, {`null`, "", 400}, {`{"points":[]`, "", 400}, {`{"points":[]}}`, "", 400}, {`{"points":[]} {}`, "", 400},
			{`{}`, "/points", 400}, {`{"points":null}`, "/points", 400}, {`{"points":{}}`, "/points", 400}, {`{"points":7}`, "/points", 400},
			{`{"Points":[]}`, "/Points", 400}, {`{"points":[],"points":[]}`, "/points", 400}, {`{"points":[],"x":1}`, "/x", 400},
			{`{"points":[],"a/b":1}`, "/a~1b", 400},
			{`{"points":[],"coordSys":"bd09"}`, "/coordSys", 400}, {`{"points":[],"coordSys":7}`, "/coordSys", 400}, {`{"points":[],"coordSys":null}`, "/coordSys", 400},
			{`{"points":[}`, "/points", 400}, {`{"points":[{"lat":NaN}]}`, "/points", 400}, {"{\"points\":[],\"coordSys\":\"\xff\"}", "", 400},
			{`{"points":` + strings.Repeat("[", 5000) + strings.Repeat("]", 5000) + `}`, "-", 400},
			{`{"points":[` + strings.Repeat("{},", 1000) + `{}]}`, "/points", 413},
			{`{"points":[` + strings.Repeat(" ", 1<<20) + `]}`, "-", 413}, {strings.Repeat("x", 10<<20), "-", 413},
		} {
			r := n.post(locationsPath, c.courier, bad.body).want(bad.code)
			if bad.pointer != "-" {
				r.pointsAt(bad.pointer)
			}
		}
		n.post(locationsPath+"?x=1", c.courier, `{"points":[]}`).problem(400, orders.Invalid).pointsAt("x")
		s.silent(wire.OpLocation)
	})

	n.sub("AThousandAreTaken", func(n *node) {
		n.post(locationsPath, c.courier, `{"points":[`+strings.Repeat("{},", 999)+`{}]}`).want(202).shows("accepted", 0.0, "dropped.999.i", 999.0)
	})

	n.sub("OnlyTheCourierItself", func(n *node) {
		batch := `{"points":[` + good(0, 31.24) + `]}`
		n.post(locationsPath, c.otherCourier, batch).problem(404, orders.NotFound)
		n.post("/v1/couriers/cou_9/locations", c.courier, batch).problem(404, orders.NotFound)
		n.post("/v1/couriers/cou%201/locations", c.courier, batch).problem(404, orders.NotFound)
		n.post(locationsPath, c.ops, batch).problem(403, orders.Forbidden)
		n.post(locationsPath, c.customer, batch).problem(404, orders.NotFound)
		n.post(locationsPath, "", batch).problem(401, orders.Unauthenticated)
		s.silent(wire.OpLocation)
	})
}

// TestLocate: a socket takes the same points as the REST door, and gives the same answer.
func TestLocate(t *testing.T) {
	n, c := start(t), newCast(t)
	n.restaurant(c, "res_1", nil)
	n.ridden(c, "cou_1")
	n.ridden(c, "cou_2")
	own := n.dial(c.courier)
	now := n.now.now().UTC()
	for i, body := range []string{
		`{"points":[]}`,
		fmt.Sprintf(`{"points":[{"at":%q,"lat":31.23,"lon":121.47,"accuracy":8}]}`, now.Format(orders.TimeFormat)),
		fmt.Sprintf(`{"points":[{"at":%q,"lat":31.23,"lon":121.47,"accuracy":8},{},{"at":%q,"lat":31.2301,"lon":121.47}]}`,
			now.Format(orders.TimeFormat), now.Add(time.Second).Format(orders.TimeFormat)),
		fmt.Sprintf(`{"coordSys":"gcj02","points":[{"at":%q,"lat":31.23,"lon":121.47}]}`, now.Add(9*time.Second).Format(orders.TimeFormat)),
		`{"points":[{},7,null]}`,
	} {
		n.now.pass(10 * time.Second)
		rest := n.post("/v1/couriers/cou_2/locations", c.otherCourier, body).want(202)
		own.say(fmt.Sprintf(`{"op":"locate","id":%d,%s`, i, body[1:]))
		if f := own.want(wire.OpOK); *f.ID != int64(i) || string(f.Answer) != string(rest.Raw) {
			t.Errorf("%s is answered %s, by REST %s", body, f.Answer, rest.Raw)
		}
	}

	refused := func(s *socket, line string, kind orders.Kind) {
		t.Helper()
		s.say(line)
		if f := s.next(); f.Op != wire.OpError || f.Kind != kind {
			t.Errorf("%s: %+v", line, f)
		}
	}
	refused(own, `{"op":"locate","id":1,"points":{}}`, orders.Invalid)
	refused(own, `{"op":"locate","id":1,"points":null}`, orders.Invalid)
	refused(own, `{"op":"locate","id":1,"points":[],"coordSys":"bd\"09"}`, orders.Invalid)
	refused(own, `{"op":"locate","id":1,"points":[`+strings.Repeat("7,", 1000)+`7]}`, orders.TooLarge)
	for _, who := range []string{c.customer, c.merchant, c.ops} {
		refused(n.dial(who), `{"op":"locate","id":1,"points":[]}`, orders.Forbidden)
	}

	own.say(`{"op":"locate","points":[]}`) // nobody asks what became of it
	own.silent(wire.OpOK)
}

// FuzzLocations: whatever is posted is answered as the document says, and what was taken is in range.
func FuzzLocations(f *testing.F) {
	n := start(f)
	courier := token(f, orders.RoleCourier, "cou_1")
	for _, s := range []string{`{"points":[]}`, `{"points":[{"at":"2026-03-14T12:00:00Z","lat":31,"lon":121}],"coordSys":"gcj02"}`, `{"points":[{"at":1}]}`, `{"points":`, ``} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		r := n.as(t).post(locationsPath, courier, body)
		switch r.Code {
		case 202:
			var sent struct{ Points []json.RawMessage }
			_ = json.Unmarshal(body, &sent)
			if got := int(r.get("accepted").(float64)) + len(r.get("dropped").([]any)); got != len(sent.Points) {
				t.Errorf("%d of %d points are accounted for: %s", got, len(sent.Points), r.Raw)
			}
		case 400, 413:
		default:
			t.Errorf("%d %s", r.Code, r.Raw)
		}
	})
}
