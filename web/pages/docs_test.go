package pages_test

import (
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/go-chi/chi/v5"

	"doorbell/web/pages"
)

// redocSum is the SHA-256 of package/bundles/redoc.standalone.js in redoc-3.0.1.tgz as npm serves it.
const redocSum = "8c70c2de83d33e33a75b225e573d6d9fe851f066f824b44b1637d831d52d7543"

func get(t *testing.T, path string, header ...string) *http.Response {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, path, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	router := chi.NewRouter()
	pages.Mount(router)
	router.ServeHTTP(w, r)
	return w.Result()
}

func TestDocs(t *testing.T) {
	t.Run("PageStaysAtHome", func(t *testing.T) {
		res := get(t, "/docs")
		body, err := io.ReadAll(res.Body)
		if err != nil || res.StatusCode != http.StatusOK {
			t.Fatal(res.Status, err)
		}
		if csp := res.Header.Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") || strings.Contains(csp, "//") {
			t.Errorf("policy %q", csp)
		}
		if strings.Contains(string(body), "//") || !strings.Contains(string(body), `disable-telemetry="true"`) {
			t.Errorf("the page names another host, or lets Redoc report home:\n%s", body)
		}
	})
	t.Run("ScriptIsRedocAsPublished", func(t *testing.T) {
		for accept, packed := range map[string]bool{"gzip, br": true, "*": true, "": false, "br": false, "gzip;q=0, *": false, "GZIP; q=0.5": true} {
			res := get(t, "/docs/redoc.js", "Accept-Encoding", accept)
			if got := res.Header.Get("Content-Encoding") == "gzip"; got != packed {
				t.Errorf("Accept-Encoding %q: packed %v", accept, got)
			}
			var body io.Reader = res.Body
			if res.Header.Get("Content-Encoding") == "gzip" {
				z, err := gzip.NewReader(body)
				if err != nil {
					t.Fatal(err)
				}
				body = z
			}
			h := sha256.New()
			if _, err := io.Copy(h, body); err != nil {
				t.Fatal(err)
			}
			if sum := hex.EncodeToString(h.Sum(nil)); sum != redocSum {
				t.Errorf("Accept-Encoding %q: SHA-256 %s", accept, sum)
			}
		}
	})
	t.Run("UnchangedIs304", func(t *testing.T) {
		for _, path := range []string{"/docs", "/docs/redoc.js", "/docs/redoc-license.txt"} {
			tag := get(t, path, "Accept-Encoding", "gzip").Header.Get("ETag")
			if res := get(t, path, "Accept-Encoding", "gzip", "If-None-Match", tag); tag == "" || res.StatusCode != http.StatusNotModified {
				t.Errorf("%s: ETag %s, then %s", path, tag, res.Status)
			}
		}
	})
}
