package web

import (
	"testing"
	"time"

	"doorbell/orders"
)

func TestTags(t *testing.T) {
	for _, c := range []struct {
		header         string
		bad            bool
		weak5, strong5 bool // whether it names version 5, weakly and strongly
	}{
		{header: `"5"`, weak5: true, strong5: true},
		{header: ` "4" , "5"`, weak5: true, strong5: true},
		{header: `W/"5"`, weak5: true},
		{header: `*`, weak5: true, strong5: true},
		{header: `"4"`},
		{header: `""`},
		{header: `"05"`},
		{header: `,,"5",`, weak5: true, strong5: true},
		{header: `5`, bad: true},
		{header: `"5`, bad: true},
		{header: `"5" "6"`, bad: true},
		{header: `w/"5"`, bad: true},
		{header: `*, "5"`, bad: true},
		{header: "\"\x01\"", bad: true},
	} {
		got, err := parseTags("If-Match", []string{c.header})
		if c.bad {
			if orders.KindOf(err) != orders.Invalid {
				t.Errorf("%q: taken as %v", c.header, got)
			}
			continue
		}
		if err != nil || got.has(5) != c.weak5 || got.match()(5) != c.strong5 {
			t.Errorf("%q: %v %v %v", c.header, err, got.has(5), got.match()(5))
		}
	}
	if got, err := parseTags("If-Match", nil); err != nil || got.match() != nil {
		t.Error("no header is a condition")
	}
}

func FuzzTags(f *testing.F) {
	for _, s := range []string{`"5"`, `W/"a", "b"`, `*`, ``, `"`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := parseTags("If-Match", []string{s})
		if err != nil {
			return
		}
		again, err := parseTags("If-Match", []string{got.String()})
		if err != nil || again.String() != got.String() {
			t.Errorf("%q: %q, then %q %v", s, got, again, err)
		}
	})
}

func TestPreferWait(t *testing.T) {
	for header, want := range map[string]time.Duration{
		"wait=30": 30 * time.Second, "respond-async, wait=10": 10 * time.Second, `WAIT="5"; x=y`: 5 * time.Second,
		"wait=100000": MaxWait, "wait=0": 0, "wait=-1": 0, "wait": 0, "wait=x": 0, "": 0, "waiting=5": 0,
		"wait=99999999999999999999": 0,
	} {
		if got := preferWait([]string{header}); got != want {
			t.Errorf("%q: %v, want %v", header, got, want)
		}
	}
}
