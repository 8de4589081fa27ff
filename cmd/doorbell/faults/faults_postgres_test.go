package faults

import (
	"time"

	"doorbell/hub/bus/proxytest"
)

// postgresFaults are what may happen to Postgres, but for a restored backup.
var postgresFaults = []fault{
	{name: "Postgres restarted", begin: func(w *world) { w.postgres.Restart(w.t) }},
	{
		name: "Postgres killed (kill -9)", hold: time.Second,
		begin: func(w *world) { w.postgres.Kill(w.t) }, end: func(w *world) { w.postgres.Start(w.t) },
	},
	{
		name: "Postgres black-holed", hold: 4 * time.Second,
		begin: onEvery(postgresProxies, (*proxytest.Proxy).BlackHole), end: onEvery(postgresProxies, (*proxytest.Proxy).Heal),
	},
}
