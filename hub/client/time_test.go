package client_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"

	"doorbell/hub/client"
	"doorbell/hub/wire"
	"doorbell/orders"
)

func TestBackoff(t *testing.T) {
	t.Run("doubles its cap, is random below it, and begins anew after a healthy while", func(t *testing.T) {
		inBubble(t, func(t *testing.T, s *script) {
			var up atomic.Bool
			s.refuse = func(w http.ResponseWriter) bool {
				if !up.Load() {
					w.WriteHeader(http.StatusBadGateway)
				}
				return !up.Load()
			}
			var pauses []time.Duration
			w := s.watch(nil)
			for range 400 {
				pauses = append(pauses, next[client.Disconnected](w).RetryIn)
			}
			limit := 250 * time.Millisecond
			for i, p := range pauses {
				if p < 0 || p > limit {
					t.Errorf("pause %d is %s, its cap %s", i, p, limit)
				}
				limit = min(2*limit, 15*time.Second)
			}
			var quarters [4]int
			for _, p := range pauses[6:] {
				quarters[min(3, p*4/(15*time.Second))]++
			}
			for i, n := range quarters {
				if n < 50 {
					t.Errorf("quarter %d of the cap has %d of 394 pauses: not full jitter", i, n)
				}
			}
			up.Store(true)
			c := s.accept()
			next[client.Connected](w)
			go func() { _, _ = c.tryHear() }() // answers to pings and closes
			time.Sleep(16 * time.Second)
			_ = c.Close(1012, "this node lets go, reconnect")
			if m := next[client.Disconnected](w); m.RetryIn > 250*time.Millisecond {
				t.Errorf("after a healthy while: %s", m.RetryIn)
			}
			_ = s.accept().CloseNow()
			for range 20 { // short-lived sockets do not count as healthy
				next[client.Disconnected](w)
				_ = s.accept().CloseNow()
			}
			sum := time.Duration(0)
			for range 20 {
				sum += next[client.Disconnected](w).RetryIn
				_ = s.accept().CloseNow()
			}
			if sum < 60*time.Second {
				t.Errorf("20 pauses of broken sockets are %s in all", sum)
			}
		})
	})
	t.Run("obeys Retry-After", func(t *testing.T) {
		for _, code := range []int{429, 503} {
			inBubble(t, func(t *testing.T, s *script) {
				refused := 0
				s.refuse = func(w http.ResponseWriter) bool {
					if refused++; refused > 1 {
						return false
					}
					w.Header().Set("Retry-After", "7")
					w.WriteHeader(code)
					_, _ = w.Write([]byte(`{"detail":"at most 20 sockets of one person"}`))
					return true
				}
				w := s.watch(nil)
				m := next[client.Disconnected](w)
				if m.RetryIn < 7*time.Second || m.RetryIn > 7250*time.Millisecond {
					t.Errorf("%d: back in %s", code, m.RetryIn)
				}
				if !strings.Contains(m.Err.Error(), "at most 20 sockets") {
					t.Errorf("%d: %v", code, m.Err)
				}
				c := s.accept()
				next[client.Connected](w)
				_ = c.CloseNow()
			})
		}
	})
}

