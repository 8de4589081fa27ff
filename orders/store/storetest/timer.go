package storetest

import (
	"reflect"
	"slices"
	"testing"
	"time"

	"doorbell/orders"
)

func timers(t *testing.T, e Engine) {
	e.start(t)
	due := func(o orders.Order) time.Time {
		t.Helper()
		ids, next, err := e.Due(t.Context(), o.Due().Add(-time.Microsecond), 10)
		if len(ids) != 0 || err != nil {
			t.Fatalf("%v is due early, %v", ids, err)
		}
		if ids := e.timers(t); !o.Due().IsZero() && !slices.Equal(ids, []string{o.ID}) {
			t.Fatalf("timers %v, want %s", ids, o.ID)
		}
		return next
	}
	o := e.place(t, Draft{Method: orders.Cash})
	for _, s := range wholeLife[:5] {
		o = e.step(t, o, s.c, s.by)
		if got := due(o); !got.Equal(o.Due()) {
			t.Errorf("after %s the store says %v, the order %v", s.c.Action(), got, o.Due())
		}
	}
	o = e.step(t, o, wholeLife[5].c, wholeLife[5].by)
	if ids := e.timers(t); len(ids) != 0 || !o.Due().IsZero() {
		t.Errorf("an ended order has the timer %v", ids)
	}

	kept := e.place(t, Draft{})
	next := kept
	next.Payment.PayBy = Start.Add(time.Second)
	e.commit(t, orders.Commit{Order: next, BaseSeq: kept.Seq, BaseChange: kept.ChangeID}) // DueChanged is not set
	if _, at, _ := e.Due(t.Context(), Start, 10); !at.Equal(kept.Due()) {
		t.Errorf("the timer moved to %v though the commit did not say so", at)
	}
}

func dueInOrder(t *testing.T, e Engine) {
	e.start(t)
	var ids []string
	for i := range 6 {
		o := e.place(t, Draft{At: Start.Add(time.Duration(5-i) * time.Minute)}) // the last one placed is due first
		ids = append([]string{o.ID}, ids...)
	}
	first := Start.Add(orders.DefaultPolicy.PayBy)
	for _, c := range []struct {
		name  string
		now   time.Time
		limit int
		want  []string
		next  time.Time
	}{
		{"NothingDue", first.Add(-time.Microsecond), 10, nil, first},
		{"DueToTheMicrosecond", first, 10, ids[:1], first.Add(time.Minute)},
		{"Some", first.Add(150 * time.Second), 10, ids[:3], first.Add(3 * time.Minute)},
		{"MoreThanTheLimit", first.Add(time.Hour), 4, ids[:4], first.Add(4 * time.Minute)},
		{"All", first.Add(time.Hour), 6, ids, time.Time{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, next, err := e.Due(t.Context(), c.now, c.limit)
			if err != nil || !reflect.DeepEqual(got, c.want) || !next.Equal(c.next) {
				t.Errorf("got %v, %v, %v\nwant %v, %v", got, next, err, c.want, c.next)
			}
		})
	}
}

func eventPages(t *testing.T, e Engine) {
	e.start(t)
	o := e.live(t, Draft{})
	e.live(t, Draft{})
	all := e.events(t, o.ID)
	if int64(len(all)) != o.Seq {
		t.Fatalf("%d events at seq %d", len(all), o.Seq)
	}
	var got []orders.Event
	for after := int64(0); ; after = got[len(got)-1].Seq {
		page, err := e.Events(t.Context(), o.ID, after, 3)
		if err != nil || len(page) > 3 {
			t.Fatalf("a page of %d, %v", len(page), err)
		}
		if len(page) == 0 {
			break
		}
		got = append(got, page...)
	}
	if !reflect.DeepEqual(got, all) {
		t.Errorf("the pages differ from the whole:\n%v\n%v", got, all)
	}
}
