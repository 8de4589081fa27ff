package wire_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"doorbell/hub/wire"
	"doorbell/orders"
)

func raws(list ...string) []json.RawMessage {
	out := make([]json.RawMessage, 0, len(list))
	for _, s := range list {
		out = append(out, json.RawMessage(s))
	}
	return out
}

func topics(n int) string {
	return `[` + strings.TrimSuffix(strings.Repeat(`"order/x",`, n), ",") + `]`
}

func watches(n int) string {
	return `[` + strings.TrimSuffix(strings.Repeat(`{"topic":"order/x"},`, n), ",") + `]`
}

func TestParseRequest_BadLines(t *testing.T) {
	for _, c := range []struct {
		line  string
		id    int64 // 0 = none could be read
		field string
	}{
		{``, 0, ""},
		{`nonsense`, 0, ""},
		{`[]`, 0, ""},
		{`"ping"`, 0, ""},
		{`7`, 0, ""},
		{`null`, 0, "op"},
		{`{}`, 0, "op"},
		{`{"op":null}`, 0, "op"},
		{`{"op":7,"id":1}`, 1, "op"},
		{`{"id":1,"op":["ping"]}`, 1, "op"},
		{`{"op":"ping"} {"op":"ping"}`, 0, ""},
		{`{"op":"ping"},`, 0, ""},
		{`{"op":"ping"`, 0, ""},
		{`{"op":"shout","id":3}`, 3, "op"},
		{`{"op":"hello","id":3}`, 3, "op"}, // what the hub says is not for clients
		{`{"op":"","id":3}`, 3, "op"},
		{`{"op":"ping","x":1,"id":4}`, 4, ""},
		{`{"op":"ping","id":"4"}`, 0, "id"},
		{`{"op":"ping","id":4.5}`, 0, "id"},
		{`{"op":"ping","id":1e3}`, 0, "id"},
		{`{"op":"ping","id":null}`, 0, "id"},
		{`{"op":"ping","id":9223372036854775808}`, 0, "id"},
		{`{"op":"ping","id":` + strings.Repeat("9", 5000) + `}`, 0, "id"},
		{`{"op":"ping","topics":["order/x"]}`, 0, "topics"},
		{`{"op":"ping","topic":"order/x"}`, 0, "topic"},
		{`{"op":"ping","seq":1}`, 0, "seq"},
		{`{"op":"ping","token":"x"}`, 0, "token"},
		{`{"op":"ping","points":[]}`, 0, "points"},
		{`{"op":"watch","id":5}`, 5, "topics"},
		{`{"op":"watch","topics":null}`, 0, "topics"},
		{`{"op":"watch","topics":[]}`, 0, "topics"},
		{`{"op":"watch","topics":{}}`, 0, "topics"},
		{`{"op":"watch","topics":"order/x"}`, 0, "topics"},
		{`{"op":"watch","topics":["order/x"]}`, 0, "topics"},
		{`{"op":"watch","topics":[{"topic":7}]}`, 0, "topics"},
		{`{"op":"watch","topics":[{"topic":"order/x","after":-1}]}`, 0, "topics"},
		{`{"op":"watch","topics":[{"topic":"order/x","after":1.5}]}`, 0, "topics"},
		{`{"op":"watch","topics":[{"topic":"order/x","after":"1"}]}`, 0, "topics"},
		{`{"op":"watch","topics":[{"topic":"order/x","before":1}]}`, 0, "topics"},
		{`{"op":"watch","topics":[{"topic":"order/x","after":9223372036854775808}]}`, 0, "topics"},
		{`{"op":"watch","topics":` + watches(201) + `}`, 0, "topics"},
		{`{"op":"watch","topics":[{"topic":"order/x"}],"seq":1}`, 0, "seq"},
		{`{"op":"unwatch","topics":[{"topic":"order/x"}]}`, 0, "topics"},
		{`{"op":"unwatch","topics":` + topics(201) + `}`, 0, "topics"},
		{`{"op":"ack","seq":1}`, 0, "topic"},
		{`{"op":"ack","topic":"","seq":1}`, 0, "topic"},
		{`{"op":"ack","topic":"order/x"}`, 0, "seq"},
		{`{"op":"ack","topic":"order/x","seq":0}`, 0, "seq"},
		{`{"op":"ack","topic":"order/x","seq":-5}`, 0, "seq"},
		{`{"op":"ack","topic":"order/x","seq":"5"}`, 0, "seq"},
		{`{"op":"ack","topic":["order/x"],"seq":5}`, 0, "topic"},
		{`{"op":"token"}`, 0, "token"},
		{`{"op":"token","token":""}`, 0, "token"},
		{`{"op":"token","token":7}`, 0, "token"},
		{`{"op":"ping","coordSys":"wgs84"}`, 0, "coordSys"},
		{`{"op":"locate"}`, 0, "points"},
		{`{"op":"locate","points":[],"coordSys":""}`, 0, "coordSys"},
		{`{"op":"locate","points":[],"coordSys":7}`, 0, "coordSys"},
	} {
		r, err := wire.ParseRequest([]byte(c.line))
		var e *wire.Error
		if !errors.As(err, &e) {
			t.Errorf("%.80s: accepted as %+v", c.line, r)
			continue
		}
		if e.Field != c.field || (e.ID == nil) != (c.id == 0) || e.ID != nil && *e.ID != c.id {
			t.Errorf("%.80s: %v, field %q, id %v", c.line, e, e.Field, e.ID)
		}
		if wire.KindOf(fmt.Errorf("line 1: %w", err)) != orders.Invalid || !reflect.DeepEqual(r, wire.Request{}) {
			t.Errorf("%.80s: kind %s, %+v", c.line, wire.KindOf(err), r)
		}
		if n := len(err.Error()); n > 200 {
			t.Errorf("%.80s: an answer of %d bytes", c.line, n)
		}
	}
	if k := wire.KindOf(orders.Errorf(orders.NotFound, "x")); k != orders.NotFound {
		t.Errorf("another's error is of kind %s", k)
	}
}

