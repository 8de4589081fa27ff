package web_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"doorbell/orders"
	"doorbell/web"
)

// fuzzNode is a node for a fuzz target, with res_1.
func fuzzNode(f *testing.F) (*node, cast) {
	n, c := start(f, quiet, unlimited, func(wc *web.Config, _ *orders.Config) { wc.CustomerLimit = nil }), newCast(f)
	n.restaurant(c, "res_1", nil)
	return n, c
}

// FuzzOrderBody: whatever is posted to /orders is answered with a valid order or a valid problem that is the caller's
// own, never with 5xx. (direct holds each answer against openapi.yaml.)
func FuzzOrderBody(f *testing.F) {
	n, c := fuzzNode(f)
	good, err := json.Marshal(orderBody(nil))
	if err != nil {
		f.Fatal(err)
	}
	for _, change := range []func(map[string]any){
		nil,
		func(b map[string]any) {
			b["notificationUrl"], b["deliver"] = "https://user-app.com:8443/hook/", "always"
		},
		func(b map[string]any) { b["expectedTotal"], b["soldOutPolicy"] = 5000, "CANCEL" },
		func(b map[string]any) { b["paymentMethod"] = "CASH" },
		func(b map[string]any) { item(b, 0)["unitPrice"] = json.Number("1e2") },
		func(b map[string]any) { item(b, 0)["quantity"] = json.Number("-9223372036854775809") },
		func(b map[string]any) { item(b, 1)["note"] = "\u0001\u202e\ufffd" },
		func(b map[string]any) { addr(b)["lat"] = json.Number("-0.0") },
	} {
		b, err := json.Marshal(orderBody(change))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	for _, s := range []string{``, `{}`, `null`, `[]`, `{"a":`, "\xff", string(good) + "x", `{"restaurantId":{"restaurantId":"res_1"}}`, strings.Repeat("[", 100)} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		n := n.as(t)
		r := n.direct("POST", "/v1/orders", c.customer, body, nil)
		switch r.Code {
		case 201:
			if got := n.direct("GET", r.Header.Get("Location"), c.customer, nil, nil).want(200); !bytes.Equal(got.Raw, r.Raw) {
				t.Errorf("%q: placed %s, read %s", body, r.Raw, got.Raw)
			}
		case 400, 413, 422:
			if r.text("kind") == "" || r.text("detail") == "" {
				t.Errorf("%q: %s", body, r.Raw)
			}
		default:
			t.Errorf("%q answered %d: %s", body, r.Code, r.Raw)
		}
	})
}

var goodKey = regexp.MustCompile(`^[!-~]{1,255}$`)

// FuzzIdempotencyKey: a key of 1 to 255 visible ASCII characters is taken and repeats its answer; any other is refused.
func FuzzIdempotencyKey(f *testing.F) {
	n, c := fuzzNode(f)
	for _, s := range []string{"a", "", " ", "a b", "a,b", `"quoted"`, "k%41", "\x00", "\xff", "é", "a\nb", strings.Repeat("k", 255), strings.Repeat("k", 256), "null", "0", "{}"} {
		f.Add(s)
	}
	body, err := json.Marshal(orderBody(nil))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, key string) {
		n := n.as(t)
		header := http.Header{"Idempotency-Key": {key}}
		first := n.direct("POST", "/v1/orders", c.customer, body, header)
		if !goodKey.MatchString(key) {
			first.problem(400, orders.Invalid).pointsAt("Idempotency-Key")
			return
		}
		again := n.direct("POST", "/v1/orders", c.customer, body, header)
		if first.want(201); again.Code != 201 || !bytes.Equal(again.Raw, first.Raw) || again.Header.Get("Idempotency-Replayed") != "true" {
			t.Errorf("%q: %d %s, then %d %s", key, first.Code, first.Raw, again.Code, again.Raw)
		}
		other := n.direct("POST", "/v1/orders", c.customer, []byte(strings.Replace(string(body), "no egg", "egg", 1)), header)
		if other.problem(422, orders.Unprocessable).text("code") != "KEY_REUSED" {
			t.Errorf("%q with another body: %s", key, other.Raw)
		}
		n.direct("POST", "/v1/orders", c.stranger, body, header).want(201) // somebody else's key is another
	})
}

// FuzzCursor: a cursor is one that a page returned, or refused; both lists, never 5xx.
func FuzzCursor(f *testing.F) {
	n, c := fuzzNode(f)
	path := n.order(c, "confirmed", nil)
	for range 3 {
		n.order(c, "placed", nil)
	}
	next := n.get("/v1/orders?limit=1", c.customer).want(200).text("next")
	if next == "" {
		f.Fatal("no second page")
	}
	for _, s := range append(madeUpCursors(), next, "", "1", next[:len(next)-1], next+"A") {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, cursor string) {
		n := n.as(t)
		r := n.direct("GET", "/v1/orders?limit=1&cursor="+url.QueryEscape(cursor), c.customer, nil, nil)
		if r.Code == 200 && cursor != "" {
			if b, err := base64.RawURLEncoding.DecodeString(cursor); err != nil || !orders.ValidID(string(b[1:])) {
				t.Errorf("%q is a cursor: %s", cursor, r.Raw)
			}
		} else if r.Code != 200 {
			r.problem(400, orders.Invalid).pointsAt("cursor")
		}
		if e := n.direct("GET", path+"/events?cursor="+url.QueryEscape(cursor), c.customer, nil, nil); e.Code != 200 {
			e.problem(400, orders.Invalid).pointsAt("cursor")
		}
	})
}

// FuzzIfMatch: a repeat under any If-Match answers 200, 412 or 400, passes only what names the version strongly, and
// never writes.
func FuzzIfMatch(f *testing.F) {
	n, c := fuzzNode(f)
	path := n.order(c, "confirmed", nil)
	for _, s := range []string{`"3"`, `W/"3"`, `*`, ``, ` `, `3`, `"2", "3"`, `"3`, `"03"`, `*,"3"`, `"\"3"`, "\"3\"\x00", `,,,`, strings.Repeat(`"1",`, 300), strings.Repeat("a", 2000)} {
		f.Add(s)
	}
	body := []byte(`{"prepMinutes":20}`)
	f.Fuzz(func(t *testing.T, match string) {
		n := n.as(t)
		r := n.direct("POST", path+"/confirm", c.merchant, body, http.Header{"If-Match": {match}})
		switch r.Code {
		case 200:
			if r.seq() != 3 || strings.Trim(match, " \t") != "*" && !strings.Contains(match, `"3"`) {
				t.Errorf("%q passed: %s", match, r.Raw)
			}
		case 412:
			r.problem(412, orders.PreconditionFailed)
		default:
			r.problem(400, orders.Invalid).pointsAt("If-Match")
		}
	})
}
