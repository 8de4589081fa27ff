package client

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"doorbell/hub/wire"
	"doorbell/orders"
)

// Config is what a Client works with. Zero fields take the default beside them.
type Config struct {
	URL    string                                    // of the installation: http(s)://host[:port]
	Token  func(ctx context.Context) (string, error) // asked at each connect and before a token ends, one call at a time; must end with its ctx
	Handle func(Message)                             // called one at a time, in order; must not block for long: nothing is read meanwhile

	HTTPClient *http.Client     // for the handshake; one of its own, with the environment's proxy
	MinBackoff time.Duration    // the first pause before coming back is at most this, each further one at most twice as long; 250 ms
	MaxBackoff time.Duration    // what that ends at; a socket that lived so long begins with MinBackoff again; 15 s
	Now        func() time.Time // the clock that a token's end is held against; time.Now
	Log        zerolog.Logger   // no tokens and no payloads; the zero Logger writes nothing
}

// Defaults of Config.
const (
	DefaultMinBackoff = 250 * time.Millisecond
	DefaultMaxBackoff = 15 * time.Second
)

// Client watches topics over one live socket. Its methods are safe for concurrent use, also from within Handle.
type Client struct {
	cfg  Config
	wake chan struct{} // capacity 1: something below changed

	mu      sync.Mutex // guards the following; never held while Handle runs
	running bool
	changed bool             // something below did, since Run looked
	gen     uint64           // of the last wish
	wishes  map[string]wish  // by topic; at most wire.MaxTopics
	acks    map[string]int64 // by order id: the highest seq shown, not yet taken by Run; at most maxAcks
	refused []Problem        // of Watch, not yet told; at most wire.MaxTopics
}

// wish is one topic that is to be watched.
type wish struct {
	after int64
	gen   uint64 // rises with each Watch: one that is made anew begins anew
}

// maxAcks is how many orders may wait to be acknowledged; further ones are dropped, as an ack saves a callback and
// nothing else.
const maxAcks = 1024

// New makes a Client. It starts nothing; see Run.
func New(cfg Config) *Client {
	if cfg.MinBackoff <= 0 {
		cfg.MinBackoff = DefaultMinBackoff
	}
	if cfg.MaxBackoff <= 0 {
		cfg.MaxBackoff = max(DefaultMaxBackoff, cfg.MinBackoff)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Handle == nil {
		cfg.Handle = func(Message) {}
	}
	return &Client{cfg: cfg, wake: make(chan struct{}, 1), wishes: map[string]wish{}, acks: map[string]int64{}}
}

// Run connects, and connects again, until ctx ends; then it returns nil, and nothing of the client runs any more. It may
// be called again after it has returned, and resumes what is watched from where it was.
//
// An error that coming back would not mend ends it at once: Invalid for a URL or a handshake that is wrong, Forbidden,
// NotFound, TooLarge.
func (c *Client) Run(ctx context.Context) error {
	to, err := liveURL(c.cfg.URL)
	if err != nil {
		return err
	}
	if c.cfg.Token == nil {
		return orders.Errorf(orders.Invalid, "Config.Token is missing")
	}
	c.mu.Lock()
	busy := c.running
	c.running, c.changed = true, true
	c.mu.Unlock()
	if busy {
		return errors.New("client: Run runs already")
	}
	defer func() {
		c.mu.Lock()
		c.running = false
		c.mu.Unlock()
	}()
	r := newRun(ctx, c, to)
	defer r.end()
	return r.loop()
}

// Watch begins to watch a topic: order/{id}, restaurant/{id} or courier/{id}. after is the last seq of the order that
// the caller has, 0 = none: a Snapshot comes first. It may be called at any time, and is remembered over reconnects,
// which resume from the last seq seen. Watching what is watched already begins anew from after; unless that
// is done from within Handle, one message of the old watch may still be on its way to it. What cannot be watched, a 201st
// topic for instance, is told as a Problem.
func (c *Client) Watch(topic string, after int64) {
	_, valid := wire.ParseTopic(topic)
	c.mu.Lock()
	_, again := c.wishes[topic]
	switch {
	case !valid:
		c.refuse(Problem{topic, orders.Invalid, "no such topic: order/{id}, restaurant/{id} or courier/{id}"})
	case !again && len(c.wishes) >= wire.MaxTopics:
		c.refuse(Problem{topic, orders.Exhausted, "at most " + strconv.Itoa(wire.MaxTopics) + " topics"})
	default:
		c.gen++
		c.wishes[topic] = wish{max(after, 0), c.gen}
	}
	c.changed = true
	c.mu.Unlock()
	c.poke()
}

// refuse has a Problem told by Run. Called with c.mu held.
func (c *Client) refuse(p Problem) {
	if len(c.refused) < wire.MaxTopics {
		c.refused = append(c.refused, p)
	}
}

// Unwatch ends a watch. Called from Handle, nothing more of the topic follows.
func (c *Client) Unwatch(topic string) {
	c.mu.Lock()
	delete(c.wishes, topic)
	c.changed = true
	c.mu.Unlock()
	c.poke()
}

// Ack says that everything up to seq of an order was shown to the person, which calls off the callbacks that would
// tell the same. Orders that are not watched are passed over.
func (c *Client) Ack(orderID string, seq int64) {
	c.mu.Lock()
	if was, ok := c.acks[orderID]; ok || len(c.acks) < maxAcks {
		c.acks[orderID] = max(was, seq)
		c.changed = true
	}
	c.mu.Unlock()
	c.poke()
}

// poke has Run look at what was wished.
func (c *Client) poke() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// wished reports whether this very wish still stands.
func (c *Client) wished(t *topic) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.wishes[t.name].gen == t.gen
}

// forget drops a wish that the hub refused, unless it was made anew meanwhile.
func (c *Client) forget(t *topic) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.wishes[t.name].gen == t.gen {
		delete(c.wishes, t.name)
	}
}

// remember keeps how far a topic got, for the next Run.
func (c *Client) remember(t *topic) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if w := c.wishes[t.name]; w.gen == t.gen {
		c.wishes[t.name] = wish{t.last, w.gen}
	}
}