func TestCloseCodes(t *testing.T) {
	for _, p := range []struct {
		code      int
		kind      orders.Kind
		permanent bool
		least     time.Duration // of many pauses, the longest is at least this
		most      time.Duration
	}{
		{1000, orders.Unavailable, false, 100 * time.Millisecond, 250 * time.Millisecond},
		{1009, orders.TooLarge, true, 0, 0},
		{1011, orders.Internal, false, 100 * time.Millisecond, 250 * time.Millisecond},
		{1012, orders.Unavailable, false, 100 * time.Millisecond, 250 * time.Millisecond},
		{1013, orders.Unavailable, false, 500 * time.Millisecond, time.Second},
		{4400, orders.Invalid, true, 0, 0},
		{4401, orders.Unauthenticated, false, 0, 0},
		{4403, orders.Forbidden, true, 0, 0},
		{4404, orders.NotFound, true, 0, 0},
		{4429, orders.Exhausted, false, 500 * time.Millisecond, time.Second},
		{4999, orders.Unavailable, false, 100 * time.Millisecond, 250 * time.Millisecond},
	} {
		t.Run(strconv.Itoa(p.code), func(t *testing.T) {
			var longest time.Duration
			for range 20 {
				inBubble(t, func(t *testing.T, s *script) {
					w := s.watch(nil)
					c := s.accept()
					next[client.Connected](w)
					_ = c.Close(websocket.StatusCode(p.code), "because")
					if p.permanent {
						err := w.ended()
						if orders.KindOf(err) != p.kind || !strings.Contains(err.Error(), "because") {
							t.Errorf("%v, want %s", err, p.kind)
						}
						return
					}
					m := next[client.Disconnected](w)
					if orders.KindOf(m.Err) != p.kind || m.RetryIn > p.most {
						t.Errorf("%+v, want %s within %s", m, p.kind, p.most)
					}
					longest = max(longest, m.RetryIn)
					_ = s.accept().CloseNow()
				})
				if p.permanent {
					return
				}
			}
			if longest < p.least {
				t.Errorf("20 pauses, none above %s", longest)
			}
		})
	}
	t.Run("4401 asks for a new token at once, once", func(t *testing.T) {
		inBubble(t, func(t *testing.T, s *script) {
			n := 0
			w := s.watch(func(cfg *client.Config) {
				cfg.Token = func(context.Context) (string, error) { n++; return fmt.Sprint("token ", n), nil }
			})
			_ = s.accept().Close(4401, "the token has run out")
			if m := next[client.Disconnected](w); m.RetryIn != 0 {
				t.Errorf("%+v", m)
			}
			_ = s.accept().Close(4401, "the token has run out")
			if m := next[client.Disconnected](w); m.RetryIn == 0 {
				t.Errorf("%+v", m)
			}
			_ = s.accept().CloseNow()
			if len(s.tokens) != 3 || s.tokens[2] != "token 3" {
				t.Errorf("%q", s.tokens)
			}
		})
	})
}

func TestToken(t *testing.T) {
	t.Run("is renewed a minute before its end, again and again", func(t *testing.T) {
		inBubble(t, func(t *testing.T, s *script) {
			var asked []time.Duration
			start := time.Now()
			s.watch(func(cfg *client.Config) {
				cfg.Token = func(context.Context) (string, error) {
					asked = append(asked, time.Since(start))
					return jwt(time.Now().Add(10 * time.Minute)), nil
				}
			})
			c := s.accept()
			for range 3 {
				for {
					if r := c.hear(); r.Op == wire.OpToken {
						c.ok(r)
						break
					}
					c.say(`{"op":"pong"}`)
				}
			}
			for i, want := range []time.Duration{0, 9 * time.Minute, 18 * time.Minute, 27 * time.Minute} {
				if i >= len(asked) || (asked[i]-want).Abs() > 5*time.Second {
					t.Fatalf("asked at %v", asked)
				}
			}
			_ = c.CloseNow()
		})
	})
	t.Run("is asked for again when it was refused, could not be had, or is the same", func(t *testing.T) {
		inBubble(t, func(t *testing.T, s *script) {
			n := 0
			end := time.Now().Add(10 * time.Minute)
			s.watch(func(cfg *client.Config) {
				cfg.Token = func(context.Context) (string, error) {
					switch n++; n {
					case 1, 3:
						return jwt(end), nil
					case 2:
						return "", errors.New("the issuer is away")
					}
					return jwt(end.Add(10 * time.Minute)), nil
				}
			})
			c := s.accept()
			tokens := 0
			for tokens < 2 {
				switch r := c.hear(); r.Op {
				case wire.OpPing:
					c.say(`{"op":"pong"}`)
				case wire.OpToken:
					if tokens++; tokens == 1 {
						c.say(fmt.Sprintf(`{"op":"error","id":%d,"kind":"unauthenticated","detail":"no"}`, *r.ID))
					}
				}
			}
			if time.Until(end) < 0 {
				t.Errorf("%s too late", -time.Until(end))
			}
			if n != 5 {
				t.Errorf("asked %d times", n)
			}
			_ = c.CloseNow()
		})
	})
	t.Run("is left alone when it is opaque", func(t *testing.T) {
		inBubble(t, func(t *testing.T, s *script) {
			n := 0
			s.watch(func(cfg *client.Config) {
				cfg.Token = func(context.Context) (string, error) { n++; return "trk_secret", nil }
			})
			c := s.accept()
			for range 100 {
				c.hearOp(wire.OpPing)
				c.say(`{"op":"pong"}`)
			}
			if n != 1 {
				t.Errorf("asked %d times", n)
			}
			_ = c.CloseNow()
		})
	})
	t.Run("that cannot be had is a failed attempt", func(t *testing.T) {
		inBubble(t, func(t *testing.T, s *script) {
			away := errors.New("the issuer is away")
			w := s.watch(func(cfg *client.Config) {
				cfg.Token = func(context.Context) (string, error) { return "", away }
			})
			if m := next[client.Disconnected](w); !errors.Is(m.Err, away) {
				t.Errorf("%+v", m)
			}
		})
	})
}

