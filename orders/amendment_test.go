package orders_test

import (
	"slices"
	"testing"

	"doorbell/orders"
)

// Rule 1: who sends a proposal again because the first answer was lost gets the order as it is, even where the
// customer's word of beforehand made it the order's end.
func TestProposalThatEndedTheOrderMayBeRepeated(t *testing.T) {
	for name, change := range map[string][]func(*orders.Create){
		"CANCEL was said beforehand":                     {cash, soldOut(orders.PolicyCancel)},
		"REMOVE was said beforehand about the last line": {cash, oneLine, soldOut(orders.PolicyRemove)},
	} {
		t.Run(name, func(t *testing.T) {
			g := place(t, change...).do(merchant, amend(orders.ChangeRemove, 0, nil))
			if axes(g.o) != "CANCELLED VOID UNASSIGNED" || g.o.Reason != orders.ItemSoldOut ||
				!slices.Equal(types(g.evs), []orders.EventType{orders.OrderAmendmentProposed, orders.OrderCancelled}) {
				t.Fatalf("%s %s, told %q", axes(g.o), g.o.Reason, types(g.evs))
			}
			if _, evs, err := g.try(merchant, amend(orders.ChangeRemove, 0, nil)); err != nil || len(evs) > 0 {
				t.Errorf("the repeat: %v, told %q", err, types(evs))
			}
		})
	}
}

// Rule 1: so does a proposal that offers the same item at another price.
func TestProposalOfTheSameItemMayBeRepeated(t *testing.T) {
	c := amend(orders.ChangeSubstitute, 0, &orders.Substitute{ItemID: "rice", Name: "Rice, small", UnitPrice: 900})
	g := place(t, cash, soldOut(orders.PolicySubstitute))
	first, _, err := g.try(merchant, c)
	if err != nil {
		return // refusing it is as good
	}
	g.o = first
	if _, evs, err := g.try(merchant, c); err != nil || len(evs) > 0 {
		t.Errorf("the repeat: %v, told %q", err, types(evs))
	}
}

// A dish may stand on several lines (with different notes): fewer pieces are taken from its last lines.
func TestReductionOfADishOnTwoLines(t *testing.T) {
	two := func(c *orders.Create) {
		c.Items = []orders.Item{
			{ItemID: "rice", Name: "Rice", Quantity: 2, UnitPrice: 100, Note: "hot"}, {ItemID: "tea", Name: "Tea", Quantity: 1, UnitPrice: 10},
			{ItemID: "rice", Name: "Rice", Quantity: 3, UnitPrice: 100, Note: "mild"},
		}
	}
	for left, want := range map[int]int64{1: 110, 2: 210, 3: 310, 4: 410} {
		g := place(t, cash, two).do(merchant, amend(orders.ChangeReduce, left, nil)).do(customer, orders.AcceptAmendment{N: 1})
		if g.o.Total != want || g.o.Items[0].Note != "hot" {
			t.Errorf("with %d left it costs %d, want %d: %+v", left, g.o.Total, want, g.o.Items)
		}
	}
	g := place(t, cash, two).do(merchant, amend(orders.ChangeRemove, 0, nil)).do(customer, orders.AcceptAmendment{N: 1})
	if len(g.o.Items) != 1 || g.o.Total != 10 {
		t.Errorf("removed: %+v", g.o.Items)
	}
}
