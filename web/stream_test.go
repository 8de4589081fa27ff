package web_test

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"doorbell/hub"
	"doorbell/hub/wire"
	"doorbell/orders"
)

// sse is a stream of server-sent events, read by the rules of the HTML standard, section 9.2.6.
type sse struct {
	t    testing.TB
	res  *http.Response
	r    *bufio.Reader
	stop context.CancelFunc
}

// block is what stands between two empty lines.
type block struct{ id, event, data, retry, comment string }

// stream opens a stream behind a seq, given as Last-Event-ID; "" for none.
func (n *node) stream(path, token, last string) *sse {
	n.t.Helper()
	return n.streamOver(n.srv.Client(), n.srv.URL+path, token, last)
}

func (n *node) streamOver(client *http.Client, url, token, last string) *sse {
	n.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	n.t.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		n.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Accept", "text/event-stream")
	if last != "" {
		req.Header.Set("Last-Event-ID", last)
	}
	res, err := client.Do(req)
	if err != nil {
		n.t.Fatal(url, err)
	}
	n.t.Cleanup(func() { _ = res.Body.Close() })
	if h := res.Header; res.StatusCode != 200 || h.Get("Content-Type") != "text/event-stream" || h.Get("Cache-Control") != "no-store" {
		n.t.Fatalf("%d %v", res.StatusCode, h)
	}
	return &sse{n.t, res, bufio.NewReader(res.Body), cancel}
}

// next is the next block, io.EOF at the stream's proper end.
func (s *sse) next() (b block, err error) {
	for some := false; ; some = true {
		line, err := s.r.ReadString('\n')
		if err != nil {
			return b, err
		}
		line = strings.TrimSuffix(line, "\n")
		if line == "" {
			if !some {
				s.t.Error("an empty block")
			}
			return b, nil
		}
		name, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch name {
		case "id":
			b.id = value
		case "event":
			b.event = value
		case "data":
			b.data += value
		case "retry":
			b.retry = value
		case "":
			b.comment = line
		default:
			s.t.Errorf("a field %q", line)
		}
	}
}

// want takes events with these types, from a seq on.
func (s *sse) want(from int, types ...string) {
	s.t.Helper()
	for i, typ := range types {
		b, err := s.next()
		if err != nil {
			s.t.Fatalf("waiting for %s: %v", typ, err)
		}
		if b.id != strconv.Itoa(from+i) || b.event != typ || !strings.Contains(b.data, `"eventType":"`+typ+`"`) || !strings.Contains(b.data, `"seq":`+b.id+`,`) {
			s.t.Fatalf("%+v, want %s at %d", b, typ, from+i)
		}
	}
}

func (s *sse) wantEnd() {
	s.t.Helper()
	if b, err := s.next(); err != io.EOF {
		s.t.Fatalf("%+v %v, want the end", b, err)
	}
}

