package web_test

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"fmt"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"doorbell/orders"
)

// The requests of riderapp's testdata came in then.
var recorded = time.Date(2026, 3, 14, 12, 1, 0, 0, time.UTC)

// TestDoors_Golden sends what the apps send, most of it the samples that their makers publish, to the real doors: the
// answer is the recorded one to the last byte, and what is stored is the recorded fixes and nothing else.
func TestDoors_Golden(t *testing.T) {
	n, c := start(t), newCast(t)
	n.restaurant(c, "res_1", nil)
	files, err := filepath.Glob("../hub/track/riderapp/testdata/*/*.http")
	if err != nil || len(files) < 50 {
		t.Fatal(len(files), err)
	}
	// An order of each file's courier, on its way since before the request came in.
	n.now.pass(recorded.Add(-3 * time.Minute).Sub(n.now.now()))
	riders := make([]phone, len(files))
	for i := range files {
		id := fmt.Sprintf("cou_g%d", i)
		riders[i] = phone{id: id, jwt: token(t, orders.RoleCourier, id), order: n.ridden(c, id)}
		riders[i].token = n.post("/v1/couriers/"+id+"/devices", riders[i].jwt, nil).want(201).text("token")
	}
	n.now.pass(recorded.Sub(n.now.now()))
	for i, file := range files {
		app, name := filepath.Base(filepath.Dir(file)), strings.TrimSuffix(filepath.Base(file), ".http")
		n.sub(app+"/"+name, func(n *node) {
			want := readGolden(n.t, strings.TrimSuffix(file, ".http")+".want")
			r := n.replay(file, riders[i])
			if r.Code != want.status || app != "native" && want.status == 200 && (string(r.Raw) != want.body || r.Header.Get("Content-Type") != want.contentType) {
				n.t.Errorf("answered %d %q %s, want %d %q %s", r.Code, r.Header.Get("Content-Type"), r.Raw, want.status, want.contentType, want.body)
			}
		})
	}
	n.now.pass(time.Second)
	for i, file := range files {
		if strings.HasSuffix(file, "query_no_time.http") { // it was made when the test ran
			continue
		}
		n.sub("Stored/"+filepath.Base(file), func(n *node) {
			want := readGolden(n.t, strings.TrimSuffix(file, ".http")+".want")
			n.holds(c, riders[i], want.points)
		})
	}
}

// phone is a courier with one and an order that it has picked up.
type phone struct{ id, jwt, token, order string }

// ridden is an order on its way with a courier.
func (n *node) ridden(c cast, courier string) string {
	n.t.Helper()
	path := n.order(c, "preparing", fields("paymentMethod", "CASH"))
	n.put(path+"/courier", c.ops, js{"courierId": courier, "vehicle": "ebike"}).want(200)
	n.act(path+"/pickup", c.ops, nil)
	return path
}

// phone makes one.
func (n *node) phone(c cast, id string) phone {
	n.t.Helper()
	r := phone{id: id, jwt: token(n.t, orders.RoleCourier, id), order: n.ridden(c, id)}
	r.token = n.post("/v1/couriers/"+id+"/devices", r.jwt, nil).want(201).text("token")
	return r
}

// basic is the header of HTTP Basic.
func basic(user, password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
}

// replay sends a recorded request with this rider's credentials in the place of the recorded ones.
func (n *node) replay(file string, who phone) reply {
	n.t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		n.t.Fatal(err)
	}
	head, body, _ := bytes.Cut(raw, []byte("\n\n"))
	rec, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(append(bytes.Clone(head), "\n\n"...))))
	if err != nil {
		n.t.Fatal(err)
	}
	path := strings.Replace(rec.URL.RequestURI(), "/osmand/secret", "/osmand/"+who.token, 1)
	path = strings.Replace(path, "/couriers/cou_1", "/couriers/"+who.id, 1)
	req, err := http.NewRequest(rec.Method, n.srv.URL+path, bytes.NewReader(bytes.TrimSuffix(body, []byte("\n"))))
	if err != nil {
		n.t.Fatal(err)
	}
	req.Header = rec.Header
	switch scheme, _, _ := strings.Cut(rec.Header.Get("Authorization"), " "); {
	case scheme == "Basic":
		req.Header.Set("Authorization", basic("r7", who.token))
	case scheme == "Bearer":
		req.Header.Set("Authorization", "Bearer "+who.token)
	case strings.Contains(path, "/couriers/"):
		req.Header.Set("Authorization", "Bearer "+who.jwt)
	}
	return n.send(n.srv.Client(), req)
}

// golden is what testdata says of a request.
type golden struct {
	status            int
	contentType, body string
	points            []map[string]string // by the names in the file
}

func readGolden(t testing.TB, file string) (g golden) {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(raw)) {
		word, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		switch word {
		case "point":
			p := map[string]string{}
			for _, f := range strings.Fields(rest) {
				name, value, _ := strings.Cut(f, "=")
				p[name] = value
			}
			g.points = append(g.points, p)
		case "answer":
			f := strings.SplitN(rest, " ", 3)
			g.status, _ = strconv.Atoi(f[0])
			g.contentType, g.body = f[1], f[2]
		case "error":
			g.status = 400
		}
	}
	return g
}

// holds waits until an order's track is these points, of those that may be in it: made while it was ridden, and one for
// each time.
func (n *node) holds(c cast, who phone, points []map[string]string) {
	n.t.Helper()
	var want []map[string]string
	seen := map[string]bool{}
	for _, p := range points {
		at, err := time.Parse(time.RFC3339, p["at"])
		if err != nil {
			n.t.Fatal(err)
		}
		if at.After(recorded.Add(-3*time.Minute)) && !seen[p["at"]] {
			seen[p["at"]] = true
			want = append(want, p)
		}
	}
	var r reply
	n.until("the track is written", func() bool {
		r = n.get(who.order+"/track", c.ops).want(200)
		return len(r.get("items").([]any)) >= len(want)
	})
	items := r.get("items").([]any)
	if len(items) != len(want) {
		n.t.Fatalf("%s, want %v", r.Raw, want)
	}
	for i, item := range items {
		got := item.(map[string]any)
		for _, name := range []string{"at", "lat", "lon", "accuracy", "speed", "heading", "altitude", "battery"} {
			text, wanted := want[i][name]
			if v, there := got[name]; there != wanted || name == "at" && wanted && v != text || name != "at" && wanted && !near(v, text, name) {
				n.t.Errorf("%s of fix %d is %v, want %q: %s", name, i, v, text, r.Raw)
			}
		}
		if _, mock := want[i]["mock"]; (got["mock"] == true) != mock || got["courierId"] != who.id {
			n.t.Errorf("%v, want %v", got, want[i])
		}
	}
}

func near(v any, text, name string) bool {
	want, err := strconv.ParseFloat(text, 64)
	got, ok := v.(float64)
	most := 0.05 // a decimetre, and the like
	if name == "lat" || name == "lon" {
		most = 1e-7
	}
	return ok && err == nil && math.Abs(got-want) <= most+1e-12
}
