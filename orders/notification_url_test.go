package orders_test

import (
	"net/url"
	"strings"
	"testing"

	"doorbell/orders"
)

func TestNormaliseURL(t *testing.T) {
	for raw, want := range map[string]string{
		"https://user-app.com/notifications":  "https://user-app.com/notifications",
		"https://user-app.com/notifications/": "https://user-app.com/notifications",
		"https://user-app.com":                "https://user-app.com",
		"https://user-app.com/":               "https://user-app.com",
		"https://user-app.com:443/a//":        "https://user-app.com:443/a/",
		"https://user-app.com:8443/a%20b":     "https://user-app.com:8443/a%20b",
		"https://10.0.0.1/x":                  "https://10.0.0.1/x", // refused at the dial, not here
		"https://[::1]:8443/x":                "https://[::1]:8443/x",
	} {
		if got, err := orders.NormaliseURL(raw, false); err != nil || got != want {
			t.Errorf("%s: %q %v, want %q", raw, got, err, want)
		}
	}
	for _, raw := range []string{
		"", "/x", "user-app.com/x", "https:/x", "https:///x", "https:user-app.com", "http://user-app.com/x",
		"ftp://user-app.com", "https://u:p@user-app.com/x", "https://u@user-app.com/x", "https://user-app.com/x?a=1",
		"https://user-app.com/x?", "https://user-app.com/x#f", "https://user-app.com/x#", "https://user-app.com:22/x",
		"https://user-app.com:/x", "https://user-app.com:8080/x", "https://user-app.com:99999/x", "https://user app.com/",
		"https://user-app.com/a b", "https://user-app.com/\n", "https://bücher.example/x", "https://user-app.com\\@evil.example/",
		"https://user-app.com/" + strings.Repeat("a", 2048), "HTTPS//x", "https://%zz/",
	} {
		if got, err := orders.NormaliseURL(raw, false); orders.KindOf(err) != orders.Invalid {
			t.Errorf("%q: taken as %q (%v)", raw, got, err)
		}
	}
	t.Run("development takes any port and plain http", func(t *testing.T) {
		if got, err := orders.NormaliseURL("http://127.0.0.1:9999/x/", true); err != nil || got != "http://127.0.0.1:9999/x" {
			t.Errorf("%q %v", got, err)
		}
		if _, err := orders.NormaliseURL("gopher://127.0.0.1/x", true); err == nil {
			t.Error("takes gopher")
		}
	})
}

func FuzzNormaliseURL(f *testing.F) {
	f.Add("https://user-app.com/notifications/", false)
	f.Add("http://[::1]:80//", true)
	f.Fuzz(func(t *testing.T, raw string, open bool) {
		got, err := orders.NormaliseURL(raw, open)
		if err != nil {
			return
		}
		// Whatever was taken must stay one URL with a path when the contract's path is put behind it.
		u, err := url.Parse(got + "/order-status")
		if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || !strings.HasSuffix(u.Path, "/order-status") {
			t.Errorf("%q became %q: %v %v", raw, got, u, err)
		}
		if !open && u.Scheme != "https" {
			t.Errorf("%q is not https", got)
		}
	})
}