func TestStream(t *testing.T) {
	n, c := start(t), newCast(t)
	n.restaurant(c, "res_1", nil)
	whole := []string{
		"order.placed", "payment.succeeded", "order.confirmed", "order.preparing", "courier.assigned", "order.picked_up", "order.completed",
	}
	if list := n.get(n.order(c, "onway", nil)+"/events", c.ops).want(200); list.get("items.0.eventType") != nil { // as the store tells it
		whole = nil
		for i := 0; list.get("items."+strconv.Itoa(i)) != nil; i++ {
			whole = append(whole, list.text("items."+strconv.Itoa(i)+".eventType"))
		}
	}

	n.sub("TheWholeHistoryThenWhatHappensThenTheEnd", func(n *node) {
		path := n.order(c, "onway", nil)
		s := n.stream(path+"/events?after=0", c.customer, "")
		s.want(1, whole...)
		n.post(path+"/deliver", c.courier, nil).want(200)
		b, err := s.next()
		if err != nil || b.event != "order.completed" || b.id != strconv.Itoa(len(whole)+1) {
			n.t.Fatalf("%+v %v", b, err)
		}
		s.wantEnd()
		eventually(n.t, "the session's end", func() bool { return n.hub.Sessions() == 0 })

		again := n.stream(path+"/events", c.customer, strconv.Itoa(len(whole)-1)) // over, and something was missed
		again.want(len(whole), whole[len(whole)-1], "order.completed")
		again.wantEnd()
		r := n.get(path+"/events", c.customer, "Accept", "text/event-stream", "Last-Event-ID", b.id).want(204)
		if len(r.Raw) > 0 {
			n.t.Errorf("%s", r.Raw)
		}
		n.get(path+"/events?after="+b.id, c.customer, "Accept", "text/event-stream").want(204)
		n.get(path+"/events?after=999", c.customer, "Accept", "text/event-stream").want(204)
	})
	n.sub("AResumeBeginsBehindTheLastEventSeen", func(n *node) {
		path := n.order(c, "confirmed", nil)
		s := n.stream(path+"/events?after=1", c.merchant, "2") // Last-Event-ID is the stronger
		s.want(3, whole[2])
		n.post(path+"/prepare", c.merchant, nil)
		n.post(path+"/ready", c.merchant, nil).want(200)
		for {
			b, err := s.next()
			if err != nil {
				n.t.Fatal(err)
			}
			if b.event == "order.ready" {
				break
			}
		}
	})
	n.sub("AnAfterInTheFutureWaitsForWhatComes", func(n *node) {
		path := n.order(c, "paid", nil)
		s := n.stream(path+"/events", c.customer, "1000")
		eventually(n.t, "the watch", func() bool { return n.hub.Topics() > 0 })
		n.post(path+"/confirm", c.merchant, map[string]any{"prepMinutes": 5}).want(200)
		if b, err := s.next(); err != nil || b.id != "3" {
			n.t.Errorf("%+v %v", b, err)
		}
		s.stop()
	})
	n.sub("BadOnes", func(n *node) {
		path := n.order(c, "paid", nil)
		for _, last := range []string{"x", "-1", "1.5", "99999999999999999999"} {
			n.get(path+"/events", c.customer, "Accept", "text/event-stream", "Last-Event-ID", last).want(400)
		}
		n.get(path+"/events", c.stranger, "Accept", "text/event-stream").want(404)
		n.get(path+"/events", "", "Accept", "text/event-stream").want(401)
		n.get(path+"/events", c.payment, "Accept", "text/event-stream").want(403)
	})
	n.sub("OthersGetTheList", func(n *node) {
		path := n.order(c, "paid", nil)
		for _, accept := range []string{"", "*/*", "text/*", "application/json", "text/html"} {
			r := n.get(path+"/events", c.customer, "Accept", accept).want(200)
			if r.Header.Get("Content-Type") != "application/json" || r.get("items.1.seq") == nil {
				n.t.Errorf("%q: %s", accept, r.Raw)
			}
		}
		for _, accept := range []string{"application/json;q=0.5, text/event-stream", "TEXT/Event-Stream;q=0.9"} {
			req, _ := http.NewRequest(http.MethodGet, n.srv.URL+path+"/events", nil)
			req.Header.Set("Authorization", "Bearer "+c.customer)
			req.Header.Set("Accept", accept)
			res, err := n.srv.Client().Do(req)
			if err != nil {
				n.t.Fatal(err)
			}
			_ = res.Body.Close()
			if res.Header.Get("Content-Type") != "text/event-stream" {
				n.t.Errorf("%q: %v", accept, res.Header)
			}
		}
	})
	n.sub("WhoLeavesFreesTheSession", func(n *node) {
		path := n.order(c, "paid", nil)
		eventually(n.t, "quiet", func() bool { return n.hub.Sessions() == 0 })
		s := n.stream(path+"/events", c.customer, "0")
		if n.hub.Sessions() != 1 {
			n.t.Errorf("%d sessions", n.hub.Sessions())
		}
		s.stop()
		eventually(n.t, "the session's end", func() bool { return n.hub.Sessions() == 0 && n.hub.Topics() == 0 })
	})
	n.sub("AReplacedCourierIsToldAndSentAway", func(n *node) {
		path := n.order(c, "assigned", nil)
		s := n.stream(path+"/events", c.courier, "0")
		for b, err := s.next(); b.event != "courier.assigned"; b, err = s.next() {
			if err != nil {
				n.t.Fatal(err)
			}
		}
		n.put(path+"/courier", c.ops, map[string]any{"courierId": "cou_2"}).want(200)
		if b, err := s.next(); err != nil || b.event != "gone" || b.id != "" || b.data != "{}" {
			n.t.Fatalf("%+v %v", b, err)
		}
		s.wantEnd()
		n.get(path+"/events", c.courier, "Accept", "text/event-stream").want(404)
	})
	n.sub("OverHTTP2ManyOnOneConnection", func(n *node) {
		path := n.order(c, "paid", nil)
		secure, trust := n.serveTLS()
		for name, v := range map[string]struct {
			client *http.Client
			url    string
		}{
			"h2":  {over(n.t, trust.Clone(), func(p *http.Protocols) { p.SetHTTP2(true) }), secure},
			"h2c": {over(n.t, nil, func(p *http.Protocols) { p.SetUnencryptedHTTP2(true) }), n.srv.URL},
			"tls": {over(n.t, trust.Clone(), func(p *http.Protocols) { p.SetHTTP1(true) }), secure},
		} {
			var all []*sse
			for range 20 {
				s := n.streamOver(v.client, v.url+path+"/events", c.ops, "0")
				if h2 := name != "tls"; h2 != (s.res.ProtoMajor == 2) {
					n.t.Fatalf("%s spoke %s", name, s.res.Proto)
				}
				s.want(1, whole[:2]...)
				all = append(all, s)
			}
			for _, s := range all {
				s.stop()
			}
		}
		eventually(n.t, "the sessions' end", func() bool { return n.hub.Sessions() == 0 })
	})
	n.sub("ARevocationEndsIt", func(n *node) {
		path := n.order(c, "paid", nil)
		s := n.stream(path+"/events", c.customer, "2")
		n.post("/v1/revocations", c.ops, map[string]any{"sub": "cus_1"}).want(200)
		s.wantEnd()
	})
}

