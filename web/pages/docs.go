package pages

import (
	_ "embed"
	"net/http"

	"github.com/go-chi/chi/v5"
)

var (
	//go:embed docs.html
	docsPage []byte
	//go:embed redoc.js.gz
	redocGzip []byte
	//go:embed redoc-license.txt
	redocLicense []byte
)

// docsPolicy lets the page run its own script and read from its own host, nothing else. The hash is that of nothing: Redoc
// makes empty style elements and fills them through the object model, which needs no more than that.
const docsPolicy = "default-src 'none'; script-src 'self'; connect-src 'self'; img-src 'self' data:; font-src data:; " +
	"style-src 'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// Mount adds the pages to a router: GET /docs, the API's documentation, which shows /openapi.yaml, and what it loads from
// below /docs/, and the placeholder of the tracking page at /t/.
func Mount(r chi.Router) {
	page := newAsset("text/html; charset=utf-8", docsPage)
	r.Get("/docs", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", docsPolicy)
		w.Header().Set("Referrer-Policy", "no-referrer")
		page.ServeHTTP(w, r)
	})
	r.Get("/t/", Tracking)
	r.Method(http.MethodGet, "/docs/redoc.js", newPackedAsset("text/javascript; charset=utf-8", redocGzip))
	r.Method(http.MethodGet, "/docs/redoc-license.txt", newAsset("text/plain; charset=utf-8", redocLicense))
}
