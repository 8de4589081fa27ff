package client_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/coder/websocket"

	"doorbell/hub/client"
	"doorbell/hub/wire"
	"doorbell/orders"
)

// bell stands in for an installation in the examples: it knows one order.
func bell() *httptest.Server {
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer a customer's" {
			http.Error(w, `{"detail":"not for role payment"}`, http.StatusForbidden)
			return
		}
		ws, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{wire.Subprotocol}})
		if err != nil {
			return
		}
		defer ws.CloseNow()
		say := func(line string) { _ = ws.Write(r.Context(), websocket.MessageText, []byte(line)) }
		say(`{"op":"hello","session":"s_1","heartbeatSeconds":25}`)
		for {
			_, b, err := ws.Read(r.Context())
			if err != nil {
				return
			}
			switch req, _ := wire.ParseRequest(b); {
			case req.Op == wire.OpAck:
				say(fmt.Sprintf(`{"op":"ok","id":%d}`, *req.ID))
			case req.Op == wire.OpWatch && req.Watch[0].After == 0:
				say(`{"op":"snapshot","topic":"order/ord_1","seq":3,"order":{"orderId":"ord_1","status":"CONFIRMED","seq":3}}`)
				fallthrough
			case req.Op == wire.OpWatch:
				say(`{"op":"event","topic":"order/ord_1","seq":4,"event":{"eventType":"order.preparing","seq":4,"payload":{"status":"PREPARING"}}}`)
			}
		}
	}))
}

func ExampleClient() {
	server := bell()
	defer server.Close()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()

	var c *client.Client
	c = client.New(client.Config{
		URL:   server.URL,
		Token: func(context.Context) (string, error) { return "a customer's", nil },
		Handle: func(m client.Message) {
			switch m := m.(type) {
			case client.Snapshot:
				fmt.Printf("%s as a whole at %d: %s\n", m.OrderID, m.Seq, m.Order)
			case client.Event:
				fmt.Printf("%s at %d: %s, now %s\n", m.OrderID, m.Seq, m.Type, m.Status)
				c.Ack(m.OrderID, m.Seq) // the person has seen it: no callback is needed
				cancel()
			}
		},
	})
	c.Watch("order/ord_1", 0)
	fmt.Println(c.Run(ctx))
	// Output:
	// ord_1 as a whole at 3: {"orderId":"ord_1","status":"CONFIRMED","seq":3}
	// ord_1 at 4: order.preparing, now PREPARING
	// <nil>
}

// A client that has kept what it saw resumes from there, and is told only what is new.
func ExampleClient_Watch() {
	server := bell()
	defer server.Close()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()

	c := client.New(client.Config{
		URL:   server.URL,
		Token: func(context.Context) (string, error) { return "a customer's", nil },
		Handle: func(m client.Message) {
			switch m := m.(type) {
			case client.Snapshot:
				fmt.Println("a snapshot")
			case client.Event:
				fmt.Println("event", m.Seq)
				cancel()
			}
		},
	})
	c.Watch("order/ord_1", 3)
	_ = c.Run(ctx)
	// Output:
	// event 4
}

// What coming back would not mend ends Run; the kind says what it was.
func ExampleClient_Run() {
	server := bell()
	defer server.Close()
	c := client.New(client.Config{
		URL:   server.URL,
		Token: func(context.Context) (string, error) { return "a payment provider's", nil },
	})
	err := c.Run(context.Background())
	var refused *orders.Error
	if errors.As(err, &refused) {
		fmt.Println(refused.Kind, "-", refused.Text)
	}
	// Output:
	// forbidden - the handshake was answered with 403: not for role payment
}
