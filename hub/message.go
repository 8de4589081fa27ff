package hub

import (
	"time"

	"doorbell/hub/wire"
	"doorbell/orders"
)

// Message is one line on its way to a client. It is made once and shared by all who get it; nothing in it changes.
type Message struct {
	Frame  []byte        // the line of the live protocol, with its line break
	Event  *orders.Event // of an event: what a stream without frames (SSE) writes instead; else nil
	At     time.Time     // when the change was handed to the hub; zero where no latency is measured
	Order  string        // whose event or snapshot it is; "" for everything else
	Seq    int64         // of that event or snapshot
	Page   []orderAt     // of a board's page: the orders on it
	Latest wire.Op       // of a position or an arrival: which, for a stream; else ""
	Value  []byte        // of that: the JSON
	Gone   bool          // the topic is no longer the client's
}

// orderAt is an order at a seq.
type orderAt struct {
	id  string
	seq int64
}
