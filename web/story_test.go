package web_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"doorbell/orders"
)

// sub runs a subtest on the same node.
func (n *node) sub(name string, f func(n *node)) {
	n.t.(*testing.T).Run(name, func(t *testing.T) {
		m := *n
		m.t = t
		f(&m)
	})
}

// orderID is the id in an order's path.
func orderID(path string) string { return path[strings.LastIndexByte(path, '/')+1:] }

// pass lets time go by and fires what has run out of this order by then, as RunTimers would.
func (n *node) pass(path string, d time.Duration) {
	n.t.Helper()
	n.now.pass(d)
	if _, _, err := n.service.DoAsSystem(n.t.Context(), orderID(path), orders.Tick{}, n.service.Now()); err != nil {
		n.t.Fatal(err)
	}
}

// act posts an action and wants 200 with the order's seq as its ETag.
func (n *node) act(path, token string, body any) reply {
	n.t.Helper()
	return n.post(path, token, body).want(http.StatusOK).tagged()
}

// tagged wants the ETag to be the seq in the body.
func (r reply) tagged() reply {
	r.t.Helper()
	if tag := strconv.Quote(strconv.FormatInt(r.seq(), 10)); r.Header.Get("ETag") != tag {
		r.t.Errorf("ETag %s for seq %d", r.Header.Get("ETag"), r.seq())
	}
	return r
}

// shows wants these values in the body, given as path, value; nil means that the field is absent.
func (r reply) shows(pairs ...any) reply {
	r.t.Helper()
	for i := 0; i+1 < len(pairs); i += 2 {
		path := pairs[i].(string)
		if got := r.get(path); fmt.Sprint(got) != fmt.Sprint(pairs[i+1]) {
			r.t.Errorf("%s is %v, want %v\n%s", path, got, pairs[i+1], r.Raw)
		}
	}
	return r
}

// has wants these fields to be there, whatever they hold.
func (r reply) has(paths ...string) reply {
	r.t.Helper()
	for _, p := range paths {
		if r.get(p) == nil {
			r.t.Errorf("no %s in %s", p, r.Raw)
		}
	}
	return r
}

// at is the time in a field.
func (r reply) at(path string) time.Time {
	r.t.Helper()
	t, err := time.Parse(time.RFC3339, r.text(path))
	if err != nil {
		r.t.Fatalf("%s is no time: %v\n%s", path, err, r.Raw)
	}
	return t
}

// refused wants a 409 that says where the order stands and what its caller may do instead.
func (r reply) refused(status orders.Status, allowed ...string) reply {
	r.t.Helper()
	r.want(http.StatusConflict).shows("kind", "conflict", "code", "INVALID_TRANSITION", "currentStatus", status)
	list, ok := r.get("allowedActions").([]any)
	if !ok {
		r.t.Fatalf("allowedActions is no array: %s", r.Raw)
	}
	got := make([]string, len(list))
	for i, a := range list {
		got[i] = a.(string)
	}
	if !slices.Equal(got, allowed) {
		r.t.Errorf("allowedActions %q, want %q", got, allowed)
	}
	return r
}

// broken wants a 422 that points at this field.
func (r reply) broken(pointer string) reply {
	r.t.Helper()
	return r.want(http.StatusUnprocessableEntity).shows("kind", "unprocessable", "errors.0.pointer", pointer)
}

// story wants these events and no others, each as "type by role": in the history, where seq counts up from 1 without a
// gap, and in the order's timeline. It returns the history.
func (n *node) story(path, token string, want ...string) reply {
	n.t.Helper()
	history := n.get(path+"/events?limit=200", token).want(http.StatusOK)
	var list struct {
		Items []struct {
			EventID, EventType string
			Seq                int64
			Actor              struct{ Role string }
		}
	}
	if err := json.Unmarshal(history.Raw, &list); err != nil {
		n.t.Fatal(err)
	}
	var got []string
	for i, e := range list.Items {
		got = append(got, e.EventType+" by "+e.Actor.Role)
		if e.Seq != int64(i+1) || e.EventID != fmt.Sprintf("%s:%d", orderID(path), i+1) {
			n.t.Errorf("event %d has seq %d and id %s", i+1, e.Seq, e.EventID)
		}
	}
	if !slices.Equal(got, want) {
		n.t.Errorf("the story is\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	o := n.get(path, token).want(http.StatusOK).tagged().shows("seq", len(want))
	for i, w := range want {
		at := fmt.Sprintf("timeline.%d.", i)
		if line := o.text(at+"eventType") + " by " + o.text(at+"actor.role"); line != w {
			n.t.Errorf("timeline %d: %s, want %s", i, line, w)
		}
	}
	return history
}

// with is orderBody with these fields, given as name, value.
func with(pairs ...any) map[string]any {
	return orderBody(func(b map[string]any) {
		for i := 0; i+1 < len(pairs); i += 2 {
			b[pairs[i].(string)] = pairs[i+1]
		}
	})
}

// fields changes an order's body for node.order.
func fields(pairs ...any) func(map[string]any) {
	return func(b map[string]any) {
		for i := 0; i+1 < len(pairs); i += 2 {
			b[pairs[i].(string)] = pairs[i+1]
		}
	}
}
