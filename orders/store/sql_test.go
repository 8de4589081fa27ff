package store

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestTheTextsAreShared keeps the SQL such that Postgres can run it.
func TestTheTextsAreShared(t *testing.T) {
	reads := []string{readOrder, readOwnership, readEvents, readTimers, readUnpaid, readKey, readRestaurant, readRevocations, ReadEnded, ReadNeeds,
		readSeqs(3), readTrack, readTrackEnd, readCourierFixes, readFullEnd, readThinEnd, readDevices, readDeviceByToken}
	for _, text := range append(texts[:], reads...) {
		if text == "" || strings.ContainsAny(text, "?@:`") || strings.Contains(text, "FOR UPDATE") ||
			strings.Contains(text, "INSERT OR") || strings.Contains(text, "rowid") {
			t.Errorf("not for both engines: %s", text)
		}
		var n []string
		for _, m := range regexp.MustCompile(`\$\d+`).FindAllString(text, -1) {
			if !slices.Contains(n, m) {
				n = append(n, m)
			}
		}
		for i := range n {
			if !slices.Contains(n, fmt.Sprintf("$%d", i+1)) {
				t.Errorf("$%d is not used in: %s", i+1, text) // Postgres could not tell its type
			}
		}
	}
}
