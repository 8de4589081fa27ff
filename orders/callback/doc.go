// Package callback sends HTTP callbacks: what happened to an order, signed, to those who may have no live socket.
//
// It is three things that know little of each other. [Rows] is a pure function: an order's events and the endpoints that
// may hear of it give the rows to be stored in the order's own transaction. [Client] makes one attempt, and can reach no
// address that [Guard] refuses. [Engine] sits between: it knows what waits, whose turn it is, and what an answer means.
// Where the rows are kept is behind [Store]; another adapter fills it.
//
// The rules of the engine, in the order in which they matter:
//
//   - Everything that waits is a row. A row goes away only after its outcome was stored, so what a node that dies was
//     sending is sent again: at least once, under the same webhook-id.
//   - An endpoint belongs to one of [Shards] shards and a shard to one node at a time, by a lease. So one node sees all
//     attempts at an endpoint, and order, caps and breaker need no talk between nodes. A node that cannot renew its
//     lease stops sending before another may begin.
//   - The rows of one order at one endpoint are a lane: sent oldest first, one at a time. A newer status supersedes an
//     older one that still waits; a lane that waits for its next try holds up no other lane.
//   - Each endpoint with something to send gets a turn, and no more attempts at a time than its cap. Endpoints in
//     trouble share a small part of all attempts, so that those who hang slow nobody else.
//   - A waiting row costs memory, and nothing else: one timer sleeps until the earliest is due.
package callback