func TestSilence(t *testing.T) {
	t.Run("is asked about, and ends the socket", func(t *testing.T) {
		inBubble(t, func(t *testing.T, s *script) {
			w := s.watch(nil)
			c := s.accept()
			c.hearOp(wire.OpPing)
			if d := time.Since(c.since); d < 25*time.Second || d > 35*time.Second {
				t.Errorf("asked after %s", d)
			}
			c.say(`{"op":"pong"}`)
			c.hearOp(wire.OpPing)
			if d := time.Since(c.since); d < 50*time.Second || d > 70*time.Second {
				t.Errorf("asked again after %s", d)
			}
			if m := next[client.Disconnected](w); !strings.Contains(m.Err.Error(), "no sign of life") {
				t.Errorf("%+v", m)
			}
			if d := time.Since(c.since); d > 80*time.Second {
				t.Errorf("given up after %s", d)
			}
			_ = c.CloseNow()
			_ = s.accept().CloseNow()
		})
	})
	t.Run("is not there while the hub pings", func(t *testing.T) {
		inBubble(t, func(t *testing.T, s *script) {
			s.watch(nil)
			c := s.accept()
			heard := make(chan error, 1)
			go func() {
				_, err := c.tryHear()
				heard <- err
			}()
			for range 20 {
				time.Sleep(25 * time.Second)
				if err := c.Ping(context.Background()); err != nil {
					t.Fatal(err)
				}
			}
			_ = c.CloseNow()
			if err := <-heard; err == nil {
				t.Error("the client asked for a sign of life")
			}
		})
	})
	t.Run("of a hub that never says hello", func(t *testing.T) {
		inBubble(t, func(t *testing.T, s *script) {
			w := s.watch(nil)
			c := <-s.dials
			if m := next[client.Disconnected](w); !strings.Contains(m.Err.Error(), "hello") || time.Since(c.since) > 11*time.Second {
				t.Errorf("%+v", m)
			}
			_ = c.CloseNow()
			_ = s.accept().CloseNow()
		})
	})
}

