package callback

import (
	"encoding/json"
	"fmt"

	"doorbell/orders"
)

// statusUpdate is the contract's OrderStatusUpdate: the first four fields of every envelope's payload.
type statusUpdate struct {
	OrderID       string        `json:"orderId"`
	Status        orders.Status `json:"status"`
	Timestamp     string        `json:"timestamp"`               // as in the envelope
	EstimatedTime int           `json:"estimatedTime,omitempty"` // whole minutes left
}

// StatusBody is the bare OrderStatusUpdate within an envelope, as it is sent to {notificationUrl}/order-status.
func StatusBody(envelope []byte) ([]byte, error) {
	var e struct {
		Payload statusUpdate `json:"payload"`
	}
	if err := json.Unmarshal(envelope, &e); err != nil {
		return nil, fmt.Errorf("read an envelope: %w", err)
	}
	return json.Marshal(e.Payload)
}
