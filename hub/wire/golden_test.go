package wire_test

import (
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"doorbell/hub/wire"
	"doorbell/hub/wire/wiretest"
	"doorbell/orders"
)

var update = flag.Bool("update", false, "write testdata anew")

// The frames of design.md section 7, as they were agreed with clients: the files in testdata are the exact bytes, and a
// change of one is a change of the protocol.

func id(n int64) *int64 { return &n }

const envelope = `{"eventId":"ord_1:6","eventType":"order.preparing","seq":6,"occurredAt":"2026-03-14T12:00:00.000Z",` +
	`"actor":{"role":"merchant"},"payload":{"orderId":"ord_1","status":"PREPARING","timestamp":"2026-03-14T12:00:00.000Z","estimatedTime":23}}`

const located = `{"accepted":1,"dropped":[{"i":1,"reason":"INVALID"}],"nextIntervalMs":5000}`

const (
	location = `{"at":"2026-03-14T12:00:00.000Z","lat":31.23041,"lon":121.47370,"accuracy":8,"speed":4.2,"heading":181}`
	coarse   = `{"at":"2026-03-14T12:00:00.000Z","lat":31.2304,"lon":121.4737,"stopsAhead":2,"coarse":true}`
)

const order = `{"orderId":"ord_1","status":"PREPARING","seq":5}`

var (
	ord1 = wire.OrderTopic("ord_1")
	res1 = wire.Topic{Kind: wire.TopicRestaurant, ID: "res_1"}
	cou1 = wire.Topic{Kind: wire.TopicCourier, ID: "cou_1"}
)

var hubFrames = map[string]struct {
	line  []byte
	frame wire.Frame
}{
	"hello": {
		wire.AppendHello(nil, "hOzl6wq3VTqb", 25*time.Second),
		wire.Frame{Op: wire.OpHello, Session: "hOzl6wq3VTqb", HeartbeatSeconds: 25},
	},
	"ok": {wire.AppendOK(nil, 7), wire.Frame{Op: wire.OpOK, ID: id(7)}},
	"ok_located": {
		wire.AppendAnswer(nil, 9, []byte(located)), wire.Frame{Op: wire.OpOK, ID: id(9), Answer: []byte(located)},
	},
	"error": {
		wire.AppendError(nil, id(7), "order/ord_9", orders.NotFound, "no such order"),
		wire.Frame{Op: wire.OpError, ID: id(7), Topic: "order/ord_9", Kind: orders.NotFound, Detail: "no such order"},
	},
	"error_bare": {
		wire.AppendError(nil, nil, "", orders.Invalid, `unknown field "a\"b"`),
		wire.Frame{Op: wire.OpError, Kind: orders.Invalid, Detail: `unknown field "a\"b"`},
	},
	"snapshot": {
		wire.AppendSnapshot(nil, ord1, nil, 5, []byte(order), nil),
		wire.Frame{Op: wire.OpSnapshot, Topic: "order/ord_1", Seq: 5, Order: []byte(order)},
	},
	"snapshot_on_board": {
		wire.AppendSnapshot(nil, ord1, &res1, 5, []byte(order), nil),
		wire.Frame{Op: wire.OpSnapshot, Topic: "order/ord_1", Board: "restaurant/res_1", Seq: 5, Order: []byte(order)},
	},
	"board": {
		wire.AppendBoard(nil, res1, [][]byte{[]byte(order), []byte(order)}, true),
		wire.Frame{Op: wire.OpSnapshot, Topic: "restaurant/res_1", Orders: raws(order, order), More: true},
	},
	"board_empty": {
		wire.AppendBoard(nil, cou1, nil, false),
		wire.Frame{Op: wire.OpSnapshot, Topic: "courier/cou_1", Orders: raws()},
	},
	"snapshot_with_location": {
		wire.AppendSnapshot(nil, ord1, nil, 5, []byte(order), []byte(location)),
		wire.Frame{Op: wire.OpSnapshot, Topic: "order/ord_1", Seq: 5, Order: []byte(order), Location: []byte(location)},
	},
	"location": {
		wire.AppendLatest(nil, wire.OpLocation, ord1, []byte(location)),
		wire.Frame{Op: wire.OpLocation, Topic: "order/ord_1", Location: []byte(location)},
	},
	"location_coarse": {
		wire.AppendLatest(nil, wire.OpLocation, ord1, []byte(coarse)),
		wire.Frame{Op: wire.OpLocation, Topic: "order/ord_1", Location: []byte(coarse)},
	},
	"current": {wire.AppendCurrent(nil, ord1, 5), wire.Frame{Op: wire.OpCurrent, Topic: "order/ord_1", Seq: 5}},
	"event": {
		wire.AppendEvent(nil, ord1, nil, 6, []byte(envelope)),
		wire.Frame{Op: wire.OpEvent, Topic: "order/ord_1", Seq: 6, Event: []byte(envelope)},
	},
	"event_on_board": {
		wire.AppendEvent(nil, ord1, &res1, 6, []byte(envelope)),
		wire.Frame{Op: wire.OpEvent, Topic: "order/ord_1", Board: "restaurant/res_1", Seq: 6, Event: []byte(envelope)},
	},
	"gone": {wire.AppendGone(nil, ord1, nil), wire.Frame{Op: wire.OpGone, Topic: "order/ord_1"}},
	"gone_from_board": {
		wire.AppendGone(nil, ord1, &cou1), wire.Frame{Op: wire.OpGone, Topic: "order/ord_1", Board: "courier/cou_1"},
	},
	"degraded": {
		wire.AppendDegraded(nil, "events may come late"), wire.Frame{Op: wire.OpDegraded, Detail: "events may come late"},
	},
	"goaway": {
		wire.AppendGoaway(nil, 1830*time.Millisecond+999*time.Microsecond), wire.Frame{Op: wire.OpGoaway, ReconnectInMs: 1830},
	},
	"pong": {wire.AppendPong(nil), wire.Frame{Op: wire.OpPong}},
}

