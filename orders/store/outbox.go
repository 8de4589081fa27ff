package store

import (
	"strings"
	"time"

	"doorbell/orders"
)

// outbox tells the other nodes of what a committer wrote.
type outbox struct {
	row       func(orders.Group) Step // the step that notes a group for whoever has to publish it later; nil = nobody has to
	newRow    func() string           // the id of a group's row
	publisher orders.GroupPublisher   // nil = nobody listens
}

// note is the step that goes with a group's transaction, and the id of the row it writes. ok is false where there is
// nothing to note.
func (o *outbox) note(g group) (s Step, row string, ok bool) {
	if o.row == nil {
		return Step{}, "", false
	}
	var all orders.Group
	for _, c := range g {
		if c.tell != nil {
			c.tell(&all)
		}
	}
	if !tells(&all) {
		return Step{}, "", false
	}
	all.Row = o.newRow()
	return o.row(all), all.Row, true
}

// publish hands on what was really committed, with the row that notes it. A group in which everybody lost leaves its row
// to the sweep.
func (o *outbox) publish(row string, g group, told []error) {
	if o.publisher == nil {
		return
	}
	won := orders.Group{Row: row}
	for i, c := range g {
		if told[i] == nil && c.tell != nil {
			c.tell(&won)
		}
	}
	if tells(&won) {
		o.publisher.PublishGroup(won)
	}
}

func tells(g *orders.Group) bool { return len(g.Orders)+len(g.Restaurants)+len(g.Revocations) > 0 }

// newRow is the id of a group's row: a UUIDv7, so rows are written at one end of their index.
func newRow(now time.Time) string { return strings.TrimPrefix(orders.NewID(now), orders.IDPrefix) }
