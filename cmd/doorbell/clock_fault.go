//go:build faultclock

package main

import (
	"os"
	"time"
)

// wall is this machine's clock, put off by $DOORBELL_FAULT_CLOCK such as 10m or -10m: how tests have a node whose clock
// is wrong. No released build has this.
func wall() time.Time { return time.Now().Add(clockError) }

var clockError = func() time.Duration {
	d, err := time.ParseDuration(os.Getenv("DOORBELL_FAULT_CLOCK"))
	if err != nil {
		return 0
	}
	return d
}()
