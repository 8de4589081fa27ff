package web_test

import (
	"bytes"
	"encoding/base64"
	"image/png"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"rsc.io/qr"

	"doorbell/orders"
	"doorbell/web"
)

func TestDevices(t *testing.T) {
	n, c := start(t), newCast(t)
	n.restaurant(c, "res_1", nil)
	const path = "/v1/couriers/cou_1/devices"

	n.sub("ATokenIsShownOnce", func(n *node) {
		made := n.post(path, c.courier, js{"name": "Wang's 2nd phone"}).want(201).shows("name", "Wang's 2nd phone")
		token, id := made.text("token"), made.text("deviceId")
		if !strings.HasPrefix(token, "dvc_") || len(token) != 36 || !strings.HasPrefix(id, "dev_") || made.Header.Get("Cache-Control") != "no-store" {
			n.t.Errorf("%s %v", made.Raw, made.Header)
		}
		for _, who := range []string{c.courier, c.ops} {
			list := n.get(path, who).want(200).shows("items.0.deviceId", id, "items.0.name", "Wang's 2nd phone", "items.1", nil)
			if strings.Contains(string(list.Raw), token[4:]) || list.Header.Get("Cache-Control") != "private, no-cache" {
				n.t.Errorf("%s %v", list.Raw, list.Header)
			}
		}
		another := n.post(path, c.ops, nil).want(201).shows("name", nil)
		if another.text("token") == token || another.text("deviceId") == id {
			n.t.Errorf("%s", another.Raw)
		}
		n.get(path, c.courier).want(200).shows("items.0.deviceId", another.text("deviceId"), "items.1.deviceId", id)
	})

	n.sub("ItOpensItsDoorsAndNothingElse", func(n *node) {
		who := n.phone(c, "cou_5")
		n.devices = map[string]string{"cou_1": "dev_x"}
		for _, o := range operations(n.t) {
			if strings.HasPrefix(o.id, "ingest") || o.id == "getRestaurant" || o.id == "getItem" {
				continue
			}
			n.ask(o, who.token, who.order, "res_1").problem(401, orders.Unauthenticated)
		}
		n.get("/v1/orders", "", "Authorization", basic("cou_5", who.token)).problem(401, orders.Unauthenticated)
		if _, res, err := n.tryDial(who.token); err == nil || res.StatusCode != 401 {
			n.t.Errorf("a socket: %v, %v", res, err)
		}
		if _, res, err := n.tryDial("", "Sec-WebSocket-Protocol", "bearer."+who.token); err == nil || res.StatusCode != 401 {
			n.t.Errorf("a socket: %v, %v", res, err)
		}
	})

	n.sub("TenAreTheMost", func(n *node) {
		const path = "/v1/couriers/cou_6/devices"
		var last string
		for range orders.MaxDevices {
			last = n.post(path, c.ops, nil).want(201).text("deviceId")
		}
		n.post(path, c.ops, nil).exhausted()
		n.call(http.MethodDelete, path+"/"+last, c.ops, nil).want(204)
		n.post(path, c.ops, nil).want(201)
		n.post(path, c.ops, nil).exhausted()
	})

	n.sub("Revoking", func(n *node) {
		who := n.phone(c, "cou_7")
		id := n.get("/v1/couriers/cou_7/devices", who.jwt).text("items.0.deviceId")
		remove := func(path, token string) reply { return n.call(http.MethodDelete, path, token, nil) }
		remove("/v1/couriers/cou_7/devices/"+id, c.courier).problem(404, orders.NotFound)
		remove("/v1/couriers/cou_1/devices/"+id, c.courier).problem(404, orders.NotFound)
		remove("/v1/couriers/cou_1/devices/"+id, c.ops).problem(404, orders.NotFound)
		remove("/v1/couriers/cou_7/devices/x%00", who.jwt).problem(404, orders.NotFound)
		apps[0].taken(apps[0].send(n, who.token, fix{n.now.now(), 31.23, 121.47}))
		for range 2 {
			if r := remove("/v1/couriers/cou_7/devices/"+id, who.jwt).want(204); len(r.Raw) > 0 {
				n.t.Errorf("%s", r.Raw)
			}
		}
		apps[0].send(n, who.token, fix{n.now.now(), 31.23, 121.47}).problem(401, orders.Unauthenticated)
		if r := n.get("/v1/couriers/cou_7/devices", who.jwt).want(200); r.text("items.0.revokedAt") == "" {
			n.t.Errorf("%s", r.Raw)
		}
	})

	n.sub("BadRequests", func(n *node) {
		for _, bad := range []struct{ body, pointer string }{
			{`{"name":7}`, "/name"}, {`{"name":null}`, "/name"}, {`{"name":"` + strings.Repeat("x", 65) + `"}`, "/name"}, {`{"name":"a\nb"}`, "/name"},
			{`{"token":"mine"}`, "/token"}, {`[]`, ""}, {`{"name":"x"`, ""},
		} {
			n.post(path, c.courier, bad.body).problem(400, orders.Invalid).pointsAt(bad.pointer)
		}
		n.post(path, c.courier, `{"name":"`+strings.Repeat("x", 70<<10)+`"}`).problem(413, orders.TooLarge)
		for _, id := range []string{"cou%001", "cou%20x", "%F0%9F%92%A5", strings.Repeat("a", 65), "{a}", "a%2Fb"} {
			n.post("/v1/couriers/"+id+"/devices", c.ops, nil).problem(400, orders.Invalid).pointsAt("courierId")
		}
		n.call(http.MethodPut, path, c.courier, nil).want(405)
	})
}

