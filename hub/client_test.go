package hub_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"doorbell/hub"
	"doorbell/hub/wire"
)

// client is a client at the end of a connection: it reads at will, stalls or breaks, and writes down what it is sent.
type client struct {
	testing.TB
	s *hub.Session

	mu      sync.Mutex
	turn    *sync.Cond
	stalled bool // takes nothing
	broken  bool // writes fail
	mute    bool // does not answer pings
	deaf    bool // writes nothing down
	writing bool // a Write is under way: there must not be a second
	lines   []string
	frames  []wire.Frame
	events  []int64 // seq of each message with an event in it: what a stream shows
	pings   []time.Time
	ended   *hub.Ending
	endedAt time.Time
	onFrame func(wire.Frame)
}

func newClient(t testing.TB) *client {
	c := &client{TB: t}
	c.turn = sync.NewCond(&c.mu)
	return c
}

var errBroken = errors.New("connection reset by peer")

// patience is how long a stalled client is waited for, as hub.Conn promises.
const patience = 10 * time.Second

// Write implements hub.Conn.
func (c *client) Write(batch []*hub.Message) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.writing {
		c.Error("two writes at once")
	}
	c.writing = true
	defer func() { c.writing = false }()
	if c.stalled {
		late := false
		t := time.AfterFunc(patience, func() {
			c.mu.Lock()
			late = true
			c.mu.Unlock()
			c.turn.Broadcast()
		})
		defer t.Stop()
		for c.stalled && !late && c.ended == nil {
			c.turn.Wait()
		}
		if late {
			return hub.ErrNoProgress
		}
	}
	if c.broken || c.ended != nil {
		return errBroken
	}
	for _, m := range batch {
		if c.deaf {
			continue
		}
		if m.Event != nil {
			c.events = append(c.events, m.Event.Seq)
		}
		f, err := wire.ParseFrame(m.Frame)
		if err != nil || !strings.HasSuffix(string(m.Frame), "}\n") || strings.Count(string(m.Frame), "\n") != 1 {
			c.Errorf("not a line: %q", m.Frame)
		}
		c.lines = append(c.lines, string(m.Frame))
		c.frames = append(c.frames, f)
		if c.onFrame != nil {
			c.onFrame(f)
		}
	}
	return nil
}

// Ping implements hub.Conn.
func (c *client) Ping() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pings = append(c.pings, time.Now())
	if c.broken {
		return errBroken
	}
	if !c.mute {
		go c.s.Heard()
	}
	return nil
}

// Close implements hub.Conn.
func (c *client) Close(e hub.Ending) {
	c.mu.Lock()
	if c.ended != nil {
		c.Error("closed twice")
	}
	c.ended, c.endedAt = &e, time.Now()
	c.mu.Unlock()
	c.turn.Broadcast()
}

// set changes how the client behaves.
func (c *client) set(change func()) {
	c.mu.Lock()
	change()
	c.mu.Unlock()
	c.turn.Broadcast()
}

func (c *client) stall()  { c.set(func() { c.stalled = true }) }
func (c *client) resume() { c.set(func() { c.stalled = false }) }

// said is what the client was sent, in short, hello aside: "event order/x 5", "snapshot order/x 5 on restaurant/r".
func (c *client) said() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []string
	for _, f := range c.frames {
		if f.Op != wire.OpHello {
			out = append(out, short(f))
		}
	}
	return out
}

func short(f wire.Frame) string {
	b := string(f.Op)
	if f.ID != nil {
		b += fmt.Sprintf(" #%d", *f.ID)
	}
	if f.Topic != "" {
		b += " " + f.Topic
	}
	if f.Seq != 0 {
		b += fmt.Sprintf(" %d", f.Seq)
	}
	if f.Board != "" {
		b += " on " + f.Board
	}
	if f.Orders != nil {
		b += fmt.Sprintf(" of %d", len(f.Orders))
	}
	if f.More {
		b += " more"
	}
	if f.Kind != "" {
		b += " " + string(f.Kind)
	}
	return b
}

// forget has the next said begin here.
func (c *client) forget() {
	c.mu.Lock()
	c.frames, c.lines, c.events = nil, nil, nil
	c.mu.Unlock()
}

// heard fails the test unless exactly this was said since the last forget; "ID" stands for id.
func (c *client) heard(id string, want ...string) {
	c.Helper()
	for i := range want {
		want[i] = strings.ReplaceAll(want[i], "ID", "order/"+id)
	}
	if got := c.said(); !slices.Equal(got, want) {
		c.Errorf("the client was sent\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
	}
	c.forget()
}

func (c *client) seqs() []int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.events)
}

// ending is how the session ended, the zero Ending while it has not.
func (c *client) ending() (hub.Ending, time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended == nil {
		return hub.Ending{}, time.Time{}
	}
	return *c.ended, c.endedAt
}
