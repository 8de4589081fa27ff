package hub_test

import (
	"testing"

	"doorbell/hub"
)

func TestWaiters(t *testing.T) {
	closed := func(c <-chan struct{}) bool {
		select {
		case <-c:
			return true
		default:
			return false
		}
	}
	var w hub.Waiters
	a, stopA := w.Watch("ord_1")
	b, stopB := w.Watch("ord_1")
	other, stopOther := w.Watch("ord_2")
	w.Wake("ord_1")
	if !closed(a) || !closed(b) || closed(other) {
		t.Fatal("a change wakes everybody who waits for its order, and nobody else")
	}
	again, stopAgain := w.Watch("ord_1")
	stopA() // of the change before: must not forget who waits for the next one
	stopB()
	if w.Wake("ord_1"); !closed(again) {
		t.Fatal("the next change is not missed")
	}
	stopAgain()
	stopOther()
	if n := w.Waiting(); n != 0 {
		t.Errorf("%d orders still waited for", n)
	}
}
