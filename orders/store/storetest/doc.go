// Package storetest is what every [orders.Store] must do, written against the interface alone: each engine runs the
// same suite on the real thing. What only an engine can do on purpose (losing a COMMIT's answer, looking into its
// archive) it lends as functions; what it does not lend is skipped by name.
//
// It also makes the orders of the suite, by the real state machine.
package storetest
