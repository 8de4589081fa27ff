package web_test

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"doorbell/hub"
	"doorbell/hub/wire"
	"doorbell/orders"
	"doorbell/web/auth"
)

// wantClosed takes frames until the hub closes with this code.
func (s *socket) wantClosed(code int) {
	s.t.Helper()
	for {
		if _, err := s.tryNext(20 * time.Second); err != nil {
			if got := int(websocket.CloseStatus(err)); got != code {
				s.t.Fatalf("closed with %d (%v), want %d", got, err, code)
			}
			return
		}
	}
}

// alive wants an answer of the hub.
func (s *socket) alive() {
	s.t.Helper()
	s.say(`{"op":"ping"}`)
	s.want(wire.OpPong)
}

// eventually waits for what nothing signals.
func eventually(t testing.TB, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: not yet", what)
		}
	}
}

// tokenFor mints a token that ends after ttl.
func tokenFor(t testing.TB, role orders.Role, sub string, ttl time.Duration) string {
	t.Helper()
	s, err := auth.Mint(secret, auth.Claims{Subject: sub, Role: role, IssuedAt: time.Now().Add(min(0, ttl) - time.Second), ExpiresAt: time.Now().Add(ttl)})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestLiveTopics(t *testing.T) {
	n, c := start(t), newCast(t)
	n.restaurant(c, "res_1", nil)
	id := strings.TrimPrefix(n.order(c, "paid", nil), "/v1/orders/")

	n.sub("WhatIsNotTheirsIsNotFound", func(n *node) {
		for _, v := range []struct{ token, topic string }{
			{c.stranger, "order/" + id}, {c.otherMerchant, "order/" + id}, {c.courier, "order/" + id}, {c.customer, "order/ord_none"},
			{c.customer, "restaurant/res_1"}, {c.otherMerchant, "restaurant/res_1"}, {c.courier, "courier/cou_2"}, {c.merchant, "courier/cou_1"},
		} {
			s := n.dial(v.token)
			s.watch(v.topic, 0)
			if f := s.next(); f.Op != wire.OpError || f.Kind != orders.NotFound || f.Topic != v.topic || f.ID == nil || *f.ID != 7 {
				n.t.Errorf("%s: %+v", v.topic, f)
			}
			s.alive()
		}
	})
	n.sub("WhatIsNoTopicIsInvalid", func(n *node) {
		s := n.dial(c.customer)
		for _, topic := range []string{"", "order", "order/", "orders/" + id, "order/" + id + "/x", "order/" + strings.Repeat("a", 65), "ORDER/" + id, `order/\u0000`, "order/é"} {
			s.watch(topic, 0)
			if f := s.next(); f.Op != wire.OpError || f.Kind != orders.Invalid {
				n.t.Errorf("%q: %+v", topic, f)
			}
		}
		s.alive()
	})
	n.sub("GoodOnesBesideBadOnesAreWatched", func(n *node) {
		s := n.dial(c.customer)
		s.say(`{"op":"watch","id":1,"topics":[{"topic":"order/ord_none"},{"topic":"order/` + id + `"}]}`)
		if f := s.next(); f.Op != wire.OpError || f.Topic != "order/ord_none" {
			n.t.Errorf("%+v", f)
		}
		s.want(wire.OpSnapshot)
	})
	n.sub("ThousandsOfWatchesAreTwoHundred", func(n *node) {
		s := n.dial(c.ops)
		kinds := map[orders.Kind]int{}
		const messages, each = 15, 150
		for m := range messages {
			var list []wire.Watch
			for i := range each {
				list = append(list, wire.Watch{Topic: fmt.Sprintf("restaurant/res_%d_%d", m, i)})
			}
			s.say(string(wire.Request{Op: wire.OpWatch, Watch: list}.Append(nil)))
		}
		boards := 0
		for boards+kinds[orders.Exhausted] < messages*each {
			switch f := s.next(); f.Op {
			case wire.OpSnapshot:
				boards++
			case wire.OpError:
				kinds[f.Kind]++
			}
		}
		if boards != wire.MaxTopics || n.hub.Topics() < wire.MaxTopics {
			n.t.Errorf("%d boards, %v", boards, kinds)
		}
		s.say(`{"op":"unwatch","topics":["restaurant/res_0_0"]}`)
		s.watch("order/"+id, 0)
		s.want(wire.OpSnapshot)
	})
	n.sub("AnAfterInTheFutureGetsASnapshot", func(n *node) {
		s := n.dial(c.customer)
		s.watch("order/"+id, 1_000_000)
		if f := s.want(wire.OpSnapshot); f.Seq != 2 {
			n.t.Errorf("%+v", f)
		}
		s.say(`{"op":"ack","topic":"order/` + id + `","seq":1000000}`)
		if f := s.wantError(s.next()); f.Kind != orders.Unprocessable {
			n.t.Errorf("%+v", f)
		}
	})
	n.sub("AnAckForWhatIsNotWatched", func(n *node) {
		s := n.dial(c.customer)
		for topic, kind := range map[string]orders.Kind{"order/" + id: orders.Unprocessable, "order/ord_none": orders.Unprocessable, "restaurant/res_1": orders.Invalid, "x": orders.Invalid} {
			s.say(`{"op":"ack","id":3,"topic":"` + topic + `","seq":1}`)
			if f := s.next(); f.Op != wire.OpError || f.Kind != kind {
				n.t.Errorf("%s: %+v", topic, f)
			}
		}
		select {
		case seq := <-n.acks:
			n.t.Errorf("an ack for %d was believed", seq)
		default:
		}
	})
}

// wantError is the first error frame from f on.
func (s *socket) wantError(f wire.Frame) wire.Frame {
	s.t.Helper()
	for f.Op != wire.OpError {
		f = s.next()
	}
	return f
}

func TestLiveTokens(t *testing.T) {
	t.Parallel()
	n, c := start(t), newCast(t)

	n.sub("SomebodyElsesEndsTheSession", func(n *node) {
		for _, other := range []string{c.stranger, token(t, orders.RoleOps, "cus_1")} {
			s := n.dial(c.customer)
			s.say(`{"op":"token","id":1,"token":"` + other + `"}`)
			s.wantClosed(4403)
		}
		s := n.dial(c.merchant)
		s.say(`{"op":"token","id":1,"token":"` + token(t, orders.RoleMerchant, "mer_1", "res_1", "res_2") + `"}`)
		s.wantClosed(4403)
	})
	n.sub("ABadOneIsAnsweredAndEndsNothing", func(n *node) {
		s := n.dial(c.customer)
		for _, bad := range []string{"rubbish", c.customer + "x", tokenFor(n.t, orders.RoleCustomer, "cus_1", -time.Hour)} {
			s.say(`{"op":"token","id":1,"token":"` + bad + `"}`)
			if f := s.next(); f.Op != wire.OpError || f.Kind != orders.Unauthenticated {
				n.t.Errorf("%q: %+v", bad, f)
			}
		}
		s.alive()
	})
	n.sub("TheEndOfTheTokenIsTheEndUnlessThereIsANewOne", func(n *node) {
		short := tokenFor(t, orders.RoleCustomer, "cus_1", 3*time.Second)
		forgets, renews := n.dial(short), n.dial(short)
		renews.say(`{"op":"token","id":5,"token":"` + c.customer + `"}`)
		if f := renews.next(); f.Op != wire.OpOK || *f.ID != 5 {
			n.t.Errorf("%+v", f)
		}
		forgets.wantClosed(4401)
		renews.alive()
	})
	n.sub("ARevocationEndsThemAtOnce", func(n *node) {
		first, second, other := n.dial(c.customer), n.dial(c.customer), n.dial(c.stranger)
		began := time.Now()
		n.post("/v1/revocations", c.ops, map[string]any{"sub": "cus_1"}).want(200)
		first.wantClosed(4401)
		second.wantClosed(4401)
		if took := time.Since(began); took > 3*time.Second {
			n.t.Errorf("after %v", took)
		}
		other.alive()
		if res, _ := n.handshake(n.srv.URL+"/v1/live", c.customer); res.StatusCode != 401 {
			n.t.Errorf("%d", res.StatusCode)
		}
	})
}

func TestLiveCaps(t *testing.T) {
	c := newCast(t)
	retry := func(t testing.TB, res *http.Response, code int) {
		t.Helper()
		s, err := strconv.Atoi(res.Header.Get("Retry-After"))
		if res.StatusCode != code || err != nil || s < 1 || res.Header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%d %v, want %d with Retry-After", res.StatusCode, res.Header, code)
		}
	}
	t.Run("AFullNodeRefusesBeforeTheUpgrade", func(t *testing.T) {
		n := startHub(t, func(h *hub.Config) { h.MaxSessions = 3 })
		n.restaurant(c, "res_1", nil)
		events := n.order(c, "paid", nil) + "/events"
		first := n.dial(c.customer)
		n.dial(c.merchant)
		n.stream(events, c.customer, "0")
		res, _ := n.handshake(n.srv.URL+"/v1/live", c.ops)
		retry(t, res, 503)
		retry(t, &http.Response{StatusCode: 503, Header: n.get(events, c.customer, "Accept", "text/event-stream").want(503).Header}, 503)
		n.get(events, c.customer).want(200) // only what stays costs a place
		_ = first.ws.Close(websocket.StatusNormalClosure, "")
		eventually(t, "the place of who left", func() bool { return n.hub.Sessions() == 2 })
		n.dial(c.ops)
	})
	t.Run("OnePersonHasSoMany", func(t *testing.T) {
		n := startHub(t, func(h *hub.Config) { h.MaxPerSubject = 2 })
		n.restaurant(c, "res_1", nil)
		events := n.order(c, "paid", nil) + "/events"
		first := n.dial(c.customer)
		n.stream(events, c.customer, "0")
		res, _ := n.handshake(n.srv.URL+"/v1/live", c.customer)
		retry(t, res, 429)
		retry(t, &http.Response{StatusCode: 429, Header: n.get(events, c.customer, "Accept", "text/event-stream").want(429).Header}, 429)
		n.dial(c.stranger)
		for range 5 {
			n.dial(c.ops)
		}
		for range 3 { // what is refused takes no place
			n.handshake(n.srv.URL+"/v1/live", c.customer, "Sec-WebSocket-Key", "")
		}
		_ = first.ws.CloseNow() // no close frame
		eventually(t, "the place of who vanished", func() bool {
			res, _ := n.handshake(n.srv.URL+"/v1/live", c.customer)
			return res.StatusCode == 101
		})
	})
}

