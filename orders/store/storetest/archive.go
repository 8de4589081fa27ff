package storetest

import (
	"reflect"
	"testing"

	"doorbell/orders"
)

func archive(t *testing.T, e Engine) {
	e.start(t)
	var old []orders.Order
	events := map[string][]orders.Event{}
	for day := range 3 {
		for range 2 {
			o := e.live(t, Draft{At: Start.AddDate(0, 0, day)})
			old = append(old, o)
			events[o.ID] = e.events(t, o.ID)
		}
	}
	young := e.live(t, Draft{At: Start.AddDate(0, 0, 9)})
	running := e.place(t, Draft{})

	before := young.EndedAt // exclusive
	for _, want := range []int{4, 2, 0} {
		if n, err := e.Archive(t.Context(), before, 4); n != want || err != nil {
			t.Fatalf("archived %d, %v, want %d", n, err, want)
		}
	}
	for _, o := range old {
		_, err := e.Order(t.Context(), o.ID)
		wantKind(t, err, orders.NotFound)
		if n := len(e.events(t, o.ID)); n != 0 {
			t.Errorf("%d events of %s stayed", n, o.ID)
		}
		if e.Archived == nil {
			continue
		}
		got, ev := e.Archived(t, o.ID)
		got.ChangeID = o.ChangeID
		if !reflect.DeepEqual(got, o) || !reflect.DeepEqual(ev, events[o.ID]) {
			t.Errorf("archived differs:\ngot  %+v %v\nwant %+v %v", got, ev, o, events[o.ID])
		}
	}
	e.order(t, young.ID)
	if ids := e.timers(t); len(ids) != 1 || ids[0] != running.ID {
		t.Errorf("timers %v", ids)
	}
	if got := e.pages(t, orders.Query{}); len(got) != 2 {
		t.Errorf("still listed: %v", got)
	}
	if n, err := e.Archive(t.Context(), Start.AddDate(1, 0, 0), 100); n != 1 || err != nil {
		t.Errorf("archived %d, %v, want the young one", n, err)
	}
}
