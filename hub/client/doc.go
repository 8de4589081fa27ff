// Package client is a client of Doorbell's live protocol: it watches orders and boards over one socket, comes back when
// the socket breaks, moves to another node when it is asked to, and renews its token. It leaves REST to others.
//
//	c := client.New(client.Config{
//		URL:   "https://bell.example",
//		Token: func(ctx context.Context) (string, error) { return fetchToken(ctx) },
//		Handle: func(m client.Message) {
//			switch m := m.(type) {
//			case client.Snapshot: // all that is known of the order is replaced
//				show(m.OrderID, m.Seq, m.Order)
//			case client.Event: // the next change
//				update(m.OrderID, m.Seq, m.Status)
//			}
//		},
//	})
//	c.Watch("order/ord_1", 0)
//	err := c.Run(ctx) // until ctx ends, or an error that coming back would not mend
//
// The one rule to know: of each order, Handle sees a seq that rises by one each time, or a Snapshot that replaces all up
// to its own seq; never a gap, a repeat or a step back, but for the one Snapshot after a database was restored. The
// client checks that itself, whatever nodes it is moved between.
package client
