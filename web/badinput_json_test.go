package web_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"doorbell/orders"
)

// text is an orderBody as JSON.
func orderText(t testing.TB, change func(map[string]any)) string {
	t.Helper()
	b, err := json.Marshal(orderBody(change))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestBadJSON: what is no single, plain JSON object is refused with 400 before anything is read from it.
func TestBadJSON(t *testing.T) {
	n, c := start(t, unlimited), newCast(t)
	n.restaurant(c, "res_1", nil)
	good := orderText(t, nil)
	for _, bad := range []struct{ name, body, pointer string }{
		{"no body", ``, ``},
		{"white space", " \n", ``},
		{"null", `null`, ``},
		{"a string", `"order"`, ``},
		{"a list", `[` + good + `]`, ``},
		{"half an object", good[:len(good)-1], ``},
		{"two values", good + good, ``},
		{"something behind", good + `x`, ``},
		{"a comma too many", strings.Replace(good, `{`, `{,`, 1), ``},
		{"single quotes", strings.ReplaceAll(good, `"`, `'`), ``},
		{"a comment", `/* */` + good, ``},
		{"a byte order mark", "\ufeff" + good, ``},
		{"UTF-16", "\xff\xfe{\x00}\x00", ``},
		{"bytes that are no UTF-8", strings.Replace(good, `no egg`, "no \xff egg", 1), ``},
		{"an overlong NUL", strings.Replace(good, `no egg`, "\xc0\x80", 1), ``},
		{"a raw NUL", strings.Replace(good, `no egg`, "\x00", 1), `/items/0/note`},
		{"an escaped NUL", strings.Replace(good, `no egg`, `\u0000`, 1), `/items/0/note`},
		{"a NUL between", good + "\x00", ``},
		{"a key twice", strings.Replace(good, `{`, `{"restaurantId":"res_9",`, 1), `/restaurantId`},
		{"a key twice within", strings.Replace(good, `"lat":`, `"lat":0,"lat":`, 1), `/address/lat`},
		{"a key twice, once escaped", strings.Replace(good, `{`, `{"restaurantI\u0064":"res_9",`, 1), `/restaurantId`},
		{"deep lists", strings.Repeat(`[`, 30_000), strings.Repeat(`/0`, 17)},
		{"deep objects", strings.Repeat(`{"items":`, 7_000), strings.Repeat(`/items`, 17)},
		{"NaN", strings.Replace(good, `31.23`, `NaN`, 1), `/address/lat`},
		{"hexadecimal", strings.Replace(good, `1500`, `0x5dc`, 1), ``},
		{"a leading zero", strings.Replace(good, `1500`, `01500`, 1), ``},
		{"a number out of every range", strings.Replace(good, `1500`, `1e400`, 1), `/items/0/unitPrice`},
	} {
		t.Run(bad.name, func(t *testing.T) {
			n := n.as(t)
			n.writesNothing(func() {
				r := n.post("/v1/orders", c.customer, bad.body, "Idempotency-Key", "bad-json").problem(400, orders.Invalid)
				if got := r.pointers(); bad.pointer != "" && (len(got) != 1 || got[0] != bad.pointer) {
					t.Errorf("points at %q, want %q", got, bad.pointer)
				}
			})
		})
	}
	t.Run("and the key of a refused request is free", func(t *testing.T) {
		n.as(t).post("/v1/orders", c.customer, good, "Idempotency-Key", "bad-json").want(201)
	})
	t.Run("lone surrogates and odd but legal forms are taken", func(t *testing.T) {
		n := n.as(t)
		for _, body := range []string{
			" \r\n\t" + good + "\n", strings.Replace(good, `no egg`, `\ud83c\udf5a`, 1), strings.Replace(good, `restaurantId`, `restaurantI\u0064`, 1),
		} {
			n.post("/v1/orders", c.customer, body).want(201)
		}
		n.post("/v1/orders", c.customer, good, "Content-Type", "application/json; charset=utf-8").want(201)
	})
}

// endless is a body without a stated length.
type endless struct{ io.Reader }

// TestBigBody: 64 KiB pass, one byte more answers 413, whether its length is stated or not.
func TestBigBody(t *testing.T) {
	n, c := start(t), newCast(t)
	n.restaurant(c, "res_1", nil)
	good := orderText(t, nil)
	fit := good + strings.Repeat(" ", 64<<10-len(good))
	t.Run("64 KiB are taken", func(t *testing.T) { n.as(t).post("/v1/orders", c.customer, fit).want(201) })
	path := n.order(c, "paid", nil)
	for _, to := range []string{"/v1/orders", path + "/cancel", path + "/amendments/1/accept"} {
		for name, body := range map[string]io.Reader{
			"a byte more":            strings.NewReader(fit + " "),
			"a byte more, chunked":   endless{strings.NewReader(fit + " ")},
			"10 MB of a string":      bytes.NewReader([]byte(`{"restaurantId":"` + strings.Repeat("a", 10<<20) + `"}`)),
			"8 MB of zeros, chunked": endless{io.LimitReader(zeros{}, 8<<20)},
		} {
			t.Run(name+" to "+strings.TrimPrefix(to, path), func(t *testing.T) {
				n := n.as(t)
				n.writesNothing(func() {
					req, err := http.NewRequest("POST", n.srv.URL+to, body)
					if err != nil {
						t.Fatal(err)
					}
					req.Header.Set("Authorization", "Bearer "+c.customer)
					req.Header.Set("Content-Type", "application/json")
					res, err := n.srv.Client().Do(req)
					if err != nil { // the server hung up on the rest, which is as good
						t.Log(err)
						return
					}
					defer res.Body.Close()
					raw, _ := io.ReadAll(res.Body)
					checkAnswer(t, req, res, raw)
					reply{t, res.StatusCode, res.Header, raw}.problem(413, orders.TooLarge)
				})
			})
		}
	}
	t.Run("token, sight and role are looked at before the body", func(t *testing.T) {
		n := n.as(t)
		big := fit + " "
		n.post("/v1/orders", "", big).problem(401, orders.Unauthenticated)
		n.post("/v1/orders", c.merchant, big).problem(403, orders.Forbidden)
		n.post(path+"/confirm", c.otherMerchant, big).problem(404, orders.NotFound)
	})
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// TestContentType: only JSON is read. A body that says nothing of its type is taken for it.
func TestContentType(t *testing.T) {
	n, c := start(t), newCast(t)
	n.restaurant(c, "res_1", nil)
	good := orderText(t, nil)
	for _, ct := range []string{
		"text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/xml", "text/json",
		"application/problem+json", "application/json-patch+json", "application/*", "*/*", "json", ";", "application/json; charset", "application/json; a=b; a=c",
	} {
		t.Run(ct, func(t *testing.T) {
			n := n.as(t)
			n.writesNothing(func() {
				req, err := http.NewRequest("POST", n.srv.URL+"/v1/orders", strings.NewReader(good))
				if err != nil {
					t.Fatal(err)
				}
				req.Header.Set("Authorization", "Bearer "+c.customer)
				req.Header.Set("Content-Type", ct)
				n.send(n.srv.Client(), req).problem(400, orders.Invalid).pointsAt("Content-Type")
			})
		})
	}
	t.Run("an operation without a body takes none", func(t *testing.T) {
		n := n.as(t)
		path := n.order(c, "assigned", nil)
		n.writesNothing(func() {
			n.call("DELETE", path+"/courier", c.ops, `{}`).problem(400, orders.Invalid)
			n.call("GET", path, c.ops, `{"a":1}`).problem(400, orders.Invalid)
		})
	})
}
