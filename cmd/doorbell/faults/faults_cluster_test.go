package faults

import (
	"context"
	"strings"
	"time"
)

// clusterFaults are what may happen to one master of a Cluster without replicas: its slots are gone, and with them what
// all masters answer, until it is back.
var clusterFaults = []fault{
	{
		name: "Cluster: a master killed, back empty", hold: 3 * time.Second, blind: true,
		begin: func(w *world) { w.cluster.Servers[1].Kill() },
		end:   func(w *world) { w.cluster.Servers[1].Start(); w.clusterWhole() },
	},
	{name: "Cluster: a master emptied (FLUSHALL)", up: true, blind: true, begin: func(w *world) { w.cluster.Servers[2].Flush() }},
}

// clusterWhole waits until every master says that all slots are served.
func (w *world) clusterWhole() {
	w.t.Helper()
	for _, s := range w.cluster.Servers {
		eventually(w.t, func() (bool, string) {
			info, err := s.Client().ClusterInfo(context.Background()).Result()
			return err == nil && strings.Contains(info, "cluster_state:ok"), "the Cluster is not whole: " + info
		})
	}
}
