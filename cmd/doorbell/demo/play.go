package demo

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Run plays the stories, one after the other and again from the start, until ctx or the time is over. It returns an
// error where the server did not do what the story tells.
func Run(ctx context.Context, cfg Config) error {
	if cfg.For > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, cfg.For)
		defer cancel()
	}
	s := &screen{out: cfg.Screen, start: time.Now()}
	c, err := newCast(cfg, s)
	if err != nil {
		return err
	}
	c.invite()
	if err := c.openShops(ctx); err != nil {
		return ended(ctx, err)
	}
	var wg sync.WaitGroup
	defer wg.Wait()
	live, stop := context.WithCancel(ctx)
	defer stop()
	c.connect(live, &wg)
	for {
		for _, tell := range stories {
			if err := tell(ctx, c); err != nil {
				return ended(ctx, err)
			}
		}
		s.say("\nEvery story was told. It begins again; Ctrl-C ends it.")
		if err := pause(ctx, 2*time.Second); err != nil {
			return ended(ctx, err)
		}
	}
}

// ended is nil where the play is over because somebody wished so.
func ended(ctx context.Context, err error) error {
	if ctx.Err() != nil && (errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)) {
		return nil
	}
	return err
}

// invite tells how to join in.
func (c *cast) invite() {
	u := c.cfg.URL
	c.screen.say("Doorbell plays at %s/v1, its documentation is at %s/docs.", u, u)
	c.screen.say("Join in from another terminal:\n")
	for _, p := range []struct {
		name string
		*player
	}{{"CUSTOMER", c.customer}, {"MERCHANT", c.merchant}, {"COURIER", c.courier}, {"PAYMENT", c.payment}, {"OPS", c.ops}} {
		c.screen.say("%s=%s", p.name, p.token)
	}
	c.screen.say("\ncurl -s '%s/v1/orders?limit=3' -H \"Authorization: Bearer $OPS\"", u)
	c.screen.say("ORDER=$(curl -s '%s/v1/orders?limit=1' -H \"Authorization: Bearer $CUSTOMER\" | grep -o 'ord_[0-9a-f-]*' | head -n 1)", u)
	c.screen.say("curl -sN %s/v1/orders/$ORDER/events -H \"Authorization: Bearer $CUSTOMER\" -H 'Accept: text/event-stream'", u)
	c.screen.say("echo '{\"op\":\"watch\",\"id\":1,\"topics\":[{\"topic\":\"restaurant/%s\"}]}' | \\", wok)
	c.screen.say("  websocat -n --protocol doorbell.v1 -H=\"Authorization: Bearer $MERCHANT\" ws%s/v1/live", u[len("http"):])
	c.screen.say("\n> is what a side does, < is what it is told by its socket.")
}

func (c *cast) openShops(ctx context.Context) error {
	for id, name := range map[string]string{wok: "Golden Wok", noodle: "Noodle Bar"} {
		body := fields{"name": name, "lat": wokLat, "lon": wokLon, "prepMinutes": 15, "menu": []fields{
			{"itemId": "rice", "name": "Fried rice", "unitPrice": 1800, "available": true},
			{"itemId": "duck", "name": "Roast duck", "unitPrice": 5200, "available": true},
			{"itemId": "chicken", "name": "Steamed chicken", "unitPrice": 4200, "available": true},
		}}
		if _, err := c.rest.call(ctx, "PUT", "/restaurants/"+id, c.ops.token, body); err != nil {
			return err
		}
	}
	return nil
}

// places has the customer order and watch the order; its merchant sees it once it is paid.
func (c *cast) places(ctx context.Context, restaurant string, items ...fields) (order, error) {
	o, err := c.rest.call(ctx, "POST", "/orders", c.customer.token, fields{
		"restaurantId": restaurant, "paymentMethod": "WECHAT", "items": items,
		"address": fields{"line": "88 Riverside Road", "lat": homeLat, "lon": homeLon, "name": "Li"},
	})
	if err != nil {
		return o, err
	}
	c.screen.does(customerSide, "orders for %s (…%s)", yuan(o.Total), o.OrderID[len(o.OrderID)-4:])
	c.customer.live.Watch("order/"+o.OrderID, 0)
	return o, c.customer.await(ctx, o.OrderID, o.Seq)
}

func yuan(fen int64) string { return fmt.Sprintf("¥%d.%02d", fen/100, fen%100) }

// does has a player act on an order, and waits until the customer has seen what came of it. line says it on screen.
func (c *cast) does(ctx context.Context, p *player, id, method, action string, body any, line string, args ...any) (order, error) {
	if err := pause(ctx, 350*time.Millisecond); err != nil {
		return order{}, err
	}
	c.screen.does(p.side, "%s", c.signed(p, fmt.Sprintf(line, args...)))
	o, err := c.rest.call(ctx, method, "/orders/"+id+"/"+action, p.token, body)
	if err != nil {
		return o, err
	}
	return o, c.customer.await(ctx, id, o.Seq)
}

// post is does with POST.
func (c *cast) post(ctx context.Context, p *player, id, action string, body any, line string, args ...any) error {
	_, err := c.does(ctx, p, id, "POST", action, body, line, args...)
	return err
}

// steps runs one step after the other until one fails.
func steps(list ...func() error) error {
	for _, step := range list {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
