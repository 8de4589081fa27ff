package wire_test

import (
	"testing"

	"doorbell/hub/wire/wiretest"
)

func TestDocument(t *testing.T) {
	if len(wiretest.Messages(t)) < 15 {
		t.Error("messages are missing")
	}
	for name, c := range map[string]struct {
		line string
		ok   bool
	}{
		"an event":               {`{"op":"event","topic":"order/ord_1","seq":6,"event":{"eventId":"ord_1:6","eventType":"order.ready","seq":6,"occurredAt":"2026-01-02T03:04:05.000Z","actor":{"role":"merchant"},"payload":{"orderId":"ord_1","status":"PREPARING","timestamp":"2026-01-02T03:04:05.000Z"}}}`, true},
		"a board":                {`{"op":"snapshot","topic":"restaurant/res_1","orders":[],"more":true}`, true},
		"a watch":                {`{"op":"watch","id":7,"topics":[{"topic":"order/ord_1","after":3}]}`, true},
		"an event without a seq": {`{"op":"event","topic":"order/ord_1","event":{}}`, false},
		"a stray field":          {`{"op":"pong","x":1}`, false},
		"an unknown op":          {`{"op":"shout"}`, false},
	} {
		if err := wiretest.Validate([]byte(c.line)); (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}
