package bus

import (
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"

	"doorbell/orders"
)

var moments = rapid.Custom(func(t *rapid.T) time.Time {
	if rapid.Bool().Draw(t, "none") {
		return time.Time{}
	}
	return time.UnixMicro(rapid.Int64Range(1, 1<<52).Draw(t, "µs")).UTC()
})

// Whatever a change is, it arrives as it was sent.
func TestMessage_ChangeArrivesWhole(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.String()
		own := orders.Ownership{
			ID: text.Draw(t, "id"), Seq: rapid.Int64().Draw(t, "seq"), Status: orders.Status(text.Draw(t, "status")),
			Restaurant: text.Draw(t, "restaurant"), Customer: text.Draw(t, "customer"), Courier: text.Draw(t, "courier"),
			ShownToMerchant: rapid.Bool().Draw(t, "shown"), Returning: rapid.Bool().Draw(t, "returning"), EndedAt: moments.Draw(t, "ended"),
		}
		var events []orders.Event
		var blobs [][]byte
		for range rapid.IntRange(1, 9).Draw(t, "events") {
			e := orders.Event{
				OrderID: own.ID, Seq: rapid.Int64().Draw(t, "seq"), Type: orders.EventType(text.Draw(t, "type")),
				OccurredAt: moments.Draw(t, "occurred"), RecordedAt: moments.Draw(t, "recorded"),
				Actor: orders.Actor{Role: orders.Role(text.Draw(t, "role"))}, Envelope: []byte(text.Draw(t, "envelope")),
			}
			events = append(events, e)
			blobs = append(blobs, appendEvent(nil, &e))
		}
		gen, previous, at := text.Draw(t, "gen"), text.Draw(t, "previous"), time.UnixMicro(rapid.Int64Range(0, 1<<52).Draw(t, "at"))
		b := appendChange([]byte("17"), gen, at, previous, appendOwn(nil, own), blobs)
		n, rest := splitNumber(string(b))
		r := reader{s: rest}
		h := r.head()
		if n != 17 || h.gen != gen || h.at != at.UnixMicro() || h.kind != kindOrder {
			t.Fatalf("number %d and head %+v", n, h)
		}
		c, ok, err := r.change(nil)
		if !ok || err != nil || c.Own != own || c.Previous != previous || !reflect.DeepEqual(c.Events, events) || r.s != "" {
			t.Fatalf("%+v %v %v arrived, %+v %+v was sent", c, ok, err, own, events)
		}
	})
}

// Nothing that comes by a channel ends a node.
func FuzzMessage(f *testing.F) {
	e := orders.Event{OrderID: "ord_1", Seq: 4, Type: orders.OrderPaid, Envelope: []byte("{}")}
	own := appendOwn(nil, orders.Ownership{ID: "ord_1", Seq: 4, Restaurant: "res_1"})
	f.Add(string(appendChange(nil, "g", time.UnixMicro(5), "cou_1", own, [][]byte{appendEvent(nil, &e)})))
	f.Add(string(appendRestaurantNotice(nil, "g", time.UnixMicro(5), "res_1", 7)))
	f.Add(string(appendRevocation(nil, "g", time.UnixMicro(5), orders.Revocation{Sub: "cus_1"})))
	f.Fuzz(func(t *testing.T, s string) {
		_, rest := splitNumber(s)
		r := reader{s: rest}
		r.head()
		peek := r
		_, _, _ = peek.change(nil)
		_ = r.own()
	})
}

// The partitions are shared out evenly among the masters of a Cluster, and orders among the partitions.
func TestPartitions_AreEven(t *testing.T) {
	for _, masters := range []int{2, 3, 5, 6, 12} {
		of := make([]int, masters)
		for i := range tags {
			of[slot(tags[i])*masters/clusterSlots]++
		}
		for m, n := range of {
			if n < partitions/masters || n > partitions/masters+2 {
				t.Errorf("master %d of %d has %d partitions", m, masters, n)
			}
		}
	}
	if s := slot("123456789"); s != 0x31c3%clusterSlots {
		t.Errorf("slot %d is not CRC16's", s)
	}
	var of [orderPartitions]int
	for range 64_000 {
		of[partitionOf(orders.NewID(time.Now()))]++
	}
	for p, n := range of {
		if n < 800 || n > 1200 {
			t.Errorf("partition %d has %d of 64,000 orders", p, n)
		}
	}
}
