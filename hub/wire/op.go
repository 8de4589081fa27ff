package wire

// Op names what a line says.
type Op string

// What a client may say.
const (
	OpWatch   Op = "watch"   // {"op":"watch","id":7,"topics":[{"topic":"order/ord_1","after":3}]}; after: last seq seen, 0 or absent = send a snapshot
	OpUnwatch Op = "unwatch" // {"op":"unwatch","id":8,"topics":["order/ord_1"]}
	OpAck     Op = "ack"     // {"op":"ack","topic":"order/ord_1","seq":5}: all up to 5 was shown to the person
	OpLocate  Op = "locate"  // {"op":"locate","id":9,"coordSys":"gcj02","points":[…]}: a courier's positions; coordSys absent = wgs84
	OpToken   Op = "token"   // {"op":"token","token":"…"}: a fresh token before the old one ends
	OpPing    Op = "ping"    // {"op":"ping"}: answered with pong
)

// What the hub says.
const (
	OpHello    Op = "hello"    // {"op":"hello","session":"…","heartbeatSeconds":25}: first
	OpOK       Op = "ok"       // {"op":"ok","id":7}; of a locate: "answer":{"accepted":2,"dropped":[],"nextIntervalMs":5000}
	OpError    Op = "error"    // {"op":"error","id":7,"topic":"order/ord_9","kind":"not_found","detail":"…"}
	OpSnapshot Op = "snapshot" // {"op":"snapshot","topic":"order/ord_1","seq":5,"order":{…}}: replaces all up to 5; of a board: "orders":[…],"more":true
	OpCurrent  Op = "current"  // {"op":"current","topic":"order/ord_1","seq":5}: resumed, nothing was missed
	OpEvent    Op = "event"    // {"op":"event","topic":"order/ord_1","seq":6,"event":{…}}: one more than the order's last
	OpLocation Op = "location" // {"op":"location","topic":"order/ord_1","location":{…}}: the latest only, no seq
	OpETA      Op = "eta"      // {"op":"eta","topic":"order/ord_1","eta":{…}}: the latest only, no seq
	OpGone     Op = "gone"     // {"op":"gone","topic":"order/ord_1"}: no longer yours
	OpDegraded Op = "degraded" // {"op":"degraded","detail":"…"}: the bus is away; everything is made whole when it returns
	OpGoaway   Op = "goaway"   // {"op":"goaway","reconnectInMs":1830}: open another socket then, and leave this one
	OpPong     Op = "pong"
)

// Subprotocol is the WebSocket subprotocol of this protocol. A browser offers its token as a second one behind
// BearerPrefix; that one is never selected.
const (
	Subprotocol  = "doorbell.v1"
	BearerPrefix = "bearer."
)

// Limits of what a client may say.
const (
	MaxMessage = 32 << 10 // bytes of one message; more closes with 1009
	MaxTopics  = 200      // topics a session may watch
)
