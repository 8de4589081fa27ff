package orders_test

import (
	"errors"
	"fmt"
	"testing"

	"doorbell/orders"
)

func TestKindOf(t *testing.T) {
	e := orders.Errorf(orders.Conflict, "taken by %s", "another")
	for _, c := range []struct {
		err  error
		want orders.Kind
	}{
		{nil, ""},
		{e, orders.Conflict},
		{fmt.Errorf("read order: %w", e), orders.Conflict},
		{errors.Join(errors.New("x"), e), orders.Conflict},
		{errors.New("disk on fire"), orders.Internal},
		{orders.ErrLost, orders.Internal},
	} {
		if got := orders.KindOf(c.err); got != c.want {
			t.Errorf("%v is %q, want %q", c.err, got, c.want)
		}
	}
}

func TestErrorTellsItsCauseToTheLogOnly(t *testing.T) {
	cause := errors.New("disk on fire")
	e := orders.Errorf(orders.Unavailable, "try again")
	if e.Error() != "unavailable: try again" {
		t.Error(e.Error())
	}
	e.Err = cause
	if e.Error() != "unavailable: try again: disk on fire" || !errors.Is(e, cause) || e.Text != "try again" {
		t.Error(e.Error())
	}
}
