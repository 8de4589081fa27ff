// Package wsconn has a client on one side and a hub session on the other: a WebSocket, or a stream of server-sent
// events. It knows frames, sockets and deadlines; what is said is the hub's matter.
//
// An idle WebSocket costs one goroutine with the smallest stack and a few KiB: the request's handler has returned, the
// library reads through a small buffer and only once something has come, buffers are lent to who says or is told
// something, and nothing writes while nothing waits. BenchmarkServeRSS measures it.
package wsconn
