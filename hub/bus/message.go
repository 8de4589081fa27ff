package bus

import (
	"encoding/binary"
	"errors"
	"time"

	"doorbell/hub"
	"doorbell/orders"
)

// A message, in a channel as in a stream, is
//
//	number kind generation stamp …
//
// number is its place in the partition, in decimal digits (a stream has it in the entry's id instead). kind is a letter.
// Behind it all is binary: a text is its length and its bytes, a number a varint, a moment a varint of µs since 1970
// (0 = none). stamp is the moment of the commit by its sender's clock. What a kind has then:
//
//	o: previous own count, and count times the length of an event, and the event    a change of an order
//	r: id version                                                                  a restaurant
//	u: sub at                                                                      a revocation
//
//	own:   id restaurant courier customer seq status flags endedAt    (see orders.Ownership)
//	event: seq type occurredAt recordedAt role, and the envelope up to the end
//
// Who may care for a change stands in front, so that it is quick to see that nobody does. A node that meets a kind it
// does not know compares with the database; that is how another kind may come.
const (
	kindOrder      = 'o'
	kindRestaurant = 'r'
	kindRevocation = 'u'
)

const (
	flagShown     = 1 << iota // Ownership.ShownToMerchant
	flagReturning             // Ownership.Returning
)

var errMessage = errors.New("a message on the bus cannot be read")

// head is what every message begins with, behind its number.
type head struct {
	kind byte
	gen  string
	at   int64 // µs since 1970, the sender's clock
}

// splitNumber takes the number off a message. Without one it is a canary.
func splitNumber(s string) (n int64, rest string) {
	i := 0
	for ; i < len(s) && s[i] >= '0' && s[i] <= '9' && i < 18; i++ {
		n = n*10 + int64(s[i]-'0')
	}
	return n, s[i:]
}

func appendHead(b []byte, gen string, at time.Time, kind byte) []byte {
	return binary.AppendVarint(appendText(append(b, kind), gen), at.UnixMicro())
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func appendMoment(b []byte, t time.Time) []byte {
	if t.IsZero() {
		return append(b, 0)
	}
	return binary.AppendVarint(b, t.UnixMicro())
}

func appendOwn(b []byte, w orders.Ownership) []byte {
	b = appendText(appendText(appendText(appendText(b, w.ID), w.Restaurant), w.Courier), w.Customer)
	b = binary.AppendVarint(b, w.Seq)
	b = appendText(b, string(w.Status))
	var flags byte
	if w.ShownToMerchant {
		flags |= flagShown
	}
	if w.Returning {
		flags |= flagReturning
	}
	return appendMoment(append(b, flags), w.EndedAt)
}

// appendEvent leaves the actor's id out: nobody who watches may see it.
func appendEvent(b []byte, e *orders.Event) []byte {
	b = appendText(binary.AppendVarint(b, e.Seq), string(e.Type))
	b = appendMoment(appendMoment(b, e.OccurredAt), e.RecordedAt)
	return append(appendText(b, string(e.Actor.Role)), e.Envelope...)
}

// appendChange writes the message of a change; events are what appendEvent made of each.
func appendChange(b []byte, gen string, at time.Time, previous string, own []byte, events [][]byte) []byte {
	b = append(appendText(appendHead(b, gen, at, kindOrder), previous), own...)
	b = binary.AppendUvarint(b, uint64(len(events)))
	for _, e := range events {
		b = append(binary.AppendUvarint(b, uint64(len(e))), e...)
	}
	return b
}

func appendRestaurantNotice(b []byte, gen string, at time.Time, id string, version int64) []byte {
	return binary.AppendVarint(appendText(appendHead(b, gen, at, kindRestaurant), id), version)
}

func appendRevocation(b []byte, gen string, at time.Time, r orders.Revocation) []byte {
	return appendMoment(appendText(appendHead(b, gen, at, kindRevocation), r.Sub), r.At)
}

// reader takes a message apart, without copying. The first thing that is not there leaves it bad for good.
type reader struct {
	s   string
	bad bool
}

func (r *reader) fail() { r.s, r.bad = "", true }

func (r *reader) uvarint() uint64 {
	var v uint64
	for i := 0; i < len(r.s) && i < binary.MaxVarintLen64; i++ {
		c := r.s[i]
		if c < 0x80 {
			r.s = r.s[i+1:]
			return v | uint64(c)<<(7*i)
		}
		v |= uint64(c&0x7f) << (7 * i)
	}
	r.fail()
	return 0
}

func (r *reader) varint() int64 {
	u := r.uvarint()
	return int64(u>>1) ^ -int64(u&1)
}

func (r *reader) bytes(n uint64) string {
	if n > uint64(len(r.s)) {
		r.fail()
		return ""
	}
	s := r.s[:n]
	r.s = r.s[n:]
	return s
}

func (r *reader) text() string { return r.bytes(r.uvarint()) }

func (r *reader) byte() byte {
	if s := r.bytes(1); s != "" {
		return s[0]
	}
	return 0
}

func (r *reader) moment() time.Time {
	if us := r.varint(); us != 0 {
		return time.UnixMicro(us).UTC()
	}
	return time.Time{}
}

func (r *reader) head() head { return head{kind: r.byte(), gen: r.text(), at: r.varint()} }

func (r *reader) own() (w orders.Ownership) {
	w.ID, w.Restaurant, w.Courier, w.Customer = r.text(), r.text(), r.text(), r.text()
	w.Seq = r.varint()
	w.Status = orders.Status(r.text())
	flags := r.byte()
	w.ShownToMerchant, w.Returning = flags&flagShown != 0, flags&flagReturning != 0
	w.EndedAt = r.moment()
	return w
}

// readEvent reads what appendEvent wrote. It is the order's of that id.
func readEvent(s, order string) (orders.Event, bool) {
	r := reader{s: s}
	e := orders.Event{OrderID: order, Seq: r.varint(), Type: orders.EventType(r.text())}
	e.OccurredAt, e.RecordedAt = r.moment(), r.moment()
	e.Actor.Role = orders.Role(r.text())
	e.Envelope = []byte(r.s)
	return e, !r.bad
}

// change reads what stands behind the head of a change. nil wants is everything; ok is false where nobody wants it.
func (r *reader) change(wants func(order, restaurant, courier, previous string) bool) (c hub.Change, ok bool, err error) {
	previous := r.text()
	if wants != nil {
		peek := *r
		if id, restaurant, courier := peek.text(), peek.text(), peek.text(); !peek.bad && !wants(id, restaurant, courier, previous) {
			return c, false, nil
		}
	}
	c.Previous = previous
	c.Own = r.own()
	n := r.uvarint()
	if r.bad || n == 0 || n > uint64(len(r.s)) {
		return c, false, errMessage
	}
	c.Events = make([]orders.Event, 0, n)
	for range n {
		e, ok := readEvent(r.text(), c.Own.ID)
		if !ok || r.bad {
			return c, false, errMessage
		}
		c.Events = append(c.Events, e)
	}
	return c, true, nil
}
