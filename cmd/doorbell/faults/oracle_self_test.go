package faults

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"doorbell/hub/wire"
	"doorbell/orders"
)

// TestOracle tries the oracle on what is wrong, since one that never finds anything looks like a product that works.
func TestOracle(t *testing.T) {
	event := func(topic string, seq int) string {
		return fmt.Sprintf(`{"op":"event","topic":%q,"seq":%d}`, topic, seq)
	}
	snapshot := func(topic string, seq int) string {
		return fmt.Sprintf(`{"op":"snapshot","topic":%q,"seq":%d}`, topic, seq)
	}
	board := func(frame string) string { return strings.TrimSuffix(frame, "}") + `,"board":"restaurant/r"}` }
	page := func(id string, seq int, more bool) string {
		return fmt.Sprintf(`{"op":"snapshot","topic":"restaurant/r","orders":[{"orderId":%q,"seq":%d}],"more":%v}`, id, seq, more)
	}
	gone := `{"op":"gone","topic":"order/a"}`
	for _, c := range []struct {
		name           string
		after          int64
		told           []string
		restored       map[string]int64
		lost, repeated int
		other          bool // something wrong that is neither
	}{
		{name: "in order", told: []string{snapshot("order/a", 3), event("order/a", 4), event("order/a", 5)}},
		{name: "resumed", after: 3, told: []string{event("order/a", 4), snapshot("order/a", 9), event("order/a", 10)}},
		{name: "current", after: 3, told: []string{`{"op":"current","topic":"order/a","seq":3}`, event("order/a", 4)}},
		{name: "not current", after: 3, told: []string{`{"op":"current","topic":"order/a","seq":4}`}, other: true},
		{name: "gap", told: []string{snapshot("order/a", 3), event("order/a", 6)}, lost: 2},
		{name: "gap at the beginning", after: 3, told: []string{event("order/a", 5)}, lost: 1},
		{name: "no snapshot", told: []string{event("order/a", 1)}, lost: 1},
		{name: "repeat", told: []string{snapshot("order/a", 3), event("order/a", 4), event("order/a", 4)}, repeated: 1},
		{name: "old event", told: []string{snapshot("order/a", 3), event("order/a", 2)}, repeated: 1},
		{name: "step back", told: []string{snapshot("order/a", 3), snapshot("order/a", 2)}, repeated: 1},
		{name: "restored", told: []string{snapshot("order/a", 3), snapshot("order/a", 2)}, restored: map[string]int64{"a": 2}},
		{name: "restored wrongly", told: []string{snapshot("order/a", 3), snapshot("order/a", 1)}, restored: map[string]int64{"a": 2}, repeated: 1},
		{name: "gone", told: []string{snapshot("order/a", 3), gone}, lost: 1},
		{name: "gone with the backup", told: []string{snapshot("order/a", 3), gone}, restored: map[string]int64{"b": 2}},
		{name: "not asked for", told: []string{event("order/b", 7)}},
		{name: "board", told: []string{
			page("a", 2, true), board(snapshot("order/c", 5)), page("b", 4, false), board(event("order/a", 3)), board(event("order/c", 6)),
		}},
		{name: "gap on a board", told: []string{page("a", 2, false), board(event("order/a", 4))}, lost: 1},
		{name: "event of a stranger on a board", told: []string{page("a", 2, false), board(event("order/z", 1))}, lost: 1},
		{name: "repeat on a board", told: []string{page("a", 2, false), board(event("order/a", 2))}, repeated: 1},
		{name: "step back on a page", told: []string{page("a", 2, false), page("a", 1, false)}, repeated: 1},
		{name: "no frame", told: []string{"hello"}, other: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := &oracle{}
			o.allowBack(c.restored)
			s := newSocket(&tap{oracle: o, name: "x"}, "here")
			q := wire.Request{Op: wire.OpWatch, Watch: []wire.Watch{{Topic: "order/a", After: c.after}, {Topic: "restaurant/r"}}}
			s.say(q.Append(nil))
			s.hear([]byte(strings.Join(c.told, "\n")))
			lost, repeated, wrong := o.take()
			if lost != c.lost || repeated != c.repeated || (len(wrong) > 0) != (c.other || c.lost+c.repeated > 0) {
				t.Errorf("lost %d, repeated %d, want %d and %d: %v", lost, repeated, c.lost, c.repeated, wrong)
			}
		})
	}
}

// TestMessages cuts a connection, byte by byte, into the messages that are in it.
func TestMessages(t *testing.T) {
	long := strings.Repeat("x", 70_000)
	stream := []byte("HTTP/1.1 101 Switching Protocols\r\nX: y\r\n\r\n")
	frame := func(head byte, masked bool, text string) {
		m := byte(0)
		if masked {
			m = 0x80
		}
		stream = append(stream, head)
		switch n := len(text); {
		case n < 126:
			stream = append(stream, m|byte(n))
		case n < 1<<16:
			stream = append(stream, m|126, byte(n>>8), byte(n))
		default:
			stream = append(stream, m|127, 0, 0, 0, 0, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
		}
		b := []byte(text)
		if masked {
			mask := []byte{1, 2, 3, 4}
			stream = append(stream, mask...)
			for i := range b {
				b[i] ^= mask[i%4]
			}
		}
		stream = append(stream, b...)
	}
	frame(0x81, false, "one")
	frame(0x01, true, "two ")
	frame(0x89, false, "a ping in between")
	frame(0x80, true, long[:300])
	frame(0x81, true, long)
	var got []string
	m := messages{each: func(b []byte) { got = append(got, string(bytes.Clone(b))) }}
	for _, b := range stream {
		m.feed([]byte{b})
	}
	if want := []string{"one", "two " + long[:300], long}; fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%d messages: %.100v", len(got), got)
	}
}

// TestView: a board's listing that leaves out an order is as good as its end, if it began after it; an older one is not.
func TestView(t *testing.T) {
	o := &oracle{}
	v := newView(o, "x", true)
	list := func(seq int64, ids ...string) (out []order) {
		for _, id := range ids {
			out = append(out, order{OrderID: id, Seq: seq})
		}
		return out
	}
	v.page(true, false, list(2, "a", "b"))
	v.event("a", 3)
	if _, ok := v.since(entry{id: "a", seq: 3}, true); !ok {
		t.Error("has not what it was told")
	}
	end := entry{id: "a", seq: 4, status: orders.Completed, endedAt: v.listed[0].Add(1)}
	if _, ok := v.since(end, true); ok {
		t.Error("knows the end from a listing before it")
	}
	v.page(true, true, list(2, "b"))
	if _, ok := v.since(end, true); ok {
		t.Error("knows the end from half a listing")
	}
	v.page(false, false, list(1, "c"))
	if _, ok := v.since(end, true); !ok {
		t.Error("does not know the end though a listing leaves it out")
	}
	v.page(true, false, list(2, "b", "c"))
	if at, ok := v.since(end, true); !ok || at.Equal(v.listed[len(v.listed)-1]) {
		t.Error("a later listing counts in place of the first")
	}
	if _, ok := v.since(entry{id: "b", seq: 3, endedAt: end.endedAt}, true); ok {
		t.Error("knows the end of an order that is listed")
	}
	v.event("b", 5)
	v.event("c", 2)
	v.snapshot("c", 0)
	if lost, repeated, wrong := o.take(); lost != 2 || repeated != 2 {
		t.Errorf("lost %d, repeated %d: %v", lost, repeated, wrong)
	}
}
