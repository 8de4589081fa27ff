package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"doorbell/hub/client"
	"doorbell/orders"
)

// Config is where to play, and for whom to show it.
type Config struct {
	URL    string                                                                    // of the server, http://host:port
	Mint   func(role orders.Role, sub string, restaurants ...string) (string, error) // tokens of this installation
	For    time.Duration                                                             // how long; 0 = until ctx ends
	Screen io.Writer                                                                 // where the story is written
	Log    zerolog.Logger
	// Clocks of the server, which the players wait for.
	PayBy, CancelAnswerBy, ContactWait time.Duration
}

// player is one person or system with a token and, mostly, a live socket.
type player struct {
	side  side
	name  string
	sub   string
	role  orders.Role
	token string
	live  *client.Client

	mu   sync.Mutex // guards the following
	last map[string]orderSeen
	news chan struct{} // closed and replaced at each message
}

type orderSeen struct {
	seq    int64
	typ    orders.EventType
	status orders.Status
}

// cast is everybody in the play.
type cast struct {
	cfg    Config
	screen *screen
	rest   rest

	customer, merchant, noodles, courier, second, payment, ops *player
}

// restaurants of the play.
const (
	wok     = "res_wok"
	noodle  = "res_noodle"
	wokLat  = 31.2304
	wokLon  = 121.4737
	homeLat = 31.2397
	homeLon = 121.4998
)

func newCast(cfg Config, s *screen) (*cast, error) {
	c := &cast{cfg: cfg, screen: s, rest: rest{base: cfg.URL + "/v1", http: &http.Client{Timeout: 10 * time.Second}}}
	for _, p := range []struct {
		into        **player
		side        side
		name, sub   string
		role        orders.Role
		restaurants []string
	}{
		{&c.customer, customerSide, "Li", "cus_li", orders.RoleCustomer, nil},
		{&c.merchant, merchantSide, "Golden Wok", "mer_wok", orders.RoleMerchant, []string{wok}},
		{&c.noodles, merchantSide, "Noodle Bar", "mer_noodle", orders.RoleMerchant, []string{noodle}},
		{&c.courier, courierSide, "Wang", "cou_wang", orders.RoleCourier, nil},
		{&c.second, courierSide, "Zhao", "cou_zhao", orders.RoleCourier, nil},
		{&c.payment, officeSide, "payment", "pay_demo", orders.RolePayment, nil},
		{&c.ops, officeSide, "dispatch", "ops_demo", orders.RoleOps, nil},
	} {
		token, err := cfg.Mint(p.role, p.sub, p.restaurants...)
		if err != nil {
			return nil, err
		}
		*p.into = &player{
			side: p.side, name: p.name, sub: p.sub, role: p.role, token: token,
			last: map[string]orderSeen{}, news: make(chan struct{}),
		}
	}
	return c, nil
}

// watchers are the players with a socket, and the boards they watch from the start.
func (c *cast) watchers() map[*player][]string {
	return map[*player][]string{
		c.customer: nil, c.merchant: {"restaurant/" + wok}, c.noodles: {"restaurant/" + noodle},
		c.courier: {"courier/" + c.courier.sub}, c.second: {"courier/" + c.second.sub},
	}
}

// connect runs the players' sockets until ctx ends.
func (c *cast) connect(ctx context.Context, wg *sync.WaitGroup) {
	for p, boards := range c.watchers() {
		p.live = client.New(client.Config{
			URL: c.cfg.URL, Log: c.cfg.Log,
			Token:  func(context.Context) (string, error) { return p.token, nil },
			Handle: func(m client.Message) { c.hear(p, m) },
		})
		for _, b := range boards {
			p.live.Watch(b, 0)
		}
		wg.Go(func() {
			if err := p.live.Run(ctx); err != nil && ctx.Err() == nil {
				c.screen.say("%s lost its socket for good: %v", p.name, err)
			}
		})
	}
}

// hear writes what a player was told, and acknowledges it: the person sees it now.
func (c *cast) hear(p *player, m client.Message) {
	switch m := m.(type) {
	case client.Event:
		text := fmt.Sprintf("%s %s", m.Type, m.Status)
		if m.Reason != "" {
			text += " " + string(m.Reason)
		}
		c.screen.sees(p.side, "%s", c.signed(p, text))
		p.note(m.OrderID, orderSeen{m.Seq, m.Type, m.Status})
		p.live.Ack(m.OrderID, m.Seq)
	case client.Snapshot:
		var o order
		_ = json.Unmarshal(m.Order, &o) // what cannot be read is shown without its status
		c.screen.sees(p.side, "%s", c.signed(p, fmt.Sprintf("snapshot at seq %d, %s", m.Seq, o.Status)))
		p.note(m.OrderID, orderSeen{seq: m.Seq})
		p.live.Ack(m.OrderID, m.Seq)
	case client.Gone:
		c.screen.sees(p.side, "%s", c.signed(p, "gone: no longer mine"))
		p.note(strings.TrimPrefix(m.Topic, "order/"), orderSeen{seq: -1})
	case client.Disconnected:
		c.screen.sees(p.side, "%s", c.signed(p, "socket lost, coming back"))
	}
}

// signed names the player where its column has more than one.
func (c *cast) signed(p *player, text string) string {
	if p == c.second || p == c.noodles {
		return p.name + ": " + text
	}
	return text
}

func (p *player) note(orderID string, seen orderSeen) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.last[orderID] = seen
	close(p.news)
	p.news = make(chan struct{})
}

// await waits until a player has been told of an order up to seq; -1 waits for gone.
func (p *player) await(ctx context.Context, orderID string, seq int64) error {
	return p.until(ctx, orderID, func(s orderSeen) bool { return seq < 0 && s.seq < 0 || seq >= 0 && s.seq >= seq })
}

// awaitType waits until the last thing a player was told of an order is of this type.
func (p *player) awaitType(ctx context.Context, orderID string, t orders.EventType) error {
	return p.until(ctx, orderID, func(s orderSeen) bool { return s.typ == t })
}

// awaitLimit is the longest anybody waits for news, beyond the server's clocks.
const awaitLimit = 30 * time.Second

func (p *player) until(ctx context.Context, orderID string, ok func(orderSeen) bool) error {
	ctx, cancel := context.WithTimeout(ctx, awaitLimit)
	defer cancel()
	for {
		p.mu.Lock()
		seen, news := p.last[orderID], p.news
		p.mu.Unlock()
		if ok(seen) {
			return nil
		}
		select {
		case <-news:
		case <-ctx.Done():
			return fmt.Errorf("%s waits for news of %s, last heard %+v: %w", p.name, orderID, seen, ctx.Err())
		}
	}
}