func TestLiveAge(t *testing.T) {
	t.Parallel()
	c := newCast(t)
	n := startHub(t, func(h *hub.Config) { h.MaxAge = time.Second })
	stays, goes := n.dial(c.customer), n.dial(c.customer)
	if f := goes.want(wire.OpGoaway); f.ReconnectInMs != 0 {
		t.Errorf("%+v", f)
	}
	n.dial(c.customer) // make before break
	_ = goes.ws.Close(websocket.StatusNormalClosure, "")
	stays.want(wire.OpGoaway)
	stays.alive()
	stays.wantClosed(1012)
}

func TestLiveHeartbeat(t *testing.T) {
	t.Parallel()
	c := newCast(t)
	n := startHub(t, func(h *hub.Config) { h.Heartbeat = time.Second })
	silent, _, err := n.tryDial(c.customer)
	if err != nil {
		t.Fatal(err)
	}
	answers := n.dial(c.customer)
	done := make(chan error, 1)
	go func() { // answers pings while it reads
		_, err := answers.tryNext(8 * time.Second)
		done <- err
	}()
	eventually(t, "the end of who does not answer", func() bool { return n.hub.Sessions() == 1 })
	silent.wantClosed(4429)                              // its pings and the end were waiting
	if err := <-done; websocket.CloseStatus(err) != -1 { // it gave up reading by itself, perhaps while it answered a ping
		t.Errorf("who answers pings heard %v", err)
	}
}