// TestAppSettings: what a phone is set up with leads to its door, and each picture says what it should.
func TestAppSettings(t *testing.T) {
	n := start(t, func(wc *web.Config, _ *orders.Config) { wc.Viewer.PublicURL = "https://bell.example" })
	c := newCast(t)
	n.restaurant(c, "res_1", nil)
	courier := token(t, orders.RoleCourier, "cou.a:1")
	order := n.ridden(c, "cou.a:1")
	made := n.post("/v1/couriers/cou.a:1/devices", courier, nil).want(201)
	token := made.text("token")
	here := func(link string) string { return strings.Replace(link, "https://bell.example", "", 1) }
	pictured := func(i, text string) {
		t.Helper()
		raw, err := base64.StdEncoding.DecodeString(made.text("apps." + i + ".qr"))
		if err != nil {
			t.Fatal(err)
		}
		img, err := png.Decode(bytes.NewReader(raw))
		if err != nil {
			t.Fatal(err)
		}
		code, err := qr.Encode(text, qr.L)
		if err != nil {
			t.Fatal(err)
		}
		side := img.Bounds().Dx()
		margin := (side - code.Size*4) / 2
		if side > 700 || margin < 4*4 {
			t.Errorf("%d pixels with %d of margin", side, margin)
		}
		for y := range code.Size {
			for x := range code.Size {
				if r, _, _, _ := img.At(margin+4*x+1, margin+4*y+1).RGBA(); (r == 0) != code.Black(x, y) {
					t.Fatalf("module %d, %d is wrong", x, y)
				}
			}
		}
	}

	made.shows("apps.0.app", "owntracks", "apps.1.app", "traccar", "apps.2.app", "overland", "apps.3.app", "gpslogger", "apps.4", nil)
	pictured("0", made.text("apps.0.link"))
	if f := made.text("apps.0.file.text"); !strings.Contains(f, `"password": "`+token+`"`) || made.text("apps.0.file.name") != "cou-a-1.otrc" {
		t.Errorf("%s", f)
	}

	// What Traccar Client posts to is its link without the query; a link that is opened in a browser stores nothing.
	link := made.text("apps.1.link")
	pictured("1", link)
	n.get(here(link), "").want(200)
	server, _, _ := strings.Cut(here(link), "?")
	at := n.now.now().UTC().Format(orders.TimeFormat)
	n.post(server, "", `{"device_id":"cou-a-1","location":{"timestamp":"`+at+`","coords":{"latitude":31.23,"longitude":121.47}}}`).want(200)

	link = made.text("apps.2.link")
	pictured("2", link)
	u, err := url.Parse(link)
	if err != nil {
		t.Fatal(err)
	}
	n.post(here(u.Query().Get("url")), u.Query().Get("token"), `{"locations":[]}`).want(200).shows("result", "ok")

	link = made.text("apps.3.link")
	pictured("3", made.text("apps.3.file.text"))
	n.now.pass(5 * time.Second)
	for name, value := range map[string]string{
		"%LAT": "31.2301", "%LON": "121.47", "%TIMESTAMP": n.now.now().UTC().Format("2006-01-02T15:04:05Z"), "%ACC": "8", "%SPD": "1", "%DIR": "90", "%ALT": "3", "%BATT": "50",
	} {
		link = strings.ReplaceAll(link, name, value)
	}
	n.get(here(link), "", "Authorization", basic(made.text("apps.3.username"), made.text("apps.3.password"))).want(200)
	n.until("both fixes are stored", func() bool { return len(n.track(c, order)) == 2 })
}
