//go:build !faultclock

package main

import "time"

// wall is this machine's clock.
func wall() time.Time { return time.Now() }
