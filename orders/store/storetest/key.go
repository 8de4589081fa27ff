package storetest

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"doorbell/orders"
)

// record is a key's row for an order.
func record(o orders.Order, key string) *orders.KeyRecord {
	return &orders.KeyRecord{
		Scope: "cus_1 POST /v1/orders", Key: key, Hash: []byte{0, 1, 0xff}, OrderID: o.ID, Status: 201,
		Response: []byte(`{"id":"` + o.ID + `"}`), At: Start,
	}
}

func oneKey(t *testing.T, e Engine) {
	var changes []orders.Commit
	for range 10 {
		o, ev := Place(t, Draft{})
		c := Change(orders.Order{}, o, ev)
		c.Key = record(o, "key-1")
		changes = append(changes, c)
	}
	errs := e.together(t, changes)
	got, err := e.Key(t.Context(), changes[0].Key.Scope, "key-1")
	if err != nil {
		t.Fatal(err)
	}
	for i, err := range errs {
		id := changes[i].Order.ID
		if _, readErr := e.Order(t.Context(), id); got.OrderID == id {
			if err != nil || readErr != nil || !reflect.DeepEqual(&got, changes[i].Key) {
				t.Errorf("the winner was told %v, its order reads %v, its key %+v", err, readErr, got)
			}
			continue
		} else if orders.KindOf(readErr) != orders.NotFound {
			t.Errorf("a loser's order is there: %v", readErr)
		}
		wantErr(t, err, orders.ErrKeyTaken)
		if n := len(e.events(t, id)); n != 0 {
			t.Errorf("a loser left %d events", n)
		}
	}
	if ids := e.timers(t); len(ids) != 1 {
		t.Errorf("timers %v", ids)
	}
}

func lostKey(t *testing.T, e Engine) {
	e.start(t)
	o := e.place(t, Draft{Method: orders.Cash})
	again, ev := Place(t, Draft{ID: o.ID})
	c := Change(orders.Order{}, again, ev)
	c.Key = record(again, "key-1")
	wantErr(t, e.Commit(t.Context(), c), orders.ErrLost)

	e.step(t, o, orders.Confirm{PrepMinutes: 20}, Merchant())
	late, ev := Apply(t, o, orders.Cancel{Reason: orders.Admin}, Ops, o.UpdatedAt.Add(time.Hour))
	c = Change(o, late, ev)
	c.Key = record(late, "key-2")
	wantErr(t, e.Commit(t.Context(), c), orders.ErrLost)

	for _, key := range []string{"key-1", "key-2"} {
		_, err := e.Key(t.Context(), c.Key.Scope, key)
		wantKind(t, err, orders.NotFound)
	}
}

func keyedUpdate(t *testing.T, e Engine) {
	e.start(t)
	o := e.place(t, Draft{Method: orders.Cash})
	next, ev := Apply(t, o, orders.Confirm{PrepMinutes: 20}, Merchant(), o.UpdatedAt.Add(time.Second))
	c := Change(o, next, ev)
	c.Key = record(next, "key-1")
	o = e.commit(t, c)

	next, ev = Apply(t, o, orders.Prepare{}, Merchant(), o.UpdatedAt.Add(time.Second))
	c = Change(o, next, ev)
	c.Key = record(next, "key-1")
	wantErr(t, e.Commit(t.Context(), c), orders.ErrKeyTaken)
	if got := e.order(t, o.ID); got.ChangeID != o.ChangeID || len(e.events(t, o.ID)) != int(o.Seq) {
		t.Errorf("a change with a taken key was made: %+v", got)
	}
}

func oldKeys(t *testing.T, e Engine) {
	e.start(t)
	for i := range 5 {
		o, ev := Place(t, Draft{})
		c := Change(orders.Order{}, o, ev)
		c.Key = record(o, fmt.Sprint("key-", i))
		c.Key.At = Start.Add(time.Duration(i) * time.Hour)
		e.commit(t, c)
	}
	for _, want := range []int{2, 1, 0} { // the three made before, two at a time
		n, err := e.DropKeys(t.Context(), Start.Add(3*time.Hour), 2)
		if n != want || err != nil {
			t.Fatalf("dropped %d, %v, want %d", n, err, want)
		}
	}
	for i := range 5 {
		_, err := e.Key(t.Context(), "cus_1 POST /v1/orders", fmt.Sprint("key-", i))
		if gone := orders.KindOf(err) == orders.NotFound; gone != (i < 3) || !gone && err != nil {
			t.Errorf("key %d: %v", i, err)
		}
	}
}
