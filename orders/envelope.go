package orders

import (
	"encoding/json"
	"strconv"
	"time"
)

// about is what an event tells beyond the order's state.
type about struct {
	prep        bool // prepMinutes
	items       bool // lines and total
	amendment   bool
	cancel      bool
	outOfStock  []string
	problemType string
	refund      int64
	leg         Stop
}

// EventID names an event of an order everywhere: the duplicate check of whoever receives it.
func EventID(orderID string, seq int64) string { return orderID + ":" + strconv.FormatInt(seq, 10) }

// usualEnvelope is room, in bytes, for most envelopes.
const usualEnvelope = 768

// encode makes the envelope of an event that led to o: the one form in which it leaves, on sockets, as SSE, in the
// history and in callbacks. eventType and the payload's first four fields are the contract's:
//
//	{"eventId":"ord_…:5","eventType":"order.preparing","seq":5,"occurredAt":"…Z","actor":{"role":"merchant"},
//	 "payload":{"orderId":"ord_…","status":"PREPARING","timestamp":"…Z","estimatedTime":23,
//	  "etaAt":"…Z","etaEarliest":"…Z","etaLatest":"…Z","restaurantId":"res_1","payment":{…},"delivery":{…}, and what the event is about}}
//
// Everything in it may be seen by everybody who may see the order, a tracking link's holder too: no phone, no address,
// no note, no PIN, no actor's id. It is written by hand since it is half of a transition's cost.
func encode(o *Order, t EventType, at time.Time, by Role, eta ETA, a about) []byte {
	b := object(make([]byte, 0, usualEnvelope))
	b = b.open().key("eventId").raw(`"`).raw(o.ID).raw(":").int(o.Seq).raw(`"`)
	b = b.text("eventType", string(t)).number("seq", o.Seq).time("occurredAt", at)
	b = b.key("actor").open().text("role", string(by)).close()

	b = b.key("payload").open()
	b = b.text("orderId", o.ID).text("status", string(o.Status)).time("timestamp", at)
	if m := o.EstimatedMinutes(eta, at); m > 0 {
		b = b.number("estimatedTime", int64(m)) // whole minutes left
	}
	b = b.time("etaAt", eta.At).time("etaEarliest", eta.Earliest).time("etaLatest", eta.Latest)
	b = b.text("restaurantId", o.Restaurant)
	b = b.key("payment").open().text("status", string(o.Payment.Status))
	if o.Payment.Status == Unpaid {
		b = b.time("payBy", o.Payment.PayBy)
	}
	b = b.close()
	b = b.key("delivery").open().text("status", string(o.Delivery.Status))
	if c := o.Delivery.Courier; c != nil {
		b = b.key("courier").open().text("courierId", c.ID).some("name", c.Name).some("vehicle", c.Vehicle).close()
	}
	b = b.close().some("reason", string(o.Reason)) // why the order ended
	if o.Status == Pending {
		b = b.time("acceptBy", o.AcceptBy)
	}
	b = b.time("readyAt", o.ReadyAt)
	return b.about(o, a).close().close()
}

// about writes what the event is about.
func (b object) about(o *Order, a about) object {
	if a.prep {
		b = b.number("prepMinutes", int64(o.PrepMinutes))
	}
	if a.items {
		b = b.number("total", o.Total).text("currency", o.Currency).lines(o.Items)
	}
	if a.outOfStock != nil {
		b = b.key("outOfStockItems").raw("[")
		for _, id := range a.outOfStock {
			b = b.comma().quote(id)
		}
		b = b.raw("]")
	}
	if m := o.Amendment; a.amendment && m != nil {
		b = b.amendment(m)
	}
	if r := o.Cancel; a.cancel && r != nil {
		b = b.key("cancellationRequest").open().text("status", string(r.Status)).text("reason", string(r.Reason)).
			time("answerBy", r.AnswerBy).close()
	}
	if a.problemType != "" {
		b = b.key("problem").open().text("type", a.problemType).close()
	}
	if a.refund > 0 {
		b = b.key("refund").open().number("amount", a.refund).close()
	}
	return b.some("leg", string(a.leg))
}

// lines leaves out the notes, which may hold what is meant for the merchant only.
func (b object) lines(items []Item) object {
	b = b.key("items").raw("[")
	for i := range items {
		it := &items[i]
		b = b.open().text("itemId", it.ItemID).text("name", it.Name).number("quantity", int64(it.Quantity)).
			number("unitPrice", it.UnitPrice).close()
	}
	return b.raw("]")
}

func (b object) amendment(m *Amendment) object {
	b = b.key("amendment").open().number("n", int64(m.N)).text("status", string(m.Status)).text("itemId", m.ItemID).
		text("change", string(m.Change))
	if m.Quantity > 0 {
		b = b.number("quantity", int64(m.Quantity))
	}
	if s := m.Substitute; s != nil {
		b = b.key("substitute").open().text("itemId", s.ItemID).text("name", s.Name).number("unitPrice", s.UnitPrice).close()
	}
	return b.time("answerBy", m.AnswerBy).close()
}

// object is JSON as it grows. Its methods return it, as append does.
type object []byte

func (b object) open() object        { return append(b.comma(), '{') }
func (b object) close() object       { return append(b, '}') }
func (b object) raw(s string) object { return append(b, s...) }
func (b object) int(n int64) object  { return strconv.AppendInt(b, n, 10) }

// comma separates from the value before, where there is one.
func (b object) comma() object {
	if n := len(b); n > 0 && b[n-1] != '{' && b[n-1] != '[' && b[n-1] != ':' {
		return append(b, ',')
	}
	return b
}

func (b object) key(k string) object { return append(append(append(b.comma(), '"'), k...), '"', ':') }

func (b object) text(k, v string) object { return b.key(k).quote(v) }

// some is text, left out when empty.
func (b object) some(k, v string) object {
	if v == "" {
		return b
	}
	return b.text(k, v)
}

func (b object) number(k string, n int64) object { return b.key(k).int(n) }

// time writes a time as TimeFormat, and leaves the zero time out.
func (b object) time(k string, t time.Time) object {
	if t.IsZero() {
		return b
	}
	return append(appendTime(append(b.key(k), '"'), t), '"')
}

// quote writes a JSON string.
func (b object) quote(s string) object {
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c > 0x7e || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			j, _ := json.Marshal(s) // a string always encodes
			return append(b, j...)
		}
	}
	return append(append(append(b, '"'), s...), '"')
}