var clientFrames = map[string]wire.Request{
	"watch":        {Op: wire.OpWatch, ID: id(7), Watch: []wire.Watch{{Topic: "order/ord_1", After: 3}}},
	"watch_many":   {Op: wire.OpWatch, Watch: []wire.Watch{{Topic: "restaurant/res_1"}, {Topic: "order/ord_2", After: 1}}},
	"unwatch":      {Op: wire.OpUnwatch, ID: id(8), Topics: []string{"order/ord_1"}},
	"ack":          {Op: wire.OpAck, Topic: "order/ord_1", Seq: 5},
	"ack_with_id":  {Op: wire.OpAck, ID: id(-1), Topic: "order/ord_1", Seq: 5},
	"locate":       {Op: wire.OpLocate, ID: id(9), Points: []byte(`[{"at":"2026-03-14T12:00:00.000Z","lat":31.23,"lon":121.47}]`)},
	"locate_gcj02": {Op: wire.OpLocate, CoordSys: "gcj02", Points: []byte(`[{"at":"2026-03-14T12:00:00.000Z","lat":31.23,"lon":121.47}]`)},
	"token":        {Op: wire.OpToken, Token: "eyJhbGciOiJIUzI1NiJ9.e30.c2ln"},
	"ping":         {Op: wire.OpPing},
}

func TestGolden_Hub(t *testing.T) {
	for name, c := range hubFrames {
		golden(t, filepath.Join("hub", name), c.line)
		if err := wiretest.Validate(c.line); err != nil && !strings.Contains(string(c.line), order) { // a short order
			t.Errorf("%s: %v", name, err)
		}
		f, err := wire.ParseFrame(c.line)
		if err != nil || !reflect.DeepEqual(f, c.frame) {
			t.Errorf("%s: read as %+v, %v; want %+v", name, f, err, c.frame)
		}
	}
	files(t, "hub", len(hubFrames))
}

func TestGolden_Client(t *testing.T) {
	for name, c := range clientFrames {
		line := append(c.Append(nil), '\n')
		golden(t, filepath.Join("client", name), line)
		if err := wiretest.Validate(line); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		r, err := wire.ParseRequest(line)
		if err != nil || !reflect.DeepEqual(r, c) {
			t.Errorf("%s: read as %+v, %v; want %+v", name, r, err, c)
		}
	}
	files(t, "client", len(clientFrames))
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name+".json")
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != string(want) {
		t.Errorf("%s is now\n%s, was\n%s", path, got, want)
	}
}

func files(t *testing.T, dir string, want int) {
	t.Helper()
	list, err := filepath.Glob(filepath.Join("testdata", dir, "*.json"))
	if err != nil || len(list) != want {
		t.Errorf("%d files in testdata/%s, want %d (%v)", len(list), dir, want, err)
	}
}
