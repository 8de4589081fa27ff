// Package hub brings committed changes to those who watch. It knows orders, but no socket, no Redis and no SQL: adapters
// beside it bring events in and carry frames out.
package hub
