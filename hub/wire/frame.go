package wire

import (
	"encoding/json"
	"strconv"
	"time"

	"doorbell/orders"
)

// Frames of the hub. Each Append function writes one line with its line break, so lines can be put behind each other
// into one message. Topics and ids need no escaping: ParseTopic lets nothing through that would.

// AppendHello writes the first line of a session. heartbeat is how often a silent client is pinged.
func AppendHello(b []byte, session string, heartbeat time.Duration) []byte {
	b = append(b, `{"op":"hello","session":"`...)
	b = append(b, session...)
	b = append(b, `","heartbeatSeconds":`...)
	b = strconv.AppendInt(b, int64(heartbeat/time.Second), 10)
	return append(b, "}\n"...)
}

// AppendOK writes that a request was carried out.
func AppendOK(b []byte, id int64) []byte {
	b = append(b, `{"op":"ok","id":`...)
	b = strconv.AppendInt(b, id, 10)
	return append(b, "}\n"...)
}

// AppendAnswer is AppendOK of a request that is told more: answer is JSON.
func AppendAnswer(b []byte, id int64, answer []byte) []byte {
	b = append(b, `{"op":"ok","id":`...)
	b = strconv.AppendInt(b, id, 10)
	b = append(b, `,"answer":`...)
	b = append(b, answer...)
	return append(b, "}\n"...)
}

// AppendError writes that a request, or one topic of it, was refused. id nil and topic "" are left out. Unlike the
// others it quotes the topic, which may be anything.
func AppendError(b []byte, id *int64, topic string, kind orders.Kind, detail string) []byte {
	b = append(b, `{"op":"error"`...)
	if id != nil {
		b = append(b, `,"id":`...)
		b = strconv.AppendInt(b, *id, 10)
	}
	if topic != "" {
		b = append(b, `,"topic":`...)
		b = appendString(b, topic)
	}
	b = append(b, `,"kind":"`...)
	b = append(b, kind...)
	b = append(b, `","detail":`...)
	b = appendString(b, detail)
	return append(b, "}\n"...)
}

// AppendSnapshot writes the whole of an order as a role may see it, and where its courier was last. order and location
// are JSON, location nil where there is nothing to see.
func AppendSnapshot(b []byte, t Topic, board *Topic, seq int64, order, location []byte) []byte {
	b = appendHead(b, OpSnapshot, t, board)
	b = append(b, `,"seq":`...)
	b = strconv.AppendInt(b, seq, 10)
	b = append(b, `,"order":`...)
	b = append(b, order...)
	if location != nil {
		b = append(b, `,"location":`...)
		b = append(b, location...)
	}
	return append(b, "}\n"...)
}

// AppendLatest writes a position (OpLocation) or an arrival (OpETA) of an order. value is JSON.
func AppendLatest(b []byte, op Op, t Topic, value []byte) []byte {
	b = appendHead(b, op, t, nil)
	b = append(b, `,"`...)
	b = append(b, op...)
	b = append(b, `":`...)
	b = append(b, value...)
	return append(b, "}\n"...)
}

// AppendBoard writes a page of a board. orders are JSON; more says that another page follows.
func AppendBoard(b []byte, t Topic, orders [][]byte, more bool) []byte {
	b = appendHead(b, OpSnapshot, t, nil)
	b = append(b, `,"orders":[`...)
	for i, o := range orders {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, o...)
	}
	b = append(b, ']')
	if more {
		b = append(b, `,"more":true`...)
	}
	return append(b, "}\n"...)
}

// AppendCurrent writes that a resumed watch missed nothing up to seq.
func AppendCurrent(b []byte, t Topic, seq int64) []byte {
	b = appendHead(b, OpCurrent, t, nil)
	b = append(b, `,"seq":`...)
	b = strconv.AppendInt(b, seq, 10)
	return append(b, "}\n"...)
}

// AppendEvent writes one event. envelope is JSON, the same bytes for everybody; board names the board it is shown on.
func AppendEvent(b []byte, t Topic, board *Topic, seq int64, envelope []byte) []byte {
	b = appendHead(b, OpEvent, t, board)
	b = append(b, `,"seq":`...)
	b = strconv.AppendInt(b, seq, 10)
	b = append(b, `,"event":`...)
	b = append(b, envelope...)
	return append(b, "}\n"...)
}

// AppendGone writes that a topic is no longer the client's.
func AppendGone(b []byte, t Topic, board *Topic) []byte {
	return append(appendHead(b, OpGone, t, board), "}\n"...)
}

// AppendDegraded writes that events may come late for now.
func AppendDegraded(b []byte, detail string) []byte {
	b = append(b, `{"op":"degraded","detail":`...)
	b = appendString(b, detail)
	return append(b, "}\n"...)
}

// AppendGoaway writes that the client should open another socket after wait, and then leave this one.
func AppendGoaway(b []byte, wait time.Duration) []byte {
	b = append(b, `{"op":"goaway","reconnectInMs":`...)
	b = strconv.AppendInt(b, wait.Milliseconds(), 10)
	return append(b, "}\n"...)
}

// AppendPong writes the answer to a ping.
func AppendPong(b []byte) []byte { return append(b, `{"op":"pong"}`+"\n"...) }

func appendHead(b []byte, op Op, t Topic, board *Topic) []byte {
	b = append(b, `{"op":"`...)
	b = append(b, op...)
	b = append(b, `","topic":"`...)
	b = appendTopic(b, t)
	b = append(b, '"')
	if board != nil {
		b = append(b, `,"board":"`...)
		b = appendTopic(b, *board)
		b = append(b, '"')
	}
	return b
}

func appendTopic(b []byte, t Topic) []byte {
	b = append(b, t.Kind...)
	b = append(b, '/')
	return append(b, t.ID...)
}

func appendString(b []byte, s string) []byte {
	j, _ := json.Marshal(s) // a string always encodes
	return append(b, j...)
}

// Frame is one line of the hub, as a client reads it. Fields that its Op does not have are zero.
type Frame struct {
	Op               Op                `json:"op"`
	ID               *int64            `json:"id,omitempty"`
	Answer           json.RawMessage   `json:"answer,omitempty"` // of OpOK to a locate
	Topic            string            `json:"topic,omitempty"`
	Board            string            `json:"board,omitempty"`
	Seq              int64             `json:"seq,omitempty"`
	Event            json.RawMessage   `json:"event,omitempty"`
	Order            json.RawMessage   `json:"order,omitempty"`
	Orders           []json.RawMessage `json:"orders,omitempty"`
	More             bool              `json:"more,omitempty"`
	Location         json.RawMessage   `json:"location,omitempty"`
	ETA              json.RawMessage   `json:"eta,omitempty"`
	Kind             orders.Kind       `json:"kind,omitempty"`
	Detail           string            `json:"detail,omitempty"`
	Session          string            `json:"session,omitempty"`
	HeartbeatSeconds int               `json:"heartbeatSeconds,omitempty"`
	ReconnectInMs    int64             `json:"reconnectInMs,omitempty"`
}

// ParseFrame reads one line of the hub. Unknown fields and ops pass, so that an old client understands a newer hub.
func ParseFrame(line []byte) (Frame, error) {
	var f Frame
	if err := json.Unmarshal(line, &f); err != nil || f.Op == "" {
		return Frame{}, &Error{Detail: "is not one JSON object of the hub"}
	}
	return f, nil
}
