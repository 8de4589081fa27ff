package storetest

import (
	"context"
	"errors"
	"reflect"
	"sync"
	"testing"
	"time"

	"doorbell/orders"
)

var rider = orders.Courier{ID: "cou_1", Name: "Zhang San", Vehicle: "e-bike", Phone: "+86 400 1"}

// riding is the courier of the suite.
func riding() orders.Actor { return orders.Actor{Role: orders.RoleCourier, ID: rider.ID} }

// step applies a command to a stored order and stores what becomes of it.
func (e Engine) step(t *testing.T, o orders.Order, c orders.Command, by orders.Actor) orders.Order {
	t.Helper()
	next, ev := Apply(t, o, c, by, o.UpdatedAt.Add(time.Minute))
	return e.commit(t, Change(o, next, ev))
}

// wholeLife is the way of an order that was paid at the door, from the confirmation on.
var wholeLife = []struct {
	c  orders.Command
	by orders.Actor
}{
	{orders.Confirm{PrepMinutes: 20}, Merchant()},
	{orders.Assign{Courier: rider}, Ops},
	{orders.Ready{}, Merchant()},
	{orders.Pickup{Code: "17"}, riding()},
	{orders.Arrive{}, riding()},
	{orders.Hand{}, riding()},
}

// live takes an order through its life.
func (e Engine) live(t *testing.T, d Draft) orders.Order {
	t.Helper()
	d.Method = orders.Cash
	o := e.place(t, d)
	for _, s := range wholeLife {
		o = e.step(t, o, s.c, s.by)
	}
	return o
}

func orderComesBack(t *testing.T, e Engine) {
	e.start(t)
	o, ev := Place(t, Draft{Method: orders.Cash})
	for _, s := range wholeLife {
		n, more := Apply(t, o, s.c, s.by, o.UpdatedAt.Add(time.Minute))
		o, ev = n, append(ev, more...)
	}
	got := e.commit(t, orders.Commit{Order: o, Events: ev, DueChanged: true})
	if got.ChangeID == "" {
		t.Error("the store gave no change id")
	}
	got.ChangeID = ""
	if !reflect.DeepEqual(got, o) {
		t.Errorf("got  %+v\nwant %+v", got, o)
	}
	if got := e.events(t, o.ID); !reflect.DeepEqual(got, ev) {
		t.Errorf("events\ngot  %+v\nwant %+v", got, ev)
	}
}

func unknownOrder(t *testing.T, e Engine) {
	id := orders.NewID(Start)
	_, err := e.Order(t.Context(), id)
	wantKind(t, err, orders.NotFound)
	_, err = e.Ownership(t.Context(), id)
	wantKind(t, err, orders.NotFound)
	if ev := e.events(t, id); len(ev) != 0 {
		t.Errorf("an unknown order has %d events", len(ev))
	}
}

func ownership(t *testing.T, e Engine) {
	e.start(t)
	check := func(o orders.Order) {
		t.Helper()
		got, err := e.Ownership(t.Context(), o.ID)
		if err != nil {
			t.Fatal(err)
		}
		if want := o.Ownership(); got != want {
			t.Errorf("got  %+v\nwant %+v", got, want)
		}
	}
	o := e.place(t, Draft{})
	check(o) // unpaid: not shown to the merchant
	o = e.step(t, o, orders.Pay{Amount: o.Total, TransactionID: "tx_1"}, Payer)
	check(o)
	for _, s := range append(wholeLife[:4:4], wholeLife[4]) {
		o = e.step(t, o, s.c, s.by)
		check(o)
	}
	o = e.step(t, o, orders.Unassign{}, Ops)
	check(o) // nobody carries it
	o = e.step(t, o, orders.Assign{Courier: orders.Courier{ID: "cou_2"}}, Ops)
	check(o)
	o = e.step(t, o, orders.Fail{Reason: orders.Damaged}, Ops)
	check(o) // ended, and on its way back
	o = e.step(t, o, orders.ReturnMade{}, Ops)
	check(o)
	o = e.step(t, o, orders.RefundMade{Amount: 1, Reason: "half"}, Payer)
	check(o)

	fine := orders.NewID(Start)
	o, ev := Place(t, Draft{ID: fine, At: time.Date(2026, 3, 14, 12, 0, 0, 123456789, time.UTC)})
	o, more := Apply(t, o, orders.Cancel{Reason: orders.Duplicate}, Ops, o.UpdatedAt.Add(time.Nanosecond))
	check(e.commit(t, orders.Commit{Order: o, Events: append(ev, more...)})) // nanoseconds are cut alike
}

