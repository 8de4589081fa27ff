package orders_test

import (
	"encoding/hex"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"doorbell/orders"
)

var idForm = regexp.MustCompile(`^ord_[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)

func TestNewID(t *testing.T) {
	t.Run("is a UUIDv7", func(t *testing.T) {
		seen := map[string]bool{}
		for range 1000 {
			id := orders.NewID(t0)
			if !idForm.MatchString(id) || !orders.ValidID(id) || seen[id] {
				t.Fatal(id)
			}
			seen[id] = true
		}
	})
	t.Run("sorts by the time of placing", func(t *testing.T) {
		var ids []string
		for i := range 1000 {
			ids = append(ids, orders.NewID(t0.Add(time.Duration(i)*time.Millisecond)))
		}
		for _, d := range []time.Duration{time.Hour, 24 * time.Hour, 365 * 24 * time.Hour, 50 * 365 * 24 * time.Hour} {
			ids = append(ids, orders.NewID(t0.Add(d)))
		}
		if !slices.IsSorted(ids) {
			t.Error("an older order sorts behind a newer one")
		}
	})
	t.Run("says when", func(t *testing.T) {
		for _, at := range []time.Time{time.UnixMilli(0), t0, t0.Add(123456789 * time.Nanosecond), time.Date(2999, 12, 31, 23, 59, 59, 999_999_999, time.UTC)} {
			got := orders.PlacedAt(orders.NewID(at))
			if want := at.Truncate(time.Millisecond); !got.Equal(want) || got.Location() != time.UTC {
				t.Errorf("placed at %v, want %v", got, want)
			}
		}
		if got := orders.PlacedAt("ord_x"); !got.IsZero() {
			t.Errorf("no id was placed at %v", got)
		}
	})
}

// valid is ValidID that survives a panic, so that one bad id does not hide the others.
func valid(t *testing.T, id string) (ok bool) {
	t.Helper()
	defer func() {
		if r := recover(); r != nil {
			t.Errorf("ValidID(%q) panics: %v", id, r)
		}
	}()
	return orders.ValidID(id)
}

func TestValidIDRefuses(t *testing.T) {
	for name, id := range map[string]string{
		"nothing":                     "",
		"the prefix alone":            "ord_",
		"no prefix":                   playID[4:],
		"another prefix":              "trk_" + playID[4:],
		"capitals":                    "ord_" + strings.ToUpper(playID[4:]),
		"a capital prefix":            "ORD_" + playID[4:],
		"one character less":          playID[:len(playID)-1],
		"one character more":          playID + "a",
		"a space behind":              playID + " ",
		"a newline behind":            playID + "\n",
		"a letter that is no digit":   playID[:len(playID)-1] + "g",
		"a dash elsewhere":            "ord_01996c2f3-a00-7abc-8def-0123456789ab",
		"only dashes":                 "ord_" + strings.Repeat("-", 36),
		"other dashes":                strings.ReplaceAll(playID, "-", "_"),
		"a digit of two bytes":        playID[:len(playID)-2] + "é",
		"thirty-six digits, no dash":  "ord_" + strings.Repeat("a", 36),
		"thirty-four digits, 2 dash":  "ord_" + strings.Repeat("a", 17) + "--" + strings.Repeat("a", 17),
		"a path":                      "ord_../../../../../../../../../etc/pass",
		"a percent sign":              "ord_01996c2f%2d3a00-7abc-8def-01234567",
		"an id of the first contract": "ord_98765",
	} {
		t.Run(name, func(t *testing.T) {
			if valid(t, id) {
				t.Errorf("%q is valid", id)
			}
		})
	}
}

// Order ids are UUIDv7 (design.md section 4): the partition of an order is computed from the time in its id, so another
// version names a day at random.
func TestValidIDRefusesOtherUUIDs(t *testing.T) {
	for name, id := range map[string]string{
		"version 4":     "ord_01996c2f-3a00-4abc-8def-0123456789ab",
		"the nil UUID":  "ord_00000000-0000-0000-0000-000000000000",
		"other variant": "ord_01996c2f-3a00-7abc-cdef-0123456789ab",
	} {
		if orders.ValidID(id) {
			t.Errorf("%s: %q is valid", name, id)
		}
	}
}

func FuzzValidID(f *testing.F) {
	f.Add(playID)
	f.Add("ord_")
	f.Add("ord_" + strings.Repeat("-", 36))
	f.Add("ord_" + strings.Repeat("a", 36))
	f.Fuzz(func(t *testing.T, id string) {
		if !valid(t, id) {
			if t.Failed() {
				return
			}
			if !orders.PlacedAt(id).IsZero() {
				t.Errorf("%q is no id but was placed at %v", id, orders.PlacedAt(id))
			}
			return
		}
		if _, err := hex.DecodeString(strings.ReplaceAll(id[4:], "-", "")); err != nil || len(id) != 40 {
			t.Errorf("%q is valid", id)
		}
	})
}

func TestTrackingToken(t *testing.T) {
	o := orders.Order{ID: playID, TrackKey: []byte("0123456789abcdef")}
	tok := o.TrackingToken()
	t.Run("goes there and back", func(t *testing.T) {
		id, key, ok := orders.ParseTrackingToken(tok)
		if !ok || id != o.ID || string(key) != string(o.TrackKey) {
			t.Errorf("%q %q %v", id, key, ok)
		}
	})
	t.Run("fits into a fragment unescaped", func(t *testing.T) {
		if !regexp.MustCompile(`^trk_[A-Za-z0-9_-]{43}$`).MatchString(tok) {
			t.Error(tok)
		}
	})
	t.Run("is made of an order's id and key only", func(t *testing.T) {
		for _, o := range []orders.Order{{}, {ID: playID}, {TrackKey: o.TrackKey}, {ID: playID, TrackKey: o.TrackKey[:15]}, {ID: "ord_98765", TrackKey: o.TrackKey}} {
			if got := o.TrackingToken(); got != "" {
				t.Errorf("%q of %+v", got, o.ID)
			}
		}
	})
	t.Run("leaves the order alone", func(t *testing.T) {
		key := make([]byte, 16, 64)
		o := orders.Order{ID: playID, TrackKey: key}
		if a, b := o.TrackingToken(), o.TrackingToken(); a != b {
			t.Errorf("%s and %s", a, b)
		}
	})
	t.Run("refuses what is none", func(t *testing.T) {
		for name, s := range map[string]string{
			"nothing": "", "the prefix": "trk_", "no prefix": tok[4:], "another prefix": "ord_" + tok[4:], "one less": tok[:len(tok)-1], "one more": tok + "A",
			"padding": tok + "=", "the other alphabet": "trk_" + strings.Repeat("+/", 21) + "A", "bits left over": tok[:len(tok)-1] + "Z", "a JWT": "eyJhbGciOiJIUzI1NiJ9.e30.x",
		} {
			if id, key, ok := orders.ParseTrackingToken(s); ok || id != "" || key != nil {
				t.Errorf("%s: %q is %q %q", name, s, id, key)
			}
		}
	})
}

// One capability has one spelling: base64 decoders skip line ends unless told otherwise.
func TestTrackingTokenHasOneSpelling(t *testing.T) {
	o := orders.Order{ID: playID, TrackKey: []byte("0123456789abcdef")}
	tok := o.TrackingToken()
	for _, s := range []string{tok + "\n", tok[:9] + "\r\n" + tok[9:], "trk_\n" + tok[4:]} {
		if _, _, ok := orders.ParseTrackingToken(s); ok {
			t.Errorf("%q is taken", s)
		}
	}
}

func FuzzParseTrackingToken(f *testing.F) {
	o := orders.Order{ID: playID, TrackKey: []byte("0123456789abcdef")}
	f.Add(o.TrackingToken())
	f.Add("trk_")
	f.Add("trk_" + strings.Repeat("A", 43))
	f.Add("trk_" + strings.Repeat("A", 42) + "\n")
	f.Fuzz(func(t *testing.T, s string) {
		id, key, ok := orders.ParseTrackingToken(s)
		if !ok {
			if id != "" || key != nil {
				t.Errorf("refused, but %q %q", id, key)
			}
			return
		}
		if !strings.HasPrefix(s, orders.TrackPrefix) || len(key) != 16 {
			t.Fatalf("%q is taken, key %q", s, key)
		}
		again := orders.Order{ID: id, TrackKey: key}
		if got := again.TrackingToken(); got != s {
			t.Errorf("%q came back as %q", s, got)
		}
	})
}

func TestEventID(t *testing.T) {
	if got := orders.EventID(playID, 12); got != playID+":12" {
		t.Error(got)
	}
}
