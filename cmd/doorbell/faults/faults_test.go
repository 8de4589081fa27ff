package faults

import (
	"math/rand/v2"
	"testing"
	"time"
)

// scenario is a world and what happens to it, once in a short run and again and again in a long one.
type scenario struct {
	name   string
	redis  redisKind
	layout layout
	faults []func(w *world)
}

func suffering(groups ...[]fault) (out []func(*world)) {
	for _, g := range groups {
		for _, f := range g {
			out = append(out, func(w *world) { w.suffer(f) })
		}
	}
	return out
}

var scenarios = []scenario{
	{
		name: "Bus", redis: single, layout: layout{apis: 2, hubs: 2},
		faults: suffering(messageFaults, redisFaults),
	},
	{
		name: "NodesAndDatabase", redis: single, layout: layout{apis: 2, hubs: 2, callbacks: 1},
		faults: append(suffering(nodeFaults, postgresFaults), restore),
	},
	{
		name: "Time", redis: single, layout: layout{apis: 2, hubs: 2},
		faults: suffering([]fault{wrongClock, frozen}),
	},
	{
		name: "Sentinel", redis: sentinel, layout: layout{apis: 1, hubs: 2},
		faults: suffering([]fault{staleFailover}),
	},
	{
		name: "Cluster", redis: cluster, layout: layout{apis: 1, hubs: 2},
		faults: suffering(clusterFaults),
	},
}

// TestFaults breaks every world in every way. Worlds live side by side: most of a fault is waiting.
func TestFaults(t *testing.T) {
	for _, s := range scenarios {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, s.name, s.redis, s.layout)
			for round := 0; ; round++ {
				order := rand.Perm(len(s.faults))
				for i, k := range order {
					if round == 0 {
						k = i // the first round as written, so that a short run is always the same
					}
					s.faults[k](w)
				}
				if time.Since(started) >= time.Duration(*minutes*float64(time.Minute)) {
					break
				}
			}
			w.end()
		})
	}
}