func TestStreamHeartbeat(t *testing.T) {
	t.Parallel()
	c := newCast(t)
	n := startHub(t, func(h *hub.Config) { h.Heartbeat = time.Second })
	n.restaurant(c, "res_1", nil)
	path := n.order(c, "paid", nil)
	s := n.stream(path+"/events", c.customer, "2")
	for range 3 { // and it is never silent, since a stream says nothing
		if b, err := s.next(); err != nil || b != (block{comment: ":"}) {
			t.Fatalf("%+v %v", b, err)
		}
	}
	short := n.stream(path+"/events", tokenFor(t, orders.RoleCustomer, "cus_1", 2*time.Second), "2")
	for {
		b, err := short.next()
		if err == io.EOF {
			break
		}
		if err != nil || b.comment == "" {
			t.Fatalf("%+v %v", b, err)
		}
	}
}

func TestStreamDrain(t *testing.T) {
	t.Parallel()
	c := newCast(t)
	n := start(t)
	n.restaurant(c, "res_1", nil)
	path := n.order(c, "paid", nil)
	s, ws := n.stream(path+"/events", c.customer, "2"), n.dial(c.customer)
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		n.hub.Drain(context.Background(), 2*time.Second, 0)
	}()
	b, err := s.next()
	if ms, bad := strconv.Atoi(b.retry); err != nil || bad != nil || ms < 0 || ms >= 3000 || b.event+b.data+b.id != "" {
		t.Errorf("%+v %v", b, err)
	}
	s.wantEnd()
	ws.want(wire.OpGoaway)
	ws.wantClosed(1012)
	<-drained
}
