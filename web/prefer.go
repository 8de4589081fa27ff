package web

import (
	"strconv"
	"strings"
	"time"
)

// MaxWait is the longest a long-poll waits; a longer wish is cut to it.
const MaxWait = 60 * time.Second

// preferWait is the wait of Prefer headers (RFC 7240): 0 when none is asked for. What cannot be read is ignored, as
// that document demands of preferences.
func preferWait(values []string) time.Duration {
	for _, part := range strings.Split(strings.Join(values, ","), ",") {
		word, _, _ := strings.Cut(part, ";")
		name, value, _ := strings.Cut(word, "=")
		if !strings.EqualFold(strings.TrimSpace(name), "wait") {
			continue
		}
		n, err := strconv.Atoi(strings.Trim(strings.TrimSpace(value), `"`))
		if err != nil || n < 0 {
			continue
		}
		return time.Duration(min(n, int(MaxWait/time.Second))) * time.Second
	}
	return 0
}
