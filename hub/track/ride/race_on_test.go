//go:build race

package ride_test

const raceEnabled = true
