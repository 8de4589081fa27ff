package faults

import (
	"context"
	"strings"
	"time"

	"doorbell/hub/bus/redistest"
)

// staleFailover makes a replica the primary that has not heard of the last second: what was published then, one Redis
// had taken, and it is dead.
var staleFailover = fault{
	name: "Sentinel failover to a stale replica", limit: failoverLimit, up: true, blind: true,
	begin: func(w *world) {
		primary := w.sentinel.Primary()
		stale := w.sentinel.Servers[0]
		if stale == primary {
			stale = w.sentinel.Servers[1]
		}
		// A password that the primary does not know keeps the replica from coming back to it.
		if err := stale.Client().ConfigSet(context.Background(), "masterauth", "wrong").Err(); err != nil {
			w.t.Fatal(err)
		}
		if err := stale.Client().Do(context.Background(), "CLIENT", "KILL", "TYPE", "master").Err(); err != nil {
			w.t.Fatal(err)
		}
		w.replication(stale, "master_link_status:down")
		time.Sleep(time.Second) // of publishes that only the primary takes
		primary.Kill()
		w.sentinel.WaitFailover(primary)
	},
	after: func(w *world) {
		for _, s := range w.sentinel.Servers {
			s.Start() // nothing where it runs
			if err := s.Client().ConfigSet(context.Background(), "masterauth", "").Err(); err != nil {
				w.t.Fatal(err)
			}
		}
		now := w.sentinel.Primary()
		for _, s := range w.sentinel.Servers {
			if s != now {
				w.replication(s, "master_link_status:up")
			}
		}
	},
}

// replication waits until a server says this of its replication.
func (w *world) replication(s *redistest.Server, want string) {
	w.t.Helper()
	eventually(w.t, func() (bool, string) {
		text, err := s.Client().Info(context.Background(), "replication").Result()
		return err == nil && strings.Contains(text, want), want
	})
}
