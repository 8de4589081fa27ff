// Package store keeps orders in SQLite: a file orders.db in a data folder, and day files under archive/ for what is
// over. It implements [orders.Store].
//
// The rule to know: one goroutine writes. Callers encode their change, put it on a queue and wait; the writer commits
// what has gathered as one transaction with one fsync, and while the disk is busy the next group gathers. So a change
// that was answered with nil survives a crash, and many callers share the price of it.
//
// What a change is (sql.go, change.go, group.go) knows no engine: constant SQL text with $N placeholders that
// SQLite and Postgres both run, arguments of three types, and a verdict over the counts of rows. Times in columns are
// microseconds since 1970, 0 for the zero time; times inside a document keep what they had.
//
// Clocks, guards and who may see an order are left to package orders. Restaurants are kept in memory here, where the
// writes that outdate them are seen.
package store
