// Package wsconn has a client on one side and a hub session on the other: a WebSocket, or a stream of server-sent
// events. It knows frames, sockets and deadlines; what is said is the hub's matter.
//
// An idle WebSocket costs one goroutine with the smallest stack and some 3 KiB: the request's handler has returned,
// buffers are lent to who says or is told something, and nothing writes while nothing waits.
package wsconn