func TestGoaway(t *testing.T) {
	t.Run("opens the new socket at the moment named, leaves the old one when all is answered", func(t *testing.T) {
		inBubble(t, func(t *testing.T, s *script) {
			w := s.watch(nil, "order/a", "order/b", "restaurant/r")
			old := s.accept()
			if r := old.hearOp(wire.OpWatch); len(r.Watch) != 3 {
				t.Fatalf("%+v", r)
			}
			old.say(snapshotLine("order/a", 5), snapshotLine("order/b", 1), `{"op":"snapshot","topic":"restaurant/r","orders":[{"orderId":"a","seq":5}]}`)
			old.say(`{"op":"goaway","reconnectInMs":1830}`)
			told := time.Now()
			fresh := s.accept()
			if d := time.Since(told); d < 1830*time.Millisecond || d > 1900*time.Millisecond {
				t.Errorf("came after %s", d)
			}
			r := fresh.hearOp(wire.OpWatch)
			if fmt.Sprint(r.Watch) != "[{order/a 5} {order/b 1} {restaurant/r 0}]" {
				t.Errorf("asked for %+v", r.Watch)
			}
			// Both speak: the new one lags, then the old one does.
			old.sayEvent("order/a", 6)
			fresh.say(`{"op":"current","topic":"order/a","seq":5}`)
			old.sayEvent("order/a", 7)
			fresh.sayEvent("order/a", 6)
			fresh.sayEvent("order/a", 7)
			fresh.sayEvent("order/a", 8)
			old.sayEvent("order/a", 8)
			fresh.say(`{"op":"current","topic":"order/b","seq":1}`)
			old.say(`{"op":"event","topic":"order/a","board":"restaurant/r","seq":6,"event":{}}`) // is on the page to come
			synctest.Wait()
			if at := w.at("order/a"); at != 8 || w.on("restaurant/r", "a") != 5 || count[client.Connected](w) != 1 {
				t.Errorf("at %d, on the board %d", at, w.on("restaurant/r", "a"))
			}
			fresh.say(`{"op":"snapshot","topic":"restaurant/r","orders":[{"orderId":"a","seq":8}]}`)
			if _, err := old.tryHear(); websocket.CloseStatus(err) != websocket.StatusNormalClosure {
				t.Errorf("the old socket: %v", err)
			}
			fresh.sayEvent("order/a", 9)
			synctest.Wait()
			if w.at("order/a") != 9 || w.on("restaurant/r", "a") != 8 || count[client.Disconnected](w) != 0 || count[client.Connected](w) != 2 {
				t.Errorf("%+v", w.all)
			}
			_ = fresh.CloseNow()
		})
	})
	t.Run("keeps the old socket while the new one fails", func(t *testing.T) {
		inBubble(t, func(t *testing.T, s *script) {
			w := s.watch(nil, "order/a", "restaurant/r")
			old := s.accept()
			old.hearOp(wire.OpWatch)
			old.say(snapshotLine("order/a", 5), `{"op":"snapshot","topic":"restaurant/r","orders":[{"orderId":"a","seq":5}]}`)
			refused := 0
			s.refuse = func(w http.ResponseWriter) bool {
				if refused++; refused < 4 {
					w.WriteHeader(http.StatusForbidden) // would end a client without a socket
				}
				return refused < 4
			}
			old.say(`{"op":"goaway","reconnectInMs":10}`)
			silent := s.accept()
			silent.hearOp(wire.OpWatch)
			old.sayEvent("order/a", 6)
			synctest.Wait()
			if refused != 4 || w.at("order/a") != 6 || count[client.Disconnected](w) != 0 {
				t.Errorf("refused %d times, at %d", refused, w.at("order/a"))
			}
			// The silent one is given up, and the old one asked for the board that had been handed over.
			r := old.hearOp(wire.OpUnwatch)
			if fmt.Sprint(r.Topics) != "[restaurant/r]" || time.Since(silent.since) < 10*time.Second {
				t.Errorf("%+v after %s", r, time.Since(silent.since))
			}
			old.say(`{"op":"event","topic":"order/a","board":"restaurant/r","seq":6,"event":{}}`) // of the old watch
			old.ok(r)
			r = old.hearOp(wire.OpWatch)
			old.say(`{"op":"snapshot","topic":"restaurant/r","orders":[{"orderId":"a","seq":6}]}`, eventLine("order/a", 7))
			old.ok(r)
			fresh := s.accept()
			fresh.hearOp(wire.OpWatch)
			synctest.Wait()
			_ = old.CloseNow() // before the new one has answered: it is the only one now
			fresh.say(eventLine("order/a", 8), `{"op":"snapshot","topic":"restaurant/r","orders":[{"orderId":"a","seq":8}]}`)
			synctest.Wait()
			if w.at("order/a") != 8 || w.on("restaurant/r", "a") != 8 || count[client.Disconnected](w) != 0 {
				t.Errorf("%+v", w.all)
			}
			_, _ = silent.CloseNow(), fresh.CloseNow()
		})
	})
	t.Run("from each socket in a row is followed, but not at once", func(t *testing.T) {
		inBubble(t, func(t *testing.T, s *script) {
			w := s.watch(nil)
			start := time.Now()
			var open []*scripted
			for range 30 {
				c := s.accept()
				c.say(`{"op":"goaway","reconnectInMs":0}`)
				go func() { _, _ = c.tryHear() }()
				open = append(open, c)
			}
			if d := time.Since(start); d < 10*time.Second || count[client.Disconnected](w) > 0 {
				t.Errorf("30 sockets within %s", d)
			}
			for _, c := range open {
				_ = c.CloseNow()
			}
		})
	})
}

