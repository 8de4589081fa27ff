// Package orders is the domain: what an order is, which changes it takes from whom, and what each change tells the
// people who watch it.
//
// The heart is one pure function, [Policy.Apply]: (Order, Command, Actor, now) gives the next Order and the events that
// lead to it, or an [Error] that says why not. It does no I/O and has no clock. [Service] puts it on top of a [Store]:
// load, apply, commit with a compare-and-set, publish.
//
// The package imports the standard library only. HTTP, sockets, SQL and Redis live at the edges and depend on it.
// One rule to know: an order's Seq is its version. It rises by one with every event and serves as offset, duplicate
// check and gap detector everywhere.
package orders
