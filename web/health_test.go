package web_test

import (
	"strings"
	"testing"
)

func TestPublicPages(t *testing.T) {
	n, c := start(t), newCast(t)

	n.sub("NeedNoTokenAndStandOutsideTheAPI", func(n *node) {
		for path, contains := range map[string]string{
			"/livez": "ok", "/readyz": "ok", "/openapi.yaml": "openapi: 3.0.3", "/docs": `spec-url="openapi.yaml"`, "/t/": "trk_",
		} {
			for _, token := range []string{"", c.customer, "rubbish"} {
				if r := n.get(path, token).want(200); !strings.Contains(string(r.Raw), contains) {
					n.t.Errorf("%s: %s", path, r.Raw)
				}
			}
			n.get("/v1"+path, c.ops).want(404)
		}
		for path, want := range map[string]string{"/livez": "no-store", "/readyz": "no-store", "/openapi.yaml": "no-cache", "/t/": "no-cache"} {
			if got := n.get(path, "").Header.Get("Cache-Control"); got != want {
				n.t.Errorf("%s: Cache-Control %q, want %q", path, got, want)
			}
		}
	})

	n.sub("TheTrackingPageLetsNothingOut", func(n *node) {
		h := n.get("/t/", "").Header
		if h.Get("Referrer-Policy") != "no-referrer" || !strings.Contains(h.Get("Content-Security-Policy"), "default-src 'none'") {
			n.t.Errorf("%v", h)
		}
	})

	n.sub("WhatIsForOperatorsIsNotHere", func(n *node) {
		for _, path := range []string{"/metrics", "/debug/pprof/", "/debug/pprof/heap", "/debug/pprof/cmdline", "/debug/vars", "/v1/metrics"} {
			for _, token := range []string{"", c.ops} {
				n.get(path, token).want(404)
			}
		}
	})

	n.sub("ADrainingNodeIsAliveAndNotReadyAndStillAnswers", func(n *node) {
		n.restaurant(c, "res_1", nil)
		n.web.Drain()
		n.get("/readyz", "").want(503)
		n.get("/livez", "").want(200)
		n.order(c, "completed", nil)
	})
}