func changeWithoutEvents(t *testing.T, e Engine) {
	e.start(t)
	base := e.place(t, Draft{})
	next := base
	next.WrongPINs = 3
	got := e.commit(t, Change(base, next, nil))
	if got.WrongPINs != 3 || got.Seq != base.Seq || got.ChangeID == base.ChangeID {
		t.Errorf("wrong PINs %d, seq %d, same change id %t", got.WrongPINs, got.Seq, got.ChangeID == base.ChangeID)
	}
	next.WrongPINs = 1 // made from the same base: the seq alone would not tell
	wantErr(t, e.Commit(t.Context(), Change(base, next, nil)), orders.ErrLost)
}

func oldBase(t *testing.T, e Engine) {
	e.start(t)
	base := e.place(t, Draft{Method: orders.Cash})
	now := e.step(t, base, orders.Confirm{PrepMinutes: 20}, Merchant())

	late, ev := Apply(t, base, orders.Cancel{Reason: orders.CustomerCancelled}, Ops, base.UpdatedAt.Add(time.Hour))
	wantErr(t, e.Commit(t.Context(), Change(base, late, ev)), orders.ErrLost)
	if got := e.order(t, base.ID); !reflect.DeepEqual(got, now) {
		t.Errorf("the loser changed the order: %+v", got)
	}
	if n := len(e.events(t, base.ID)); int64(n) != now.Seq {
		t.Errorf("%d events at seq %d", n, now.Seq)
	}
	if ids := e.timers(t); len(ids) != 1 {
		t.Errorf("the loser's cancellation took the timer away: %v", ids)
	}
	unknown, ev := Place(t, Draft{})
	c := Change(orders.Order{Seq: 7, ChangeID: "x"}, unknown, ev)
	wantErr(t, e.Commit(t.Context(), c), orders.ErrLost)
}

func placedOnce(t *testing.T, e Engine) {
	e.start(t)
	first := e.place(t, Draft{})
	again, ev := Place(t, Draft{ID: first.ID, Customer: "cus_2"})
	wantErr(t, e.Commit(t.Context(), Change(orders.Order{}, again, ev)), orders.ErrLost)
	if got := e.order(t, first.ID); got.Customer != first.Customer || len(e.events(t, first.ID)) != len(ev) {
		t.Errorf("the second one left something: %+v", got)
	}
}

// rivals are n changes of one order from one base, each of its own kind.
func rivals(t *testing.T, base orders.Order, n int) []orders.Commit {
	t.Helper()
	var out []orders.Commit
	for i := range n {
		c, by := orders.Command(orders.Confirm{PrepMinutes: 10 + i}), Merchant()
		if i%2 == 1 {
			c, by = orders.Cancel{Reason: orders.OtherReason}, Ops
		}
		next, ev := Apply(t, base, c, by, base.UpdatedAt.Add(time.Duration(i+1)*time.Second))
		out = append(out, Change(base, next, ev))
	}
	return out
}