func TestHeard(t *testing.T) {
	begin := func(t *testing.T, s *script) (*watcher, *scripted) {
		w := s.watch(nil, "order/a")
		c := s.accept()
		c.hearOp(wire.OpWatch)
		c.say(snapshotLine("order/a", 5))
		return w, c
	}
	t.Run("repeats are dropped, gaps are asked for again", func(t *testing.T) {
		inBubble(t, func(t *testing.T, s *script) {
			w, c := begin(t, s)
			c.say(eventLine("order/a", 5), eventLine("order/a", 6), eventLine("order/a", 4), snapshotLine("order/a", 6), eventLine("order/a", 9))
			r := c.hearOp(wire.OpUnwatch)
			if x := c.hearOp(wire.OpWatch); x.Watch[0].After != 6 {
				t.Errorf("%+v", x)
			}
			c.say(eventLine("order/a", 10), snapshotLine("order/a", 2)) // still of the old watch
			c.ok(r)
			c.say(eventLine("order/a", 7), eventLine("order/a", 8))
			synctest.Wait()
			if w.at("order/a") != 8 {
				t.Errorf("at %d", w.at("order/a"))
			}
			_ = c.CloseNow()
		})
	})
	t.Run("a socket that goes on leaving things out is given up", func(t *testing.T) {
		inBubble(t, func(t *testing.T, s *script) {
			w, c := begin(t, s)
			for range 3 {
				c.sayEvent("order/a", 20)
				c.ok(c.hearOp(wire.OpUnwatch))
				c.hearOp(wire.OpWatch)
			}
			c.sayEvent("order/a", 20)
			if m := next[client.Disconnected](w); !strings.Contains(m.Err.Error(), "order/a") {
				t.Errorf("%+v", m)
			}
			_ = c.CloseNow()
			c = s.accept()
			if x := c.hearOp(wire.OpWatch); x.Watch[0].After != 5 {
				t.Errorf("%+v", x)
			}
			_ = c.CloseNow()
		})
	})
	t.Run("a restored database steps back by one snapshot", func(t *testing.T) {
		inBubble(t, func(t *testing.T, s *script) {
			w, c := begin(t, s)
			_ = c.CloseNow()
			c = s.accept()
			if x := c.hearOp(wire.OpWatch); x.Watch[0].After != 5 {
				t.Errorf("%+v", x)
			}
			w.mu.Lock()
			w.seq["order/a"] = 0 // the checker of P2 would mind
			w.mu.Unlock()
			c.say(snapshotLine("order/a", 3), eventLine("order/a", 4))
			synctest.Wait()
			if w.at("order/a") != 4 {
				t.Errorf("at %d", w.at("order/a"))
			}
			_ = c.CloseNow()
		})
	})
	t.Run("restored while moving, the old socket is not believed any more", func(t *testing.T) {
		inBubble(t, func(t *testing.T, s *script) {
			w := s.watch(nil, "order/a", "order/b")
			old := s.accept()
			old.hearOp(wire.OpWatch)
			old.say(snapshotLine("order/a", 5), snapshotLine("order/b", 1), `{"op":"goaway","reconnectInMs":10}`)
			fresh := s.accept()
			fresh.hearOp(wire.OpWatch)
			w.mu.Lock()
			w.seq["order/a"] = 0 // the checker of P2 would mind
			w.mu.Unlock()
			fresh.say(snapshotLine("order/a", 3))
			synctest.Wait()
			old.sayEvent("order/a", 6)
			old.sayEvent("order/a", 4)
			synctest.Wait()
			fresh.sayEvent("order/a", 4)
			fresh.say(`{"op":"current","topic":"order/b","seq":1}`)
			if _, err := old.tryHear(); websocket.CloseStatus(err) != websocket.StatusNormalClosure {
				t.Errorf("the old socket: %v", err)
			}
			if w.at("order/a") != 4 {
				t.Errorf("at %d", w.at("order/a"))
			}
			_ = fresh.CloseNow()
		})
	})
	t.Run("a topic that cannot be looked up is asked for again", func(t *testing.T) {
		inBubble(t, func(t *testing.T, s *script) {
			w := s.watch(nil, "order/a")
			c := s.accept()
			r := c.hearOp(wire.OpWatch)
			c.say(fmt.Sprintf(`{"op":"error","id":%d,"topic":"order/a","kind":"unavailable","detail":"try again"}`, *r.ID))
			if m := next[client.Problem](w); m.Kind != orders.Unavailable {
				t.Errorf("%+v", m)
			}
			c.hearOp(wire.OpWatch)
			if d := time.Since(c.since); d < time.Second || d > 2*time.Second {
				t.Errorf("after %s", d)
			}
			_ = c.CloseNow()
		})
	})
	t.Run("positions and estimates come through, unknown words do not matter", func(t *testing.T) {
		inBubble(t, func(t *testing.T, s *script) {
			w, c := begin(t, s)
			c.say(`{"op":"location","topic":"order/a","location":{"at":"2026-08-01T12:00:00.000Z","lat":31.5,"lon":121.5,"speed":4}}`,
				`{"op":"eta","topic":"order/a","eta":{"etaAt":"2026-08-01T12:20:00.000Z"}}`, `{"op":"weather","rain":true}`, `{"op":"degraded","detail":"the bus is away"}`)
			if m := next[client.Location](w); m.Lat != 31.5 || m.Lon != 121.5 || m.At.IsZero() || m.OrderID != "a" {
				t.Errorf("%+v", m)
			}
			if m := next[client.ETA](w); m.At.IsZero() || !m.Latest.IsZero() {
				t.Errorf("%+v", m)
			}
			if m := next[client.Degraded](w); m.Detail != "the bus is away" {
				t.Errorf("%+v", m)
			}
			_ = c.CloseNow()
		})
	})
	t.Run("what is no JSON ends the socket", func(t *testing.T) {
		inBubble(t, func(t *testing.T, s *script) {
			w, c := begin(t, s)
			c.say(`<html>`)
			next[client.Disconnected](w)
			_ = c.CloseNow()
			_ = s.accept().CloseNow()
		})
	})
	t.Run("nothing of a topic follows its Unwatch", func(t *testing.T) {
		inBubble(t, func(t *testing.T, s *script) {
			var c *client.Client
			events := 0
			c = client.New(client.Config{
				URL: "http://bell.example", Token: fixed("opaque"), HTTPClient: &http.Client{Transport: s},
				Handle: func(m client.Message) {
					if _, ok := m.(client.Event); ok {
						events++
						c.Unwatch("order/a")
					}
				},
			})
			c.Watch("order/a", 5)
			ctx, cancel := context.WithCancel(context.Background())
			done := make(chan error)
			go func() { done <- c.Run(ctx) }()
			hub := s.accept()
			hub.hearOp(wire.OpWatch)
			hub.say(eventLine("order/a", 6), eventLine("order/a", 7))
			hub.hearOp(wire.OpUnwatch)
			hub.sayEvent("order/a", 8)
			synctest.Wait()
			if events != 1 {
				t.Errorf("%d events", events)
			}
			cancel()
			_, err := hub.tryHear()
			if websocket.CloseStatus(err) != websocket.StatusNormalClosure {
				t.Errorf("closed with %v", err)
			}
			if err := <-done; err != nil {
				t.Error(err)
			}
		})
	})
	t.Run("a hub that does not answer the goodbye is not waited for", func(t *testing.T) {
		inBubble(t, func(t *testing.T, s *script) {
			w, c := begin(t, s)
			w.stop()
			start := time.Now()
			if err := w.ended(); err != nil || time.Since(start) > 2*time.Second {
				t.Errorf("%v after %s", err, time.Since(start))
			}
			_ = c.CloseNow()
		})
	})
}

