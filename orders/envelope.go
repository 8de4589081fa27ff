package orders

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"
)

// TimeFormat is how times look outside: RFC 3339, UTC, milliseconds.
const TimeFormat = "2006-01-02T15:04:05.000Z"

// Millis is a time that encodes as TimeFormat. The zero time encodes as null; give such fields omitzero.
type Millis time.Time

// MarshalJSON encodes m as TimeFormat.
func (m Millis) MarshalJSON() ([]byte, error) {
	if time.Time(m).IsZero() {
		return []byte("null"), nil
	}
	b := make([]byte, 0, len(TimeFormat)+2)
	b = append(b, '"')
	b = time.Time(m).UTC().AppendFormat(b, TimeFormat)
	return append(b, '"'), nil
}

// UnmarshalJSON reads any RFC 3339 time; null is the zero time.
func (m *Millis) UnmarshalJSON(b []byte) error { return (*time.Time)(m).UnmarshalJSON(b) }

// IsZero lets omitzero leave m out.
func (m Millis) IsZero() bool { return time.Time(m).IsZero() }

// envelope is the one form in which an event leaves: on sockets, as SSE, in the history and in callbacks. eventType
// and the payload's first four fields are the contract's.
type envelope struct {
	EventID    string    `json:"eventId"` // {orderId}:{seq}, the same for every delivery of this event
	EventType  EventType `json:"eventType"`
	Seq        int64     `json:"seq"`
	OccurredAt Millis    `json:"occurredAt"`
	Actor      roleOnly  `json:"actor"`
	Payload    payload   `json:"payload"`
}

type roleOnly struct {
	Role Role `json:"role"`
}

// payload is the order's state after the event in what every watcher may know, and what the event is about.
type payload struct {
	OrderID       string `json:"orderId"`
	Status        Status `json:"status"`
	Timestamp     Millis `json:"timestamp"`
	EstimatedTime int    `json:"estimatedTime,omitempty"` // whole minutes left; absent where unknown

	RestaurantID string          `json:"restaurantId"`
	Payment      paymentPayload  `json:"payment"`
	Delivery     deliveryPayload `json:"delivery"`
	Reason       Reason          `json:"reason,omitempty"` // why the order ended

	AcceptBy            Millis               `json:"acceptBy,omitzero"`
	ReadyAt             Millis               `json:"readyAt,omitzero"`
	PrepMinutes         int                  `json:"prepMinutes,omitempty"`
	Total               *int64               `json:"total,omitempty"`
	Currency            string               `json:"currency,omitempty"`
	Items               []itemPayload        `json:"items,omitempty"`
	OutOfStockItems     []string             `json:"outOfStockItems,omitempty"`
	Amendment           *amendmentPayload    `json:"amendment,omitempty"`
	CancellationRequest *cancellationPayload `json:"cancellationRequest,omitempty"`
	Problem             *problemPayload      `json:"problem,omitempty"`
	Refund              *refundPayload       `json:"refund,omitempty"`
	Leg                 Stop                 `json:"leg,omitempty"` // of courier.nearby
}

type paymentPayload struct {
	Status PaymentStatus `json:"status"`
	PayBy  Millis        `json:"payBy,omitzero"`
}

type deliveryPayload struct {
	Status  DeliveryStatus  `json:"status"`
	Courier *courierPayload `json:"courier,omitempty"`
}

// courierPayload has no phone: a tracking link's holder reads it too.
type courierPayload struct {
	CourierID string `json:"courierId"`
	Name      string `json:"name,omitempty"`
	Vehicle   string `json:"vehicle,omitempty"`
}

// itemPayload is a line without its note, which may hold what is meant for the merchant only.
type itemPayload struct {
	ItemID    string `json:"itemId"`
	Name      string `json:"name"`
	Quantity  int    `json:"quantity"`
	UnitPrice int64  `json:"unitPrice"`
}

type amendmentPayload struct {
	N          int             `json:"n"`
	Status     AmendmentStatus `json:"status"`
	ItemID     string          `json:"itemId"`
	Change     Change          `json:"change"`
	Quantity   int             `json:"quantity,omitempty"`
	Substitute *Substitute     `json:"substitute,omitempty"`
	AnswerBy   Millis          `json:"answerBy"`
}

type cancellationPayload struct {
	Status   RequestStatus `json:"status"`
	AnswerBy Millis        `json:"answerBy"`
}

type problemPayload struct {
	Type string `json:"type"`
}

type refundPayload struct {
	Amount int64 `json:"amount"`
}

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

// encode makes the envelope of an event that led to o.
func encode(o *Order, t EventType, at time.Time, by Role, a about) []byte {
	e := envelope{
		EventID: EventID(o.ID, o.Seq), EventType: t, Seq: o.Seq, OccurredAt: Millis(at), Actor: roleOnly{by},
		Payload: payload{
			OrderID: o.ID, Status: o.Status, Timestamp: Millis(at), EstimatedTime: o.EstimatedMinutes(at),
			RestaurantID: o.Restaurant, Payment: paymentPayload{Status: o.Payment.Status},
			Delivery: deliveryPayload{Status: o.Delivery.Status}, Reason: o.Reason, ReadyAt: Millis(o.ReadyAt),
			OutOfStockItems: a.outOfStock, Leg: a.leg,
		},
	}
	p := &e.Payload
	if o.Payment.Status == Unpaid {
		p.Payment.PayBy = Millis(o.Payment.PayBy)
	}
	if o.Status == Pending {
		p.AcceptBy = Millis(o.AcceptBy)
	}
	if c := o.Delivery.Courier; c != nil {
		p.Delivery.Courier = &courierPayload{CourierID: c.ID, Name: c.Name, Vehicle: c.Vehicle}
	}
	if a.prep {
		p.PrepMinutes = o.PrepMinutes
	}
	if a.items {
		p.Total, p.Currency = &o.Total, o.Currency
		for _, it := range o.Items {
			p.Items = append(p.Items, itemPayload{it.ItemID, it.Name, it.Quantity, it.UnitPrice})
		}
	}
	if m := o.Amendment; a.amendment && m != nil {
		p.Amendment = &amendmentPayload{m.N, m.Status, m.ItemID, m.Change, m.Quantity, m.Substitute, Millis(m.AnswerBy)}
	}
	if r := o.Cancel; a.cancel && r != nil {
		p.CancellationRequest = &cancellationPayload{r.Status, Millis(r.AnswerBy)}
	}
	if a.problemType != "" {
		p.Problem = &problemPayload{a.problemType}
	}
	if a.refund > 0 {
		p.Refund = &refundPayload{a.refund}
	}
	b, err := json.Marshal(e)
	if err != nil {
		panic(fmt.Sprintf("orders: an envelope cannot be encoded: %v", err)) // only fixed types inside
	}
	return b
}
