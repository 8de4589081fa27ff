package auth

import (
	"fmt"
	"sync"
	"testing"
	"time"
)

func TestRevocations(t *testing.T) {
	r := NewRevocations(map[string]time.Time{"a": start.Add(500 * time.Millisecond)})
	for name, tc := range map[string]struct {
		sub  string
		iat  time.Time
		want bool
	}{
		"Before":           {"a", start.Add(-time.Second), true},
		"SameSecond":       {"a", start, true},
		"SameSecondLater":  {"a", start.Add(900 * time.Millisecond), true},
		"NextSecond":       {"a", start.Add(time.Second), false},
		"Absent":           {"a", time.Time{}, true},
		"Year1970":         {"a", time.Unix(0, 0), true},
		"OtherSub":         {"b", start.Add(-time.Hour), false},
		"OtherSubNoIssued": {"b", time.Time{}, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := r.Revoked(tc.sub, tc.iat); got != tc.want {
				t.Errorf("revoked %v", got)
			}
		})
	}
}

func TestRevocationsOnlyMoveForward(t *testing.T) {
	r := NewRevocations(nil)
	var calls []string
	r.OnRevoke(func(sub string, before time.Time) {
		if !r.Revoked(sub, before) {
			t.Error("the hook comes before the revocation")
		}
		calls = append(calls, fmt.Sprint(sub, before.Sub(start)))
	})
	r.Revoke("a", start)
	r.Revoke("a", start.Add(-time.Minute))
	r.Revoke("a", start.Add(time.Millisecond)) // the same second
	if r.Revoked("a", start.Add(time.Second)) || !r.Revoked("a", start) {
		t.Error("moved")
	}
	r.Load(map[string]time.Time{"a": start.Add(time.Minute)}) // another node's
	if got := fmt.Sprint(calls); got != "[a0s a1m0s]" {
		t.Errorf("hook calls %s", got)
	}
}

func TestRevocationsAreSafeForConcurrentUse(t *testing.T) {
	r := NewRevocations(nil)
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for n := range 200 {
				r.OnRevoke(func(string, time.Time) {})
				r.Revoke(fmt.Sprint(n), start.Add(time.Duration(i)*time.Second))
				r.Revoked(fmt.Sprint(n), start)
			}
		})
	}
	wg.Wait()
	if !r.Revoked("0", start.Add(3*time.Second)) || r.Revoked("0", start.Add(4*time.Second)) {
		t.Error("the latest did not win")
	}
}
