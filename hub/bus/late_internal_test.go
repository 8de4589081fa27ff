package bus

import (
	"errors"
	"testing"
	"time"
)

// Late is what stays unpublished, not what is being worked off, and not what one look met.
func TestLateness(t *testing.T) {
	for _, c := range []struct {
		name string
		ages []time.Duration // in ms, a second apart
		late []bool
	}{
		{"Nothing", []time.Duration{0, 0, 0}, []bool{false, false, false}},
		{"ABurst", []time.Duration{1400, 1500, 1500, 0}, []bool{false, false, false, false}},
		{"Once", []time.Duration{1600, 0, 1600, 0}, []bool{false, false, false, false}},
		{"ForGood", []time.Duration{1600, 2600, 3600}, []bool{false, true, true}},
		{"AlwaysThree", []time.Duration{3000, 3000, 3000}, []bool{false, true, true}},
		{"PublishedAgain", []time.Duration{60000, 40000, 20000, 0}, []bool{false, false, false, false}},
		{"UntilItIsOver", []time.Duration{2000, 3000, 2000, 1600, 100}, []bool{false, true, true, true, false}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var l lateness
			now := time.Now()
			for i, age := range c.ages {
				if l.note(now, age*time.Millisecond); l.late != c.late[i] {
					t.Errorf("look %d: late is %v", i, l.late)
				}
				now = now.Add(time.Second)
			}
		})
	}
}

// A failure now and then is none; failures that go on are, until the first success or until nobody tries.
func TestTrouble(t *testing.T) {
	var tr trouble
	now, failed := time.Now(), errors.New("refused")
	tr.note(now, failed)
	tr.note(now.Add(time.Hour), failed)
	if tr.persists(now.Add(time.Hour)) {
		t.Error("two failures an hour apart")
	}
	now = now.Add(2 * time.Hour)
	for i := range 5 {
		tr.note(now.Add(time.Duration(i)*500*time.Millisecond), failed)
	}
	now = now.Add(2 * time.Second)
	if !tr.persists(now) || tr.persists(now.Add(2*time.Second)) {
		t.Error("two seconds of failures do not persist, or for ever")
	}
	if tr.note(now, nil); tr.persists(now) {
		t.Error("a success changed nothing")
	}
}

// Messages of unknown kinds have the database asked at once, and then once a minute as long as more come.
func TestUnread(t *testing.T) {
	var u unread
	now := time.Now()
	if u.due(now) || !u.note('z') || u.note('z') || !u.due(now) || u.due(now.Add(unknownEvery)) {
		t.Error("the first")
	}
	if u.note('z') || u.due(now.Add(unknownEvery/2)) || !u.due(now.Add(unknownEvery)) {
		t.Error("the next")
	}
}
