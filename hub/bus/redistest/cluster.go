package redistest

import (
	"context"
	"strings"
	"testing"
)

const slots = 16384

// Cluster is three masters that share the slots, without replicas.
type Cluster struct {
	Servers []*Server
}

// StartCluster runs a Cluster, and returns once every master says that it is whole.
func StartCluster(t testing.TB) *Cluster {
	t.Helper()
	const masters = 3
	ctx := context.Background()
	c := &Cluster{}
	for i := range masters {
		s := Start(t, "--cluster-enabled", "yes", "--cluster-port", itoa(freePort(t)), "--cluster-node-timeout", "2000")
		s.must(s.client.Do(ctx, "CLUSTER", "SET-CONFIG-EPOCH", i+1).Err())
		s.must(s.client.ClusterAddSlotsRange(ctx, i*slots/masters, (i+1)*slots/masters-1).Err())
		c.Servers = append(c.Servers, s)
	}
	first := c.Servers[0]
	for _, s := range c.Servers[1:] {
		host, port, _ := strings.Cut(first.Addr(), ":")
		s.must(s.client.Do(ctx, "CLUSTER", "MEET", host, port, first.clusterPort()).Err())
	}
	for _, s := range c.Servers {
		wait(t, "the Cluster to be whole", func() bool {
			info, err := s.client.ClusterInfo(ctx).Result()
			return err == nil && strings.Contains(info, "cluster_state:ok") && strings.Contains(info, "cluster_known_nodes:3")
		})
	}
	return c
}

func (s *Server) clusterPort() string {
	for i, a := range s.args {
		if a == "--cluster-port" {
			return s.args[i+1]
		}
	}
	return ""
}

// URL is the Cluster's address as the bus takes it.
func (c *Cluster) URL() string {
	addrs := make([]string, len(c.Servers))
	for i, s := range c.Servers {
		addrs[i] = s.Addr()
	}
	return "redis+cluster://" + strings.Join(addrs, ",")
}
