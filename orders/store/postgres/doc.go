// Package postgres keeps orders in Postgres, for one node or many. Beside [orders.Store] it implements what nodes that
// share a database need of it: an outbox, the generation of the bus, claims of work, and the database's clock.
//
// Each of a few committers has a connection of its own and sends a group's whole transaction at once: the server never
// waits for a node inside a transaction, so a node that dies or hangs holds no lock. Whatever is asked for, the primary
// answers, and nothing waits for a server that does not: every call has a deadline, and callers are told Unavailable.
//
// Orders and events are partitioned by the day in the order's id. A partition is made ahead, or when an order comes for
// which there is none; a day that is over is detached and kept in the schema archive.
package postgres
