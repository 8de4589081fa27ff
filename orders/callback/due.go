package callback

import (
	"time"

	"doorbell/orders"
)

// AckGrace is how long after the commit an unless_acked callback is due: the time a person's app has to say that it
// showed the event.
const AckGrace = time.Second

// Rows are the callbacks of a committed change: what the store inserts beside the events, in the same transaction.
// o is the order after the change; hear are the endpoints that may be concerned: that of its notificationUrl and the
// registered ones, of which those whose owner may not see the order now, or did not ask for the event, get nothing.
// now is the store's clock. A disabled endpoint's rows are parked. Each row has its event's envelope as Body; what is
// stored is the reference, (Lane, Seq).
func Rows(o *orders.Order, events []orders.Event, hear []Endpoint, now time.Time) []Row {
	var rows []Row
	for i := range hear {
		e := &hear[i]
		if e.State == StateDeleted || !o.Ownership().VisibleTo(e.Owner, now) {
			continue
		}
		for _, ev := range events {
			if e.Wants(ev.Type) {
				rows = append(rows, e.row(KindEvent, ClassOf(ev.Type), ev, now))
			}
			if e.Implicit() && ev.Type == orders.OrderConfirmed {
				rows = append(rows, e.row(KindStatus, ClassKept, ev, now))
			}
		}
	}
	return rows
}

// row is one callback of an event to e.
func (e *Endpoint) row(k Kind, c Class, ev orders.Event, now time.Time) Row {
	r := Row{
		Key:   Key{Endpoint: e.ID, Lane: ev.OrderID, Seq: ev.Seq, Kind: k},
		Class: c, Made: now, Due: now, Expires: now.Add(c.Worth()), Parked: e.State == StateDisabled, Body: ev.Envelope,
	}
	if e.Deliver == orders.DeliverUnlessAcked {
		r.Due = now.Add(AckGrace)
		if c != ClassEnd {
			r.AckedBy = e.standsFor()
		}
	}
	return r
}

// standsFor is the role whose ack an endpoint's callbacks wait for. Ops are many, and one having seen an event does not
// mean that the endpoint's program has.
func (e *Endpoint) standsFor() orders.Role {
	if r := e.Owner.Role; r == orders.RoleCustomer || r == orders.RoleMerchant {
		return r
	}
	return ""
}

// Ack says that somebody was shown everything of an order up to Seq.
type Ack struct {
	OrderID string
	Role    orders.Role // customer or merchant: the order's own
	Seq     int64
}

// AckOf is what an ack on a socket is worth: nothing (false) unless it comes from the order's customer or its merchant,
// and no more than written, the highest seq that was written to that socket.
func AckOf(by orders.Caller, w orders.Ownership, seq, written int64, now time.Time) (Ack, bool) {
	seq = min(seq, written)
	ok := seq > 0 && (by.Role == orders.RoleCustomer || by.Role == orders.RoleMerchant) && w.VisibleTo(by, now)
	return Ack{OrderID: w.ID, Role: by.Role, Seq: seq}, ok
}

// calls reports whether the ack calls the row off.
func (a Ack) calls(r *Row) bool {
	return r.AckedBy != "" && r.AckedBy == a.Role && r.Lane == a.OrderID && r.Seq <= a.Seq
}

// Redelivery is the row of a callback that is sent once more by hand, under the webhook-id it had: due at once, nobody's
// to call off, and superseded by nothing. body is as Row.Body; nil has it read.
func Redelivery(k Key, c Class, body []byte, now time.Time) Row {
	if c == ClassStatus {
		c = ClassKept
	}
	return Row{Key: k, Class: c, Made: now, Due: now, Expires: now.Add(c.Worth()), Body: body}
}

// Extra is the row of a callback that is about no order's event: a test, a notice to ops. id is its webhook-id and lane,
// without a dot; the store keeps body with the row.
func Extra(endpoint, id string, body []byte, now time.Time) Row {
	return Redelivery(Key{Endpoint: endpoint, Lane: id, Kind: KindOther}, ClassKept, body, now)
}

// Replay says what of an endpoint's parked rows is sent when it is enabled again: what is still worth it, and of an
// order's statuses only the newest, due at once, oldest first as the lane sends them. The others are over. rows must
// hold whole lanes.
func Replay(rows []Row, now time.Time) (again, over []Row) {
	newest := map[string]int64{} // by lane, what supersedes
	for _, r := range rows {
		if r.Class.supersedes() {
			newest[r.Lane] = max(newest[r.Lane], r.Seq)
		}
	}
	for _, r := range rows {
		if !now.Before(r.Expires) || r.Class == ClassStatus && r.Seq < newest[r.Lane] {
			over = append(over, r)
			continue
		}
		r.Parked, r.Attempt, r.Made, r.Due = false, 0, now, now
		again = append(again, r)
	}
	return again, over
}
