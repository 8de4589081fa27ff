package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// killRounds is how often TestP1 kills the server; more by DOORBELL_TEST_KILLS.
func killRounds(t testing.TB) int {
	t.Helper()
	rounds := 5
	if s := os.Getenv("DOORBELL_TEST_KILLS"); s != "" {
		var err error
		if rounds, err = strconv.Atoi(s); err != nil {
			t.Fatal(err)
		}
	}
	return rounds
}

// book is what the callers of a server were told.
type book struct {
	mu   sync.Mutex
	last map[string]order  // by order id: the order as last answered with 2xx
	keys map[string]string // by Idempotency-Key: the order id, "" where no answer came
}

// heard notes an answer. Of two answers about one order the one with the higher seq counts.
func (b *book) heard(t testing.TB, a answer) {
	if a.code/100 != 2 {
		return
	}
	var o order
	if err := json.Unmarshal(a.raw, &o); err != nil || o.OrderID == "" {
		t.Errorf("a %d that is no order: %s", a.code, a.raw)
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if o.Seq > b.last[o.OrderID].Seq {
		b.last[o.OrderID] = o
	}
}

func (b *book) key(key, id string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.keys[key] = id
}

// life takes orders through their lives until the server is gone. Each order is placed under a key of its own, which
// is also its note; every fourth is never paid.
func (b *book) life(s *server, c cast, worker string) {
	for i := 0; ; i++ {
		key := fmt.Sprint(worker, "-", i)
		b.key(key, "")
		a, err := s.try("POST", "/v1/orders", c.customer, wish(key), "Idempotency-Key", key)
		if err != nil {
			return
		}
		if a.code != 201 {
			s.t.Errorf("placing answered %d: %s", a.code, a.raw)
			return
		}
		b.heard(s.t, a)
		path := a.header.Get("Location")
		b.key(key, strings.TrimPrefix(path, "/v1/orders/"))
		steps := []struct {
			method, path, token string
			body                any
		}{
			{"POST", "/pay", c.payment, js{"amount": 3000, "transactionId": "tx_" + key}},
			{"POST", "/confirm", c.merchant, js{"prepMinutes": 10}},
			{"POST", "/prepare", c.merchant, nil},
			{"PUT", "/courier", c.ops, js{"courierId": "cou_1", "name": "Wang"}},
			{"POST", "/pickup", c.courier, js{}},
			{"POST", "/deliver", c.courier, js{}},
		}
		if i%4 == 3 {
			steps = nil
		}
		for _, step := range steps[:min(len(steps), 1+rand.IntN(6))] {
			a, err := s.try(step.method, path+step.path, step.token, step.body)
			if err != nil {
				return
			}
			b.heard(s.t, a)
		}
	}
}

// check waits until every clock of an unpaid order has run out, and holds the server against what its callers were told.
func (b *book) check(s *server, c cast) {
	s.t.Helper()
	eventually(s.t, func() (bool, string) {
		for _, o := range s.list(c, "&status=PENDING") {
			if o.Payment.Status == "UNPAID" {
				return false, fmt.Sprintf("%s should have been paid by %v", o.OrderID, o.Payment.PayBy)
			}
		}
		return true, ""
	})
	stored := map[string]order{}
	byKey := map[string][]string{}
	for _, o := range s.all(c) {
		stored[o.OrderID] = o
		byKey[o.Items[0].Note] = append(byKey[o.Items[0].Note], o.OrderID)
		events := s.events(c, o)
		told := b.last[o.OrderID]
		if o.Seq < told.Seq {
			s.t.Errorf("%s was answered at seq %d and is back at %d", o.OrderID, told.Seq, o.Seq)
			continue
		}
		for i, e := range told.Timeline {
			if g := events[i]; g.Seq != e.Seq || g.EventType != e.EventType || !g.OccurredAt.Equal(e.At) {
				s.t.Errorf("%s: %v was answered, %v is stored", o.OrderID, e, g)
			}
		}
		cancels := slices.DeleteFunc(events, func(e event) bool { return e.EventType != "order.cancelled" })
		if len(cancels) > 1 {
			s.t.Errorf("%s was cancelled %d times", o.OrderID, len(cancels))
		}
	}
	for id, o := range b.last {
		if _, ok := stored[id]; !ok {
			s.t.Errorf("%s was answered at seq %d and is gone", id, o.Seq)
		}
	}
	for key, id := range b.keys {
		switch got := byKey[key]; {
		case len(got) > 1:
			s.t.Errorf("the key %s made %v", key, got)
		case id != "" && !slices.Equal(got, []string{id}):
			s.t.Errorf("the key %s was answered with %s and made %v", key, id, got)
		}
	}
}

// TestP1_AcknowledgedChangesSurviveKill9: under load the server is killed at a random moment, again and again. What was
// answered with 2xx is there afterwards; what was not is there whole or not at all; clocks that ran out meanwhile fire
// once; a repeated create makes no second order.
func TestP1_AcknowledgedChangesSurviveKill9(t *testing.T) {
	t.Parallel()
	const payBy = 300 * time.Millisecond
	dir := t.TempDir()
	b := &book{last: map[string]order{}, keys: map[string]string{}}
	flags := []string{"--pay-by", payBy.String(), "--unpaid-orders", "0", "--customer-rate", "0", "--courier-requests", "0"}
	rounds := killRounds(t)
	for round := range rounds {
		s := serve(t, dir, flags...)
		c := s.cast()
		s.open(c)
		var workers sync.WaitGroup
		crowd := 8
		if raced {
			crowd = 4
		}
		for w := range crowd {
			workers.Go(func() { b.life(s, c, fmt.Sprint("r", round, "w", w)) })
		}
		pause := time.Duration(50+rand.IntN(350)) * time.Millisecond
		time.Sleep(pause) // the random moment
		s.kill()
		workers.Wait()
		dead := time.Now()
		answered := len(b.last)

		time.Sleep(time.Until(dead.Add(payBy))) // every clock of an unpaid order runs out while nobody is there
		s = serve(t, dir, flags...)
		b.check(s, c)
		again := 0
		for key, id := range b.keys {
			if id != "" && again > 20 { // some that were answered, all that were not
				continue
			}
			a := s.do(201, "POST", "/v1/orders", c.customer, wish(key), "Idempotency-Key", key)
			if got := a.order(t).OrderID; id != "" && (got != id || a.header.Get("Idempotency-Replayed") != "true") {
				t.Errorf("the key %s made %s, and now %s", key, id, got)
			} else if id == "" {
				b.heard(s.t, a)
			}
			b.keys[key] = a.order(t).OrderID
			again++
		}
		s.kill() // once more, at once: what was just answered must stay, too
		t.Logf("round %d: killed after %v with %d orders answered so far", round+1, pause, answered)
		if t.Failed() {
			return
		}
	}
	s := serve(t, dir, flags...)
	c := s.cast()
	b.check(s, c)
	s.stop()
	if len(b.last) < rounds {
		t.Errorf("only %d orders in %d rounds: there was no load", len(b.last), rounds)
	}
}

// TestKillWhileOpening: a server killed while it opens its data folder leaves one that opens.
func TestKillWhileOpening(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for i := range 6 {
		s := start(t, dir)
		time.Sleep(time.Duration(rand.IntN(30*(1+i))) * time.Millisecond) // the random moment
		s.kill()
	}
	s := serve(t, dir)
	c := s.cast()
	s.open(c)
	s.place(c, "x")
	s.stop()
}