// An answer must not be much longer than what it answers, or a client makes us write for it.
func TestParseRequest_ShortAnswers(t *testing.T) {
	for _, line := range []string{
		`{"op":"ping","` + strings.Repeat("\xff", 20_000) + `":1}`,
		`{"op":"ping","` + strings.Repeat(`\u0001`, 5000) + `":1}`,
		`{"op":` + strings.Repeat("9", 20_000) + `}`,
		`{"op":"` + strings.Repeat("x", 20_000) + `"}`,
		strings.Repeat("[", 20_000),
	} {
		if _, err := wire.ParseRequest([]byte(line)); err == nil || len(err.Error()) > 200 {
			t.Errorf("%.60s…: %.300v", line, err)
		}
	}
}

func TestParseRequest_GoodLines(t *testing.T) {
	for _, line := range []string{
		"  {\"op\":\"ping\"}\t\r\n",
		`{"op":"ping","op":"ping"}`,
		`{"op":"ping","id":-9223372036854775808}`,
		`{"op":"watch","topics":[{"topic":"nonsense","after":9223372036854775807}]}`, // the hub answers for each topic
		`{"op":"watch","topics":` + watches(200) + `}`,
		`{"op":"unwatch","topics":` + topics(200) + `}`,
		`{"op":"locate","points":"whatever the door makes of it"}`,
		`{"op":"locate","points":[],"coordSys":"whatever the door makes of it"}`,
	} {
		if _, err := wire.ParseRequest([]byte(line)); err != nil {
			t.Errorf("%.80s: %v", line, err)
		}
	}
}

