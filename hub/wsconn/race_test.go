//go:build race

package wsconn_test

// raceEnabled: the race detector makes everything ten times slower.
const raceEnabled = true
