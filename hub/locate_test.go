package hub_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"

	"doorbell/hub"
	"doorbell/orders"
)

// TestLocate: a courier's points are handed on as they came, and the answer comes back in an ok.
func TestLocate(t *testing.T) {
	var took []string
	var failing error
	cfg := hub.Config{Locate: func(_ context.Context, by orders.Caller, coordSys string, points []byte) ([]byte, error) {
		took = append(took, strings.TrimSpace(by.ID+" "+coordSys+" "+string(points)))
		return []byte(`{"accepted":1,"dropped":[],"nextIntervalMs":5000}`), failing
	}}
	inBubble(t, cfg, func(w *world) {
		c := w.connect(hub.Identity{Caller: orders.Caller{Actor: orders.Actor{Role: orders.RoleCourier, ID: "cou_1"}}})
		synctest.Wait()
		c.forget()
		for _, x := range []struct {
			line    string
			took    string
			failing error
			want    string
		}{
			{`{"op":"locate","id":9,"points":[{"lat":1}]}`, `cou_1  [{"lat":1}]`, nil, "ok #9"},
			{`{"op":"locate","id":9,"coordSys":"gcj02","points":7}`, `cou_1 gcj02 7`, nil, "ok #9"},
			{`{"op":"locate","points":[]}`, `cou_1  []`, nil, ""},
			{`{"op":"locate","id":9,"points":[]}`, `cou_1  []`, orders.Errorf(orders.Exhausted, "too often"), "error #9 exhausted"},
			{`{"op":"locate","points":[]}`, `cou_1  []`, orders.Errorf(orders.Invalid, "not a list"), "error invalid"},
			{`{"op":"locate","id":9}`, "", nil, "error #9 invalid"},
		} {
			took, failing = nil, x.failing
			w.handle(c, x.line)
			synctest.Wait()
			if x.want == "" {
				c.heard("")
			} else {
				c.heard("", x.want)
			}
			if got := strings.Join(took, "|"); got != x.took {
				t.Errorf("%s: %q was taken, want %q", x.line, got, x.took)
			}
		}
		took = nil
		other := w.connect(customer("cus_1"))
		synctest.Wait()
		other.forget()
		w.handle(other, `{"op":"locate","id":9,"points":[]}`)
		synctest.Wait()
		other.heard("", "error #9 forbidden")
		if took != nil {
			t.Errorf("a customer's positions were taken: %v", took)
		}
	})
}

func TestLocate_Nowhere(t *testing.T) {
	inBubble(t, hub.Config{}, func(w *world) {
		c := w.connect(hub.Identity{Caller: orders.Caller{Actor: orders.Actor{Role: orders.RoleCourier, ID: "cou_1"}}})
		synctest.Wait()
		c.forget()
		w.handle(c, `{"op":"locate","id":9,"points":[]}`)
		synctest.Wait()
		c.heard("", "error #9 unavailable")
	})
}
