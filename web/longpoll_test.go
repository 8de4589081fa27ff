package web_test

import (
	"testing"
	"time"
)

// wait is a long-poll: as long as it may, for anything behind this version.
func (n *node) wait(path, token, tag string) <-chan reply {
	answer := make(chan reply, 1)
	go func() { answer <- n.get(path, token, "Prefer", "wait=30", "If-None-Match", tag) }()
	return answer
}

// waiting returns once so many orders are waited for.
func (n *node) waiting(orders int) {
	n.t.Helper()
	n.until("a long-poll waits", func() bool { return n.hub.Waiters().Waiting() == orders })
}

// until returns once it is so, and fails the test when that takes ten seconds.
func (n *node) until(what string, so func() bool) {
	n.t.Helper()
	over := time.After(10 * time.Second)
	for !so() {
		select {
		case <-over:
			n.t.Fatalf("ten seconds, and still not: %s", what)
		case <-time.After(time.Millisecond):
		}
	}
}

// soon takes an answer that must not have waited for its time to run out.
func (n *node) soon(answer <-chan reply) reply {
	n.t.Helper()
	select {
	case r := <-answer:
		return r
	case <-time.After(15 * time.Second):
		n.t.Fatal("the long-poll still waits")
		return reply{}
	}
}

// TestLongPoll has no timer that wakes it: that is in TestTimersRun.
func TestLongPoll(t *testing.T) {
	n, c := start(t), newCast(t)
	n.restaurant(c, "res_1", nil)
	confirm := map[string]any{"prepMinutes": 20}

	n.sub("AChangeWakesEverybodyWhoWaitsForThisOrder", func(n *node) {
		path, other := n.order(c, "paid", nil), n.order(c, "paid", nil)
		link := n.link(path, c.customer)
		first, second, elsewhere := n.wait(path, c.customer, `"2"`), n.wait(path, link, `"1", "2"`), n.wait(other, c.customer, `"2"`)
		n.waiting(2)
		n.act(path+"/confirm", c.merchant, confirm)
		for _, answer := range []<-chan reply{first, second} {
			r := n.soon(answer).want(200).tagged().shows("status", "CONFIRMED", "seq", 3)
			if got := r.Header.Get("Preference-Applied"); got != "wait=30" {
				n.t.Errorf("Preference-Applied %q", got)
			}
		}
		select {
		case r := <-elsewhere:
			n.t.Errorf("the other order's long-poll answered %d", r.Code)
		default:
		}
		n.act(other+"/confirm", c.merchant, confirm)
		n.soon(elsewhere).want(200)
		n.waiting(0)
	})

	n.sub("WithoutAChangeItIs304AfterTheWait", func(n *node) {
		path := n.order(c, "paid", nil)
		began := time.Now()
		r := n.get(path, c.customer, "Prefer", "wait=1", "If-None-Match", `"2"`).want(304)
		if took := time.Since(began); took < time.Second || took > 20*time.Second || r.Header.Get("ETag") != `"2"` {
			n.t.Errorf("after %v with ETag %s", took, r.Header.Get("ETag"))
		}
		n.waiting(0)
	})

	n.sub("WhoIsBehindIsAnsweredAtOnce", func(n *node) {
		path := n.order(c, "paid", nil)
		n.soon(n.wait(path, c.customer, `"1"`)).want(200).shows("seq", 2)
		n.soon(n.wait(path, c.customer, `"99"`)).want(200).shows("seq", 2)
		if r := n.get(path, c.customer, "Prefer", "wait=30").want(200); r.Header.Get("Preference-Applied") != "" {
			n.t.Error("it waited without knowing for what")
		}
		n.soon(n.wait(path, c.stranger, `"2"`)).want(404)
		n.soon(n.wait(path, "", `"2"`)).want(401)
	})

	n.sub("AReplacedCourierIsToldThatItIsGone", func(n *node) {
		path := n.order(c, "assigned", nil)
		answer := n.wait(path, c.courier, `"5"`)
		n.waiting(1)
		n.put(path+"/courier", c.ops, map[string]any{"courierId": "cou_2"}).want(200)
		n.soon(answer).want(404)
	})

	n.sub("ANodeThatStopsAnswersAtOnce", func(n *node) {
		path := n.order(c, "paid", nil)
		answer := n.wait(path, c.customer, `"2"`)
		n.waiting(1)
		n.web.Drain()
		n.soon(answer).want(304)
		n.soon(n.wait(path, c.customer, `"2"`)).want(304)
	})
}

// TestLongPollOutlastsTheReadTimeout: the server's limit on reading a request is no limit on waiting.
func TestLongPollOutlastsTheReadTimeout(t *testing.T) {
	n, c := start(t), newCast(t)
	n.restaurant(c, "res_1", nil)
	path := n.order(c, "paid", nil)
	n.srv.Config.ReadTimeout = 200 * time.Millisecond // for connections to come
	n.srv.CloseClientConnections()
	n.get(path, c.customer, "Prefer", "wait=1", "If-None-Match", `"2"`).want(304)
}
