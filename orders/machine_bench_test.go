package orders_test

import (
	"strconv"
	"testing"
	"time"

	"doorbell/orders"
)

// BenchmarkApply is one transition of a typical order (6 lines, 8 events so far) with its envelope. Target: 5 µs.
func BenchmarkApply(b *testing.B) {
	busy := func(to func(*play) *play) *play {
		g := place(b, func(c *orders.Create) {
			c.Items = nil
			for i := range 6 {
				c.Items = append(c.Items, orders.Item{ItemID: "item_" + strconv.Itoa(i), Name: "Dish number " + strconv.Itoa(i), Quantity: 1 + i%2, UnitPrice: 1800, Note: "no onion"})
			}
		})
		g = to(g.wait(time.Minute).pay())
		for i := len(g.o.Timeline); i < 8; i++ { // whatever else happened to it
			g.o.Seq++
			g.o.Timeline = append(g.o.Timeline, orders.TimelineEntry{Seq: g.o.Seq, Type: orders.OrderDelayed, At: g.now, Role: orders.RoleMerchant})
		}
		return g
	}
	same := func(g *play) *play { return g }
	for _, c := range []struct {
		name string
		to   func(*play) *play
		by   orders.Actor
		cmd  orders.Command
	}{
		{"confirm", same, merchant, orders.Confirm{PrepMinutes: 20}},
		{"prepare", (*play).confirm, merchant, orders.Prepare{}},
		{"assign", func(g *play) *play { return g.confirm().prepare() }, ops, orders.Assign{Courier: courier}},
		{"pickup", func(g *play) *play { return g.confirm().prepare().assign() }, rider, orders.Pickup{}},
		{"deliver", func(g *play) *play { return g.confirm().prepare().assign().pickup() }, rider, orders.Hand{}},
		{"amend", (*play).confirm, merchant, orders.Amend{ItemID: "item_1", Change: orders.ChangeRemove}},
		{"repeat", (*play).confirm, merchant, orders.Confirm{PrepMinutes: 20}},
		{"refused", same, merchant, orders.Prepare{}},
		{"nothing due", (*play).confirm, system, orders.Tick{}},
	} {
		b.Run(c.name, func(b *testing.B) {
			g := busy(c.to)
			b.ReportAllocs()
			for b.Loop() {
				_, _, _ = pol.Apply(g.o, c.cmd, c.by, g.now)
			}
		})
	}
	b.Run("create", func(b *testing.B) {
		c := order6000With(func(c *orders.Create) { c.Items = append(c.Items, c.Items...) })
		b.ReportAllocs()
		for b.Loop() {
			_, _, _ = pol.Apply(orders.Order{}, c, customer, t0)
		}
	})
}

// BenchmarkVisibleTo is what each read of an order pays.
func BenchmarkVisibleTo(b *testing.B) {
	g := onDelivery(b)
	who := caller(rider)
	b.ReportAllocs()
	for b.Loop() {
		if !g.o.Ownership().VisibleTo(who, g.now) {
			b.Fatal("hidden")
		}
	}
}
