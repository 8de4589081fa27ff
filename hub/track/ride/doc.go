// Package ride takes the posts of couriers on the move, and lets those who watch their orders see them. What becomes of a
// fix is decided by package track above it, on values; here are the state between posts, the orders a courier carries, what
// is shown of each, the crossings that the state machine is told of, and the history that is written behind. Requests and
// sockets are its callers' business, Redis and SQL are behind the ports in port.go.
//
// The one rule to know: a position belongs to an order, never to a courier. It is shown when its fix time and its receive
// time lie in that order's window, and the [Channel] refuses it when that window is no longer open.
package ride
