package orders

import "time"

// EventType names what happened.
type EventType string

const (
	OrderCreated               EventType = "order.created"
	OrderPaid                  EventType = "order.paid"
	OrderAcceptanceDue         EventType = "order.acceptance_due" // half of the merchant's time is gone
	OrderConfirmed             EventType = "order.confirmed"
	OrderDelayed               EventType = "order.delayed" // a new prepMinutes
	OrderPreparing             EventType = "order.preparing"
	OrderReady                 EventType = "order.ready"
	OrderAmendmentProposed     EventType = "order.amendment_proposed"
	OrderAmended               EventType = "order.amended" // an amendment was answered; the payload has the new total
	OrderCancellationRequested EventType = "order.cancellation_requested"
	OrderCancellationDenied    EventType = "order.cancellation_denied"
	OrderCancelled             EventType = "order.cancelled"
	OrderOnDelivery            EventType = "order.on_delivery"
	OrderCompleted             EventType = "order.completed"
	OrderFailed                EventType = "order.failed"
	CourierAssigned            EventType = "courier.assigned"
	CourierUnassigned          EventType = "courier.unassigned"
	CourierArrivedAtMerchant   EventType = "courier.arrived_at_merchant"
	CourierNearby              EventType = "courier.nearby"
	CourierArrivedAtCustomer   EventType = "courier.arrived_at_customer"
	DeliveryProblem            EventType = "delivery.problem"
	DeliveryReturned           EventType = "delivery.returned"
	PaymentRefundRequested     EventType = "payment.refund_requested" // money is owed back
	PaymentRefunded            EventType = "payment.refunded"         // money went back
)

// EventTypes lists every EventType.
var EventTypes = []EventType{
	OrderCreated, OrderPaid, OrderAcceptanceDue, OrderConfirmed, OrderDelayed, OrderPreparing, OrderReady,
	OrderAmendmentProposed, OrderAmended, OrderCancellationRequested, OrderCancellationDenied, OrderCancelled,
	OrderOnDelivery, OrderCompleted, OrderFailed, CourierAssigned, CourierUnassigned, CourierArrivedAtMerchant,
	CourierNearby, CourierArrivedAtCustomer, DeliveryProblem, DeliveryReturned, PaymentRefundRequested, PaymentRefunded,
}

// Event is one thing that happened to an order. Envelope is what everybody is told: encoded once, stored once, sent to
// socket, SSE, history and callback alike, so it holds nothing that one of the order's watchers may not see.
type Event struct {
	OrderID    string
	Seq        int64
	Type       EventType
	OccurredAt time.Time // when it happened
	RecordedAt time.Time // when the program learned of it
	Actor      Actor     // the envelope has the role only
	Envelope   []byte    // JSON, see envelope.go; shared, never changed
}
