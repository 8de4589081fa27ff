package storetest

import (
	"testing"

	"doorbell/orders"
)

func badRow(t *testing.T, e Engine) {
	var changes []orders.Commit
	for i := range 40 {
		o, ev := Place(t, Draft{})
		if i%20 == 7 {
			ev = append(ev, ev[0]) // the same event twice: the database itself refuses it
		}
		changes = append(changes, Change(orders.Order{}, o, ev))
	}
	for i, err := range e.together(t, changes) {
		_, readErr := e.Order(t.Context(), changes[i].Order.ID)
		if i%20 != 7 {
			if err != nil || readErr != nil {
				t.Errorf("change %d suffered from another: %v, %v", i, err, readErr)
			}
			continue
		}
		wantKind(t, err, orders.Internal)
		wantKind(t, readErr, orders.NotFound)
		if n := len(e.events(t, changes[i].Order.ID)); n != 0 {
			t.Errorf("the bad change left %d events", n)
		}
	}
	if n := len(e.timers(t)); n != 38 {
		t.Errorf("%d timers", n)
	}
}

func commitMade(t *testing.T, e Engine) {
	if e.BreakCommit == nil {
		t.Skip("this engine cannot lose the answer of a commit")
	}
	e.BreakCommit(true)
	changes := several(t, 5)
	for i, err := range e.together(t, changes) {
		if err != nil {
			t.Errorf("change %d was made and is told %v", i, err)
		}
		e.order(t, changes[i].Order.ID)
	}
	e.place(t, Draft{}) // and it goes on
}

func commitFailed(t *testing.T, e Engine) {
	if e.BreakCommit == nil {
		t.Skip("this engine cannot lose the answer of a commit")
	}
	e.BreakCommit(false)
	changes := several(t, 5)
	failed := 0
	for i, err := range e.together(t, changes) {
		_, readErr := e.Order(t.Context(), changes[i].Order.ID)
		if err == nil && readErr == nil {
			continue // in another group
		}
		failed++
		wantKind(t, err, orders.Unavailable)
		wantKind(t, readErr, orders.NotFound)
		if n := len(e.events(t, changes[i].Order.ID)); n != 0 {
			t.Errorf("change %d left %d events", i, n)
		}
	}
	if failed == 0 {
		t.Error("no commit was broken")
	}
	e.place(t, Draft{})
}

func several(t *testing.T, n int) (out []orders.Commit) {
	t.Helper()
	for range n {
		o, ev := Place(t, Draft{})
		out = append(out, Change(orders.Order{}, o, ev))
	}
	return out
}
