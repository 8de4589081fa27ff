// Package store is what keeping orders in a database takes whatever the database: the SQL text, the groups that share
// a transaction, what a caller is told of them, reads, lists, and restaurants in memory. The engines below it,
// store/sqlite and store/postgres, bring the connections and make the [Store], which is most of their [orders.Store].
//
// The rule to know: committers write, each alone. Callers encode their change, put it on a committer's queue and wait;
// the committer commits what has gathered as one transaction with one fsync, and while the disk is busy the next
// group gathers. So a change that was answered with nil survives a crash, and many callers share the price of it.
//
// The text is constant, with $N placeholders that SQLite and Postgres both run, its arguments are of three types, and
// the counts of rows say how a change ended. Times in columns are microseconds since 1970, 0 for the zero time; times
// inside a document keep what they had.
//
// Couriers' tracks are written beside, by the same committers, so few at a time that orders hardly wait for them.
//
// Clocks, guards and who may see an order are left to package orders. Restaurants are kept in memory here, where the
// writes that outdate them are seen.
package store
