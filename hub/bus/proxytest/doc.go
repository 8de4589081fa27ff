// Package proxytest is a TCP proxy that stands between a program and its server in tests and breaks the way between
// them: it cuts, resets, delays, swallows, and, for the Redis protocol, drops, repeats and reorders single replies. It
// knows nothing of who is at either end. The one rule to know: what a Proxy does to a connection begins with the next
// bytes, so a test that needs a whole connection treated its way says so before the connection is made.
package proxytest
