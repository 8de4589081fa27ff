package pages

import "net/http"

// tracking stands where the customer's tracking page will be. The capability is in the URL's fragment, which never
// reaches a server, so nothing here can leak it.
const tracking = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>Your order</title>
<p>The tracking page is not here yet. The part of this link behind the # reads your order as <code>Authorization: Bearer trk_…</code>.</p>
`

// Tracking serves the placeholder of the tracking page.
func Tracking(w http.ResponseWriter, _ *http.Request) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-cache")
	_, _ = w.Write([]byte(tracking))
}
