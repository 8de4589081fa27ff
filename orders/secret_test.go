package orders

import (
	"regexp"
	"testing"
)

func TestSecretsAreRandomAndOfTheirForm(t *testing.T) {
	four, pins, keys := regexp.MustCompile(`^[0-9]{4}$`), map[string]bool{}, map[string]bool{}
	for range 2000 {
		p, k := newPIN(), newTrackKey()
		if !four.MatchString(p) || len(k) != 16 || keys[string(k)] {
			t.Fatalf("PIN %q, key %x", p, k)
		}
		pins[p], keys[string(k)] = true, true
	}
	if len(pins) < 1500 { // 1,813 expected
		t.Errorf("%d different PINs out of 2000", len(pins))
	}
}
