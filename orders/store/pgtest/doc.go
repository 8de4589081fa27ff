// Package pgtest runs a real Postgres for tests: on a free port of the loopback, in a temporary folder, with fsync on,
// and gone with the test or with the process that started it.
//
// [Start] gives a test a server of its own, to be stopped, killed or paused. Tests that only need a database share one
// server that TestMain opened with [Open], and take a [Server.Database] each. Postgres refuses to run as root; there it
// runs as the user postgres, or nobody.
package pgtest