// oneWinner checks that one change was made whole, and nothing of the others.
func (e Engine) oneWinner(t *testing.T, base orders.Order, changes []orders.Commit, errs []error) {
	t.Helper()
	winner := -1
	for i, err := range errs {
		if err == nil && winner >= 0 {
			t.Errorf("changes %d and %d both won", winner, i)
		} else if err == nil {
			winner = i
		} else {
			wantErr(t, err, orders.ErrLost)
		}
	}
	if winner < 0 {
		t.Fatal("nobody won")
	}
	want := changes[winner]
	got := e.order(t, base.ID)
	got.ChangeID = ""
	want.Order.ChangeID = ""
	if !reflect.DeepEqual(got, want.Order) {
		t.Errorf("stored is not the winner's:\ngot  %+v\nwant %+v", got, want.Order)
	}
	if ev := e.events(t, base.ID); !reflect.DeepEqual(ev[base.Seq:], want.Events) {
		t.Errorf("events are not the winner's:\ngot  %+v\nwant %+v", ev[base.Seq:], want.Events)
	}
	if ids := e.timers(t); (len(ids) == 1) != !want.Order.Due().IsZero() {
		t.Errorf("timers %v, the winner is due at %v", ids, want.Order.Due())
	}
}

func twoWriters(t *testing.T, e Engine) {
	e.start(t)
	for range 10 {
		base := e.place(t, Draft{Method: orders.Cash})
		changes := rivals(t, base, 2)
		errs := make([]error, len(changes))
		var wg sync.WaitGroup
		for i, c := range changes {
			wg.Go(func() { errs[i] = e.Commit(t.Context(), c) })
		}
		wg.Wait()
		e.oneWinner(t, base, changes, errs)
		e.end(t, base.ID)
	}
}

// end closes an order, so that it has no timer any more.
func (e Engine) end(t *testing.T, id string) {
	t.Helper()
	if o := e.order(t, id); !o.Status.Final() {
		e.step(t, o, orders.Cancel{Reason: orders.Admin}, Ops)
	}
}

func sameGroup(t *testing.T, e Engine) {
	if e.Queued == nil {
		t.Skip("this engine does not say what is queued")
	}
	placed, ev := Place(t, Draft{Method: orders.Cash})
	create := Change(orders.Order{}, placed, ev)
	other, _ := Place(t, Draft{Method: orders.Cash, ID: placed.ID, Customer: "cus_2"})
	changes := []orders.Commit{create, Change(orders.Order{}, other, ev), Change(orders.Order{}, placed, ev)}
	errs := e.together(t, changes)
	made := 0
	for _, err := range errs {
		if err == nil {
			made++
			continue
		}
		wantErr(t, err, orders.ErrLost)
	}
	if made != 1 {
		t.Errorf("%d of three placed the order: %v", made, errs)
	}
}

func waitForRun(t *testing.T, e Engine) {
	o, ev := Place(t, Draft{})
	errs := e.together(t, []orders.Commit{Change(orders.Order{}, o, ev)})
	if errs[0] != nil {
		t.Error(errs[0])
	}
	e.order(t, o.ID)
}

func afterRun(t *testing.T, e Engine) {
	stop := e.start(t)
	placed := e.place(t, Draft{})
	stop()
	o, ev := Place(t, Draft{})
	wantKind(t, e.Commit(t.Context(), Change(orders.Order{}, o, ev)), orders.Unavailable)
	wantKind(t, e.Ready(t.Context()), orders.Unavailable)
	e.order(t, placed.ID) // reading goes on
}

func callerLeaves(t *testing.T, e Engine) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	o, ev := Place(t, Draft{})
	err := e.Commit(ctx, Change(orders.Order{}, o, ev)) // nothing writes yet
	wantKind(t, err, orders.Unavailable)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("the cause is not kept: %v", err)
	}
	_, err = e.Order(ctx, o.ID)
	wantKind(t, err, orders.Unavailable)
}

func ready(t *testing.T, e Engine) {
	e.start(t)
	if err := e.Ready(t.Context()); err != nil {
		t.Error(err)
	}
	now, err := e.Now(t.Context())
	if err != nil || now.Location() != time.UTC || now.Nanosecond()%1000 != 0 || time.Since(now).Abs() > time.Minute {
		t.Errorf("now is %v, %v", now, err)
	}
}
