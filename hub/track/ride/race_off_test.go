//go:build !race

package ride_test

const raceEnabled = false
