package web_test

import (
	"encoding/json"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"doorbell/web/api"
)

// Every answer of every test in this package is held against the document by checkAnswer: its code, headers and body.

func TestDocumentAsServed(t *testing.T) {
	n, c := start(t), newCast(t)
	raw := n.get("/openapi.yaml", "").want(200).Raw
	if string(raw) != string(api.Document()) {
		t.Error("it is not the one that requests are checked against")
	}
	doc, err := openapi3.NewLoader().LoadFromData(raw)
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.Validate(t.Context()); err != nil {
		t.Fatal(err)
	}
	callbacks := doc.Paths.Value("/orders").Post.Callbacks
	body := func(name, key string) *openapi3.Schema {
		if callbacks[name] == nil || callbacks[name].Value.Value(key) == nil || callbacks[name].Value.Value(key).Post == nil {
			t.Fatalf("%s has no POST at %s", name, key)
		}
		return callbacks[name].Value.Value(key).Post.RequestBody.Value.Content["application/json"].Schema.Value
	}
	changed := body("onStatusChange", "{$request.body#/notificationUrl}")
	confirmed := body("onOrderConfirmed", "{$request.body#/notificationUrl}/order-status")

	n.restaurant(c, "res_1", nil)
	n.sub("EveryEventIsABodyOfOnStatusChange", func(n *node) {
		failed := n.order(c, "onway", nil)
		n.act(failed+"/problem", c.courier, map[string]any{"type": "CONTACT_ATTEMPT"})
		n.act(failed+"/fail", c.ops, map[string]any{"reason": "DAMAGED"})
		n.act(failed+"/refunds", c.ops, map[string]any{"amount": 5000, "reason": "all"})
		amended := n.order(c, "confirmed", fields("soldOutPolicy", "REMOVE"))
		n.act(amended+"/amendments", c.merchant, remove("soup"))
		for _, path := range []string{n.order(c, "completed", nil), failed, amended} {
			for _, event := range n.get(path+"/events", c.ops).want(200).get("items").([]any) {
				if err := changed.VisitJSON(event); err != nil {
					n.t.Errorf("%v: %v", event, err)
				}
			}
		}
	})

	n.sub("TheFirstFourFieldsOfAConfirmationAreABodyOfOnOrderConfirmed", func(n *node) {
		path := n.order(c, "confirmed", nil)
		payload := n.get(path+"/events?after=2", c.ops).want(200).get("items.0.payload").(map[string]any)
		update := map[string]any{}
		for _, field := range []string{"orderId", "status", "timestamp", "estimatedTime"} {
			if update[field] = payload[field]; update[field] == nil {
				n.t.Errorf("no %s in %v", field, payload)
			}
		}
		if err := confirmed.VisitJSON(update); err != nil {
			text, _ := json.Marshal(update)
			n.t.Errorf("%s: %v", text, err)
		}
	})
}
