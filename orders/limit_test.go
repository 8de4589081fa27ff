package orders_test

import (
	"strconv"
	"testing"

	"doorbell/orders"
)

// stops sends a command over and over, a little different each time, until it is refused, and says how often it worked.
func stops(t *testing.T, g *play, by orders.Actor, cmd func(i int) orders.Command) (n int) {
	t.Helper()
	for n < 2*orders.MaxEvents {
		is, evs, err := g.try(by, cmd(n))
		if err != nil {
			if orders.KindOf(err) != orders.Unprocessable || len(evs) > 0 || asJSON(t, is) != asJSON(t, g.o) {
				t.Fatalf("number %d: %v", n, err)
			}
			return n
		}
		g.o, n = is, n+1
	}
	t.Fatalf("no end after %d", n)
	return n
}

func TestNobodyFillsAnOrderWithoutEnd(t *testing.T) {
	t.Run("with delays, and the order still goes its way", func(t *testing.T) {
		g := preparing(t).assign()
		if n := stops(t, g, merchant, func(i int) orders.Command { return orders.Delay{PrepMinutes: 30 + i%2} }); g.o.Seq != orders.MaxEvents || n == 0 {
			t.Errorf("it ended at seq %d", g.o.Seq)
		}
		if _, _, err := g.try(customer, orders.Cancel{Reason: orders.CustomerCancelled}); orders.KindOf(err) != orders.Unprocessable {
			t.Errorf("a request beyond the limit: %v", err)
		}
		if g.ready().pickup().arrive().do(rider, orders.Hand{}); g.o.Status != orders.Completed {
			t.Error(g.o.Status)
		}
	})
	t.Run("with delays, and ops can still end it", func(t *testing.T) {
		g := preparing(t)
		stops(t, g, merchant, func(i int) orders.Command { return orders.Delay{PrepMinutes: 30 + i%2} })
		if g.do(ops, orders.Cancel{Reason: orders.Admin}); g.o.Status != orders.Cancelled {
			t.Error(g.o.Status)
		}
	})
	t.Run("with problems", func(t *testing.T) {
		g := onDelivery(t)
		if n := stops(t, g, rider, func(int) orders.Command { return orders.ReportProblem{Type: "TRAFFIC"} }); n != orders.MaxEntries {
			t.Errorf("%d problems", n)
		}
		if g.do(rider, orders.Hand{}); g.o.Status != orders.Completed {
			t.Error(g.o.Status)
		}
	})
	t.Run("with payments", func(t *testing.T) {
		g := timedOut(t)
		n := stops(t, g, payer, func(i int) orders.Command { return orders.Pay{Amount: 1, TransactionID: strconv.Itoa(i)} })
		if n != orders.MaxEntries || g.o.Payment.RefundDue != orders.MaxEntries {
			t.Errorf("%d payments, %d owed back", n, g.o.Payment.RefundDue)
		}
	})
	t.Run("with refunds", func(t *testing.T) {
		if n := stops(t, completed(t), ops, func(int) orders.Command { return orders.RefundMade{Amount: 1} }); n != orders.MaxEntries {
			t.Errorf("%d refunds", n)
		}
	})
}

// A request that came in time can be answered, however much was said about the order before: else the clock approves it
// in the merchant's place.
func TestLastRequestCanStillBeDenied(t *testing.T) {
	g := preparing(t)
	for i := 0; g.o.Seq < orders.MaxEvents-1; i++ {
		g.do(merchant, orders.Delay{PrepMinutes: 30 + i%2})
	}
	g.ask()
	if _, _, err := g.try(merchant, orders.DenyCancellation{}); err != nil {
		t.Error(err)
	}
}

// The most expensive order there can be stays far from the end of an int64.
func TestDearestOrder(t *testing.T) {
	g := place(t, func(c *orders.Create) {
		c.Items = nil
		for range orders.MaxItems {
			c.Items = append(c.Items, orders.Item{ItemID: "gold", Name: "Gold", Quantity: orders.MaxQuantity, UnitPrice: orders.MaxUnitPrice})
		}
	})
	const want = int64(orders.MaxItems) * orders.MaxQuantity * orders.MaxUnitPrice
	for i := range orders.MaxEntries {
		g.do(payer, orders.Pay{Amount: want, TransactionID: strconv.Itoa(i)})
	}
	if g.o.Total != want || g.o.Payment.Captured != orders.MaxEntries*want || g.o.Payment.RefundDue != (orders.MaxEntries-1)*want {
		t.Errorf("total %d, captured %d", g.o.Total, g.o.Payment.Captured)
	}
}
