package web_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"doorbell/orders"
	"doorbell/web"
)

// ledger is everything the node has stored: orders with their events, res_1 with its menu, and revocations. Two equal
// ledgers mean that nothing was written in between.
func (n *node) ledger() string {
	n.t.Helper()
	ctx := context.Background()
	var all struct {
		Orders      []orders.Order
		Changes     []string
		Events      []orders.Event
		Restaurant  *orders.Restaurant
		Version     int64
		Revocations any
	}
	for cursor := ""; ; {
		page, next, err := n.store.List(ctx, orders.Query{Cursor: cursor})
		if err != nil {
			n.t.Fatal(err)
		}
		for _, o := range page {
			events, err := n.store.Events(ctx, o.ID, 0, 1000)
			if err != nil {
				n.t.Fatal(err)
			}
			all.Orders, all.Changes, all.Events = append(all.Orders, o), append(all.Changes, o.ChangeID), append(all.Events, events...)
		}
		if cursor = next; next == "" {
			break
		}
	}
	if r, err := n.store.Restaurant(ctx, "res_1"); err == nil {
		all.Restaurant, all.Version = r, r.Version
	}
	var err error
	if all.Revocations, err = n.store.Revocations(ctx); err != nil {
		n.t.Fatal(err)
	}
	text, err := json.Marshal(all)
	if err != nil {
		n.t.Fatal(err)
	}
	return string(text)
}

// writesNothing fails the test if do changes what is stored.
func (n *node) writesNothing(do func()) {
	n.t.Helper()
	before := n.ledger()
	do()
	if after := n.ledger(); after != before {
		n.t.Errorf("something was written:\nbefore %s\nafter  %s", before, after)
	}
}

// as is the node with a subtest in place of the test.
func (n *node) as(t testing.TB) *node {
	m := *n
	m.t = t
	return &m
}

// pointers are what a problem body points at, sorted.
func (r reply) pointers() (out []string) {
	r.t.Helper()
	list, _ := r.get("errors").([]any)
	for _, e := range list {
		p, _ := e.(map[string]any)["pointer"].(string)
		out = append(out, p)
	}
	slices.Sort(out)
	return out
}

// pointsAt fails the test unless the problem names exactly these places.
func (r reply) pointsAt(want ...string) reply {
	r.t.Helper()
	slices.Sort(want)
	if got := r.pointers(); !slices.Equal(got, want) {
		r.t.Errorf("points at %q, want %q: %s", got, want, r.Raw)
	}
	return r
}

// problem fails the test unless this is a problem of that code and kind.
func (r reply) problem(code int, kind orders.Kind) reply {
	r.t.Helper()
	r.want(code)
	if ct := r.Header.Get("Content-Type"); ct != "application/problem+json" || r.text("kind") != string(kind) {
		r.t.Errorf("%s of kind %q, want a problem of kind %q: %s", ct, r.text("kind"), kind, r.Raw)
	}
	return r
}

// direct calls the handler without a socket, so that a header may hold what no client would send.
func (n *node) direct(method, path, token string, body []byte, header http.Header) reply {
	n.t.Helper()
	req := httptest.NewRequest(method, path, strings.NewReader(string(body)))
	for k, v := range header {
		req.Header[k] = v
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/json")
	rec := httptest.NewRecorder()
	n.web.ServeHTTP(rec, req)
	checkAnswer(n.t, req, rec.Result(), rec.Body.Bytes())
	return reply{n.t, rec.Code, rec.Result().Header, rec.Body.Bytes()}
}

// unlimited lets a customer have any number of unpaid orders.
func unlimited(_ *web.Config, oc *orders.Config) { oc.UnpaidOrders = 0 }

// quiet keeps the node out of the log of a fuzz target.
func quiet(wc *web.Config, _ *orders.Config) { wc.Log = zerolog.Nop() }
