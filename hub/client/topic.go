package client

import (
	"strings"

	"doorbell/hub/wire"
)

// topic is what Run knows of one watched topic, whatever socket it came by.
type topic struct {
	name  string
	gen   uint64 // of the wish it came from
	board bool
	known bool // the hub has shown it at least once

	last int64 // of an order: the last seq handed on; 0 = none, a snapshot must come first

	orders map[string]int64 // of a board, which one socket at a time speaks of: the last seq handed on of each order; nil before the first page
}

// maxBoard is how many orders a board is followed for, those that have ended included; beyond it the board is asked for
// anew, which leaves the ended ones out.
const maxBoard = 20_000

func newTopic(name string, w wish) *topic {
	return &topic{name: name, gen: w.gen, last: w.after, board: !strings.HasPrefix(name, string(wire.TopicOrder)+"/")}
}
