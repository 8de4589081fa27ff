package faults

import (
	"testing"
	"time"
)

// patience is how long a test waits for what should take milliseconds.
const patience = 30 * time.Second

// eventually polls until ok says so, and fails the test after patience with what it says last.
func eventually(t testing.TB, ok func() (bool, string)) {
	t.Helper()
	if why := within(patience, ok); why != "" {
		t.Fatalf("waited %v: %s", patience, why)
	}
}

// within polls until ok says so; after so long it returns what ok says last.
func within(long time.Duration, ok func() (bool, string)) (why string) {
	for end := time.Now().Add(long); ; time.Sleep(10 * time.Millisecond) {
		yes, why := ok()
		if yes {
			return ""
		}
		if time.Now().After(end) {
			return why
		}
	}
}
