package callback

import (
	"cmp"
	"hash/fnv"
	"strings"
	"time"

	"doorbell/orders"
)

// Shards is how many parts the endpoints are divided into. It stands in stored rows: a constant for good.
const Shards = 64

// ShardOf is the shard of an endpoint.
func ShardOf(endpoint string) int {
	h := fnv.New32a()
	_, _ = h.Write([]byte(endpoint))
	return int(h.Sum32() % Shards)
}

// Kind is which body a row is sent with.
type Kind int

const (
	KindEvent  Kind = 0 // the event's envelope, byte for byte as it is stored
	KindStatus Kind = 1 // a bare OrderStatusUpdate, to the URL with /order-status behind it
	KindOther  Kind = 2 // a body that the store keeps with the row: tests, notices to ops
)

// Key names a row. Rows sort by endpoint, lane, seq and kind.
type Key struct {
	Endpoint string
	Lane     string // the order's id; of KindOther an id of its own, without a dot
	Seq      int64  // the event's; 0 of KindOther
	Kind     Kind
}

// Compare orders keys as the store does.
func (k Key) Compare(o Key) int {
	return cmp.Or(strings.Compare(k.Endpoint, o.Endpoint), strings.Compare(k.Lane, o.Lane), k.inLane(o))
}

func (k Key) inLane(o Key) int { return cmp.Or(cmp.Compare(k.Seq, o.Seq), cmp.Compare(k.Kind, o.Kind)) }

// MessageID is the webhook-id: the same at every try, and the envelope's eventId where the body is an envelope.
func (k Key) MessageID() string {
	switch k.Kind {
	case KindEvent:
		return orders.EventID(k.Lane, k.Seq)
	case KindStatus:
		return orders.EventID(k.Lane, k.Seq) + ":status"
	}
	return k.Lane
}

// Row is one callback that waits. All times are by the store's clock (see Holding), in microseconds at most.
type Row struct {
	Key
	Class   Class
	AckedBy orders.Role // whose ack calls it off; "" = nobody's
	Made    time.Time   // when it began to wait: the commit, or a replay
	Due     time.Time   // when it is to be tried next
	Expires time.Time   // no try after it
	Attempt int         // tries that counted
	Parked  bool        // the endpoint is disabled: kept for when it is enabled again, and not waiting

	// Body is the event's envelope, or of KindOther the body, where whoever made or read the row had it at hand. Not part
	// of the stored row, never changed.
	Body []byte
}

// Class is what an event is worth to who hears of it late.
type Class int

const (
	ClassStatus Class = 0 // superseded by any newer status, and by the end
	ClassKept   Class = 1 // never superseded, supersedes nothing: payment, amendment, cancellation
	ClassMoney  Class = 2 // as ClassKept, and worth as long as the end: a refund
	ClassEnd    Class = 3 // the end of an order: never superseded, sent whether acked or not
)

// How long callbacks are worth sending.
const (
	StatusWorth = 30 * time.Minute
	EndWorth    = 24 * time.Hour
)

// ClassOf is the class of an event. A type it does not know is a status.
func ClassOf(t orders.EventType) Class {
	switch t {
	case orders.OrderCompleted, orders.OrderCancelled, orders.OrderFailed:
		return ClassEnd
	case orders.PaymentRefundRequested, orders.PaymentRefunded:
		return ClassMoney
	case orders.OrderPaid, orders.OrderAmendmentProposed, orders.OrderAmended, orders.OrderCancellationRequested,
		orders.OrderCancellationDenied:
		return ClassKept
	}
	return ClassStatus
}

// Worth is how long after the commit a callback of this class is still tried.
func (c Class) Worth() time.Duration {
	if c == ClassEnd || c == ClassMoney {
		return EndWorth
	}
	return StatusWorth
}

// supersedes reports whether an event of this class says all that older statuses said.
func (c Class) supersedes() bool { return c == ClassStatus || c == ClassEnd }
