package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strconv"
	"strings"

	"doorbell/orders"
)

// Request is one line of a client.
type Request struct {
	Op     Op              `json:"op"`
	ID     *int64          `json:"id,omitempty"`     // the client's own number for the answer; nil = none asked for
	Watch  []Watch         `json:"-"`                // of OpWatch
	Topics []string        `json:"-"`                // of OpUnwatch
	Topic  string          `json:"topic,omitempty"`  // of OpAck
	Seq    int64           `json:"seq,omitempty"`    // of OpAck
	Token  string          `json:"token,omitempty"`  // of OpToken; never logged
	Points json.RawMessage `json:"points,omitempty"` // of OpLocate, as the REST door takes them

	CoordSys string `json:"coordSys,omitempty"` // of OpLocate: in which coordinates they are; "" = wgs84
}

// Watch is one topic of a watch request. Topic is as the client wrote it: a bad one is answered by itself.
type Watch struct {
	Topic string `json:"topic"`
	After int64  `json:"after,omitempty"` // last seq seen; 0 = none, send a snapshot
}

// Error is a line that cannot be read. It is always the client's to mend: Kind is Invalid.
type Error struct {
	ID     *int64 // of the line, where it could be read
	Field  string // which field is wrong, "" = the line as a whole
	Detail string
}

func (e *Error) Error() string {
	if e.Field == "" {
		return e.Detail
	}
	return e.Field + ": " + e.Detail
}

// raw is a line before it is known what it says.
type raw struct {
	Op     *Op             `json:"op"`
	ID     json.RawMessage `json:"id"`
	Topics json.RawMessage `json:"topics"`
	Topic  *string         `json:"topic"`
	Seq    *int64          `json:"seq"`
	Token  *string         `json:"token"`
	Points json.RawMessage `json:"points"`

	CoordSys *string `json:"coordSys"`
}

// fieldsOf says which fields an op takes beside op and id, and which of them it needs.
var fieldsOf = map[Op]struct{ topics, topic, token, points bool }{
	OpWatch: {topics: true}, OpUnwatch: {topics: true}, OpAck: {topic: true}, OpToken: {token: true},
	OpLocate: {points: true}, OpPing: {},
}

// ParseRequest reads one line. The error is always an *Error.
func ParseRequest(line []byte) (Request, error) {
	var in raw
	if err := strict(line, &in); err != nil {
		return Request{}, &Error{ID: readID(in.ID), Field: fieldOf(err), Detail: reasonOf(err)}
	}
	r := Request{ID: readID(in.ID)}
	bad := func(field, detail string) (Request, error) {
		return Request{}, &Error{ID: r.ID, Field: field, Detail: detail}
	}
	if len(in.ID) > 0 && r.ID == nil {
		return bad("id", "must be a whole number")
	}
	if in.Op == nil {
		return bad("op", "is missing")
	}
	takes, known := fieldsOf[*in.Op]
	switch r.Op = *in.Op; {
	case !known:
		return bad("op", "is none of watch, unwatch, ack, locate, token, ping")
	case takes.topics != (len(in.Topics) > 0):
		return bad("topics", wanted(takes.topics))
	case takes.topic != (in.Topic != nil):
		return bad("topic", wanted(takes.topic))
	case takes.topic != (in.Seq != nil):
		return bad("seq", wanted(takes.topic))
	case takes.token != (in.Token != nil):
		return bad("token", wanted(takes.token))
	case takes.points != (len(in.Points) > 0):
		return bad("points", wanted(takes.points))
	case in.CoordSys != nil && !takes.points:
		return bad("coordSys", wanted(false))
	}
	switch r.Op {
	case OpWatch:
		if err := strict(in.Topics, &r.Watch); err != nil {
			return bad("topics", `must be a list such as [{"topic":"order/ord_1","after":3}]`)
		}
		for _, w := range r.Watch {
			if w.After < 0 {
				return bad("topics", "after must not be negative")
			}
		}
	case OpUnwatch:
		if err := strict(in.Topics, &r.Topics); err != nil {
			return bad("topics", `must be a list such as ["order/ord_1"]`)
		}
	case OpAck:
		if r.Topic, r.Seq = *in.Topic, *in.Seq; r.Topic == "" {
			return bad("topic", "must not be empty")
		}
		if r.Seq < 1 {
			return bad("seq", "must be at least 1")
		}
	case OpToken:
		if r.Token = *in.Token; r.Token == "" {
			return bad("token", "must not be empty")
		}
	case OpLocate:
		r.Points = in.Points
		if in.CoordSys != nil {
			if r.CoordSys = *in.CoordSys; r.CoordSys == "" {
				return bad("coordSys", "must not be empty")
			}
		}
	}
	if n := len(r.Watch) + len(r.Topics); takes.topics && (n == 0 || n > MaxTopics) {
		return bad("topics", "must name 1 to "+strconv.Itoa(MaxTopics)+" topics")
	}
	return r, nil
}

func wanted(yes bool) string {
	if yes {
		return "is missing"
	}
	return "does not belong here"
}

// strict decodes one JSON value and refuses unknown fields and anything behind it.
func strict(b []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows the object")
	}
	return nil
}

func readID(b json.RawMessage) *int64 {
	n, err := strconv.ParseInt(string(b), 10, 64)
	if err != nil {
		return nil
	}
	return &n
}

func fieldOf(err error) string {
	var typ *json.UnmarshalTypeError
	if errors.As(err, &typ) {
		return typ.Field
	}
	return ""
}

func reasonOf(err error) string {
	var typ *json.UnmarshalTypeError
	if errors.As(err, &typ) {
		value, _, _ := strings.Cut(typ.Value, " ") // "number 1e999" without the digits
		return "must not be of type " + value
	}
	if name, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		if len(name) > maxName {
			return "unknown field"
		}
		return "unknown field " + name
	}
	return "is not one JSON object"
}

// maxName is the longest name of an unknown field, in bytes, that an error repeats: an answer must not be much longer
// than what it answers.
const maxName = 64

// Append writes the request as a client sends it, without a line break.
func (r Request) Append(b []byte) []byte {
	type plain Request
	out := struct {
		plain
		Topics any `json:"topics,omitempty"`
	}{plain: plain(r)}
	switch r.Op {
	case OpWatch:
		out.Topics = r.Watch
	case OpUnwatch:
		out.Topics = r.Topics
	}
	j, err := json.Marshal(out)
	if err != nil { // only Points can be what it should not
		j, _ = json.Marshal(struct {
			Op Op `json:"op"`
		}{r.Op})
	}
	return append(b, j...)
}

// KindOf is the kind that an error frame names for an error.
func KindOf(err error) orders.Kind {
	var e *Error
	if errors.As(err, &e) {
		return orders.Invalid
	}
	return orders.KindOf(err)
}