func TestSaid(t *testing.T) {
	t.Run("200 topics of the longest kind fit in messages of 32 KiB", func(t *testing.T) {
		inBubble(t, func(t *testing.T, s *script) {
			var topics []string
			for i := range 200 {
				topics = append(topics, fmt.Sprintf("restaurant/%064d", i))
			}
			w := s.watch(func(cfg *client.Config) { cfg.Token = fixed(jwt(time.Now().Add(time.Minute))) }, topics...)
			c := s.accept()
			seen := map[string]bool{}
			for len(seen) < 200 {
				r := c.hearOp(wire.OpWatch)
				for _, x := range r.Watch {
					seen[x.Topic] = true
				}
				c.ok(r)
			}
			for _, topic := range topics { // each is left and asked for again
				w.Watch(topic, 0)
			}
			watched, left := 0, 0
			for watched < 200 {
				switch r := c.hear(); r.Op {
				case wire.OpUnwatch:
					left += len(r.Topics)
					c.ok(r)
				case wire.OpWatch:
					if watched += len(r.Watch); watched > left {
						t.Error("asked for again before it was left")
					}
				}
			}
			for _, n := range c.msgs {
				if n > wire.MaxMessage {
					t.Errorf("a message of %d bytes", n)
				}
			}
			_ = c.CloseNow()
		})
	})
	t.Run("an ack waits for the socket that has shown it, and is tried again where the hub was not ready", func(t *testing.T) {
		inBubble(t, func(t *testing.T, s *script) {
			w := s.watch(nil, "order/a")
			w.Ack("a", 6)
			c := s.accept()
			c.hearOp(wire.OpWatch)
			c.say(snapshotLine("order/a", 5))
			synctest.Wait()
			c.sayEvent("order/a", 6)
			r := c.hearOp(wire.OpAck)
			if r.Seq != 6 || r.Topic != "order/a" {
				t.Errorf("%+v", r)
			}
			c.say(fmt.Sprintf(`{"op":"error","id":%d,"topic":"order/a","kind":"unprocessable","detail":"not sent"}`, *r.ID))
			r = c.hearOp(wire.OpAck)
			_ = c.CloseNow() // not answered: said again on the next socket
			c = s.accept()
			c.hearOp(wire.OpWatch)
			c.say(`{"op":"current","topic":"order/a","seq":6}`)
			r = c.hearOp(wire.OpAck)
			c.ok(r)
			synctest.Wait()
			if r.Seq != 6 || count[client.Problem](w) > 0 {
				t.Errorf("%+v", r)
			}
			_ = c.CloseNow()
		})
	})
}
