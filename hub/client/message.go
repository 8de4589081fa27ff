package client

import (
	"encoding/json"
	"time"

	"doorbell/orders"
)

// Message is what [Config.Handle] is given: one of the types of this file, as a value.
//
// Topic is what was watched, Board the board that shows an order, "" for the order's own topic. What comes by way of a
// board has the order's topic (order/{id}) in Topic and the board in Board. RawMessages are the receiver's to keep.
type Message interface{ message() }

type (
	// Snapshot is an order as a whole, as the token's role may see it (the order of GET /orders/{id}). It replaces all
	// that is known of the order up to Seq, also where Seq is lower than before: then the database was restored.
	Snapshot struct {
		Topic, Board, OrderID string
		Seq                   int64
		Order                 json.RawMessage
	}

	// BoardPage is a part of a board: orders that count like Snapshots. First begins the board anew, so that what is on
	// no page up to the one without More has left it.
	BoardPage struct {
		Topic       string
		Orders      []json.RawMessage
		First, More bool
	}

	// Current says that a resumed order is up to date: nothing was missed, and Seq is still the last.
	Current struct {
		Topic, OrderID string
		Seq            int64
	}

	// Event is one change of an order. Its Seq is one more than that of the order's last Event or Snapshot.
	Event struct {
		Topic, Board, OrderID string
		Seq                   int64
		Type                  orders.EventType
		Status                orders.Status // after the event
		OccurredAt            time.Time
		Role                  orders.Role     // who did it
		Reason                orders.Reason   // why the order ended; "" otherwise
		Envelope              json.RawMessage // the whole, as callbacks and the history have it
	}

	// Gone says that an order is no longer the caller's to see: it is not watched any more, or it left the Board.
	Gone struct{ Topic, Board, OrderID string }

	// Location is the latest position of an order's courier. Positions in between may have been left out.
	Location struct {
		Topic, Board, OrderID string
		At                    time.Time
		Lat, Lon              float64         // degrees
		JSON                  json.RawMessage // with what else is known: accuracy, speed, heading, stopsAhead, coarse
	}

	// ETA is the latest estimate of an order's arrival.
	ETA struct {
		Topic, Board, OrderID string
		At, Earliest, Latest  time.Time // zero where not known
		JSON                  json.RawMessage
	}

	// Problem says that a request was refused. After NotFound, Forbidden, Invalid and Exhausted the Topic is not watched
	// any more; after Unavailable and Internal the client asks again by itself. Topic is "" where none is meant.
	Problem struct {
		Topic  string
		Kind   orders.Kind
		Detail string
	}

	// Connected says that a socket is open. One that follows another without a Disconnected in between is a move to
	// another node: the old socket was left after the new one had answered.
	Connected struct{ Session string }

	// Disconnected says that there is no socket, why, and when the next attempt begins. Each failed attempt tells so.
	Disconnected struct {
		Err     error
		RetryIn time.Duration
	}

	// Degraded says that events may come late for now; nothing will be missed.
	Degraded struct{ Detail string }
)

func (Snapshot) message()     {}
func (BoardPage) message()    {}
func (Current) message()      {}
func (Event) message()        {}
func (Gone) message()         {}
func (Location) message()     {}
func (ETA) message()          {}
func (Problem) message()      {}
func (Connected) message()    {}
func (Disconnected) message() {}
func (Degraded) message()     {}
