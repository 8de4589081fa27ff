// Command check is the one test command of the project: go run ./cmd/check on a fresh Debian machine with Go and apt
// installs what the tests need, then checks format, vets, lints, compares generated files, verifies the module, builds
// without cgo and tests with the race detector.
//
// Each step is announced with its name and ends with the time it took; what its programs print is shown as it comes.
// The first failing step ends the run unless -keep-going is given. The exit status is 0 when every chosen step passed, 1
// when one failed or set-up is incomplete, 2 for a wrong flag, 130 after an interrupt.
//
//	-list         names the steps and ends
//	-run a,b      only these steps, in the table's order
//	-fast         tests without the race detector: needs no C compiler, for the developer's inner loop
//	-keep-going   runs the remaining steps after one has failed
//	-faults       runs the fault suite alone, for -minutes N, and prints its table last
//
// What a step needs of the machine beyond Go (a C compiler, servers) is the table in needs.go.
//
// One rule to know: this program starts before there is a C compiler, so it imports nothing that brings cgo in (net,
// os/user), and the standard library only, so that it starts without a download. A test keeps that. The folder's other
// tests keep rules of the whole repository: who may import whom, what lies at the top level, package comments.
package main
