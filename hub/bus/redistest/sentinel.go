package redistest

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// Master is the name by which Sentinels know the primary.
const Master = "mymaster"

// Sentinel is a primary, a replica of it, and the Sentinels that watch them.
type Sentinel struct {
	t         testing.TB
	Servers   []*Server // the first primary, and its replica
	Sentinels []*Server
}

// StartSentinel runs a primary with a replica and three Sentinels, which take a primary that is silent for half a second
// for dead. It returns once they agree.
func StartSentinel(t testing.TB) *Sentinel {
	t.Helper()
	ctx := context.Background()
	primary := Start(t, "--repl-diskless-sync-delay", "0")
	host, port, _ := net.SplitHostPort(primary.Addr())
	replica := Start(t, "--replicaof", host+" "+port, "--repl-diskless-sync-delay", "0")
	s := &Sentinel{t: t, Servers: []*Server{primary, replica}}
	wait(t, "the replica", func() bool {
		info, err := replica.client.Info(ctx, "replication").Result()
		return err == nil && strings.Contains(info, "master_link_status:up")
	})
	for range 3 {
		one := newServer(t, "redis-sentinel", "apt-get install -y redis-sentinel", nil)
		conf := fmt.Sprintf("dir %s\nsentinel monitor %s %s %s 2\nsentinel down-after-milliseconds %s 500\n"+
			"sentinel failover-timeout %s 3000\n", one.dir, Master, host, port, Master, Master)
		one.must(os.WriteFile(filepath.Join(one.dir, "sentinel.conf"), []byte(conf), 0o600))
		one.Start()
		s.Sentinels = append(s.Sentinels, one)
	}
	for _, one := range s.Sentinels {
		wait(t, "the Sentinels to know each other and the replica", func() bool {
			of, err := one.client.Do(ctx, "SENTINEL", "MASTER", Master).Slice()
			if err != nil {
				return false
			}
			about := map[string]string{}
			for i := 0; i+1 < len(of); i += 2 {
				about[fmt.Sprint(of[i])] = fmt.Sprint(of[i+1])
			}
			return about["num-slaves"] == "1" && about["num-other-sentinels"] == "2" && about["flags"] == "master"
		})
	}
	return s
}

// URL is the address as the bus takes it.
func (s *Sentinel) URL() string {
	addrs := make([]string, len(s.Sentinels))
	for i, one := range s.Sentinels {
		addrs[i] = one.Addr()
	}
	return "redis+sentinel://" + strings.Join(addrs, ",") + "/" + Master
}

// Primary is the server that the Sentinels name.
func (s *Sentinel) Primary() *Server {
	s.t.Helper()
	at, err := s.Sentinels[0].client.Do(context.Background(), "SENTINEL", "GET-MASTER-ADDR-BY-NAME", Master).StringSlice()
	if err != nil {
		s.t.Fatal(err)
	}
	for _, one := range s.Servers {
		if one.Addr() == net.JoinHostPort(at[0], at[1]) {
			return one
		}
	}
	s.t.Fatalf("the Sentinels name %v", at)
	return nil
}

// Failover has the Sentinels make the replica the primary, and returns once every one of them names it.
func (s *Sentinel) Failover() {
	s.t.Helper()
	old := s.Primary()
	if err := s.Sentinels[0].client.Do(context.Background(), "SENTINEL", "FAILOVER", Master).Err(); err != nil {
		s.t.Fatal(err)
	}
	s.WaitFailover(old)
}

// WaitFailover waits until the Sentinels name another primary than old, which has become one.
func (s *Sentinel) WaitFailover(old *Server) {
	s.t.Helper()
	wait(s.t, "a failover", func() bool {
		now := s.Primary()
		if now == old {
			return false
		}
		info, err := now.client.Info(context.Background(), "replication").Result()
		return err == nil && strings.Contains(info, "role:master")
	})
}

func itoa(n int) string { return strconv.Itoa(n) }