func FuzzRequest(f *testing.F) {
	for _, r := range clientFrames {
		f.Add(r.Append(nil))
	}
	f.Add([]byte(`{"op":"locate","id":1,"points":[ {"lat":1e-7,"note":"<\u2028>"} ]}`))
	f.Add([]byte(`{"OP":"ack","topic":"\ud800","seq":1}`))
	f.Add([]byte(`{"op":"ping","x":1}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		r, err := wire.ParseRequest(line)
		if err != nil {
			var e *wire.Error
			if !errors.As(err, &e) || len(e.Error()) > 300 {
				t.Fatalf("%T %v", err, err)
			}
			return
		}
		written := r.Append(nil)
		again, err := wire.ParseRequest(written)
		if err != nil {
			t.Fatalf("%q was accepted, and written as %q: %v", line, written, err)
		}
		if !samePoints(t, r.Points, again.Points) {
			t.Fatalf("points %s became %s", r.Points, again.Points)
		}
		r.Points, again.Points = nil, nil
		if !reflect.DeepEqual(r, again) {
			t.Fatalf("%+v became %+v", r, again)
		}
		if bytes.ContainsRune(written, '\n') {
			t.Fatalf("more than a line: %q", written)
		}
	})
}

func samePoints(t *testing.T, a, b json.RawMessage) bool {
	if len(a) == 0 || len(b) == 0 {
		return len(a) == len(b)
	}
	value := func(raw []byte) (v any) {
		d := json.NewDecoder(bytes.NewReader(raw))
		d.UseNumber()
		if err := d.Decode(&v); err != nil {
			t.Fatal(err)
		}
		return v
	}
	return reflect.DeepEqual(value(a), value(b))
}

func FuzzFrame(f *testing.F) {
	for _, c := range hubFrames {
		f.Add(c.line)
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		a, err := wire.ParseFrame(line)
		if err != nil {
			return
		}
		first, err := json.Marshal(a)
		if err != nil {
			t.Fatal(err)
		}
		b, err := wire.ParseFrame(first)
		if err != nil {
			t.Fatalf("%q was accepted, and written as %q: %v", line, first, err)
		}
		if second, err := json.Marshal(b); err != nil || !bytes.Equal(first, second) {
			t.Fatalf("%s became %s (%v)", first, second, err)
		}
	})
}

// FuzzAppend holds what the hub writes against what a client reads, whatever is in it.
func FuzzAppend(f *testing.F) {
	f.Add("order/ord_1", "no such order", int64(5), true)
	f.Add("courier/a.b:c-d", "\x00\xff\"\\\n\u2028</script>", int64(-1), false)
	f.Fuzz(func(t *testing.T, topic, detail string, n int64, more bool) {
		read := func(line []byte) wire.Frame {
			t.Helper()
			if !bytes.HasSuffix(line, []byte("}\n")) || bytes.Count(line, []byte("\n")) != 1 {
				t.Fatalf("not a line: %q", line)
			}
			got, err := wire.ParseFrame(line)
			if err != nil {
				t.Fatalf("%q: %v", line, err)
			}
			return got
		}
		clean := strings.ToValidUTF8(topic, "\ufffd")
		if e := read(wire.AppendError(nil, &n, topic, orders.Invalid, detail)); *e.ID != n || len(e.Topic) < len(clean) {
			t.Fatalf("%+v", e)
		}
		read(wire.AppendDegraded(nil, detail))
		on, ok := wire.ParseTopic(topic)
		if !ok {
			return
		}
		if on.String() != topic {
			t.Fatalf("%q was read as %q", topic, on)
		}
		want := wire.Frame{Op: wire.OpEvent, Topic: topic, Board: topic, Seq: n, Event: []byte(envelope)}
		if got := read(wire.AppendEvent(nil, on, &on, n, []byte(envelope))); !reflect.DeepEqual(got, want) {
			t.Fatalf("%+v", got)
		}
		if got := read(wire.AppendBoard(nil, on, raw(order), more)); got.More != more || got.Topic != topic || len(got.Orders) != 1 {
			t.Fatalf("%+v", got)
		}
		if got := read(wire.AppendAnswer(nil, n, []byte(located))); *got.ID != n || string(got.Answer) != located {
			t.Fatalf("%+v", got)
		}
		if got := read(wire.AppendGoaway(nil, time.Duration(n))); got.ReconnectInMs != time.Duration(n).Milliseconds() {
			t.Fatalf("%+v", got)
		}
	})
}

func raw(list ...string) [][]byte {
	var out [][]byte
	for _, s := range list {
		out = append(out, []byte(s))
	}
	return out
}

func TestParseFrame(t *testing.T) {
	f, err := wire.ParseFrame([]byte(`{"op":"sing","topic":"order/x","loudness":11}`)) // of a newer hub
	if err != nil || f.Op != "sing" || f.Topic != "order/x" {
		t.Errorf("%+v, %v", f, err)
	}
	for _, line := range []string{``, `[]`, `{"op":"pong"} {"op":"pong"}`, `{"op":7}`, `{"op":"event","seq":"6"}`, `nonsense`, `null`, `{}`} {
		if f, err := wire.ParseFrame([]byte(line)); err == nil {
			t.Errorf("%s: accepted as %+v", line, f)
		}
	}
}

func TestParseTopic(t *testing.T) {
	long := strings.Repeat("x", 64)
	for _, c := range []struct {
		s     string
		want  wire.Topic
		board bool
	}{
		{"order/ord_1", wire.Topic{Kind: wire.TopicOrder, ID: "ord_1"}, false},
		{"order/ord_01996c2f-3a00-7abc-8def-0123456789ab", wire.OrderTopic("ord_01996c2f-3a00-7abc-8def-0123456789ab"), false},
		{"restaurant/res_1", wire.Topic{Kind: wire.TopicRestaurant, ID: "res_1"}, true},
		{"courier/A.z:0-_", wire.Topic{Kind: wire.TopicCourier, ID: "A.z:0-_"}, true},
		{"order/" + long, wire.OrderTopic(long), false},
	} {
		got, ok := wire.ParseTopic(c.s)
		if !ok || got != c.want || got.Board() != c.board || got.String() != c.s {
			t.Errorf("%s: %+v, %v", c.s, got, ok)
		}
	}
	for _, s := range []string{
		"", "/", "order", "order/", "/ord_1", "Order/ord_1", "orders/ord_1", "customer/cus_1", "order/a/b", "order//a", " order/a",
		"order/a ", "order/a\n", "order/\x00", "order/ä", "order/a\"b", "order/a\\b", "order/<a>", "order/" + long + "x", "order/%2f",
		"order/\xff", "order/a,b", "order/*",
	} {
		if got, ok := wire.ParseTopic(s); ok {
			t.Errorf("%q: accepted as %+v", s, got)
		}
	}
}
