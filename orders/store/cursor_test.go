package store

import (
	"testing"

	"doorbell/orders"
	"doorbell/orders/store/storetest"
)

// FuzzCursor: what is accepted names an order and is what the store itself would write for it; all else is Invalid and
// names the cursor.
func FuzzCursor(f *testing.F) {
	id := orders.NewID(storetest.Start)
	good := formatCursor(id)
	for _, s := range []string{good, "", "AQ", good + "=", good + "\n", good[:len(good)-1], "AW9yZF8x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := parseCursor(s)
		if err == nil {
			if !orders.ValidID(got) || formatCursor(got) != s {
				t.Errorf("%q was read as %q", s, got)
			}
			return
		}
		if orders.KindOf(err) != orders.Invalid || err.(*orders.Error).Fields[0].Pointer != "cursor" {
			t.Errorf("%q: %v", s, err)
		}
	})
}

func TestACursorNamesItsOrder(t *testing.T) {
	id := orders.NewID(storetest.Start)
	if got, err := parseCursor(formatCursor(id)); got != id || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
}
