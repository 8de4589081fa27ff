//go:build !race

package main

// raced: the tests run under the race detector, and so does the program they drive.
const raced = false
