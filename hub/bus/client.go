package bus

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// How long Redis may take. What it does not answer by then is a failure: everything here can be done again.
const (
	dialTimeout = 500 * time.Millisecond
	ioTimeout   = time.Second
	poolSize    = 64               // connections of a node to one Redis, pub/sub aside: a publisher each is the most
	dialsAtOnce = 4                // of them; who waits for one takes any that comes free
	idleTimeout = 5 * time.Minute  // connections from a burst
	topologyAge = 10 * time.Second // of what is known of a Cluster, where nothing said MOVED
)

// connected is called with every new connection, and may refuse it.
type connected func(ctx context.Context, cn *redis.Conn) error

// open makes a client; nothing is dialled yet. RESP2, since reading pub/sub needs nothing of RESP3. No retries: whoever
// asks knows best what a failure means, and the outbox comes back to what is not out.
func (a address) open(on connected) redis.UniversalClient {
	quiet.Do(func() { redis.SetLogger(silent{}) })
	var secure *tls.Config
	if a.tls {
		secure = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	off := &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	switch a.kind {
	case cluster:
		return redis.NewClusterClient(&redis.ClusterOptions{
			Addrs: a.hosts, Username: a.user, Password: a.password, TLSConfig: secure, OnConnect: on, Protocol: 2,
			MaxRetries: -1, MaxRedirects: 2, MinRetryBackoff: 10 * time.Millisecond, MaxRetryBackoff: 50 * time.Millisecond,
			DialTimeout: dialTimeout, DialerRetries: 1, ReadTimeout: ioTimeout, WriteTimeout: ioTimeout, PoolTimeout: ioTimeout,
			ContextTimeoutEnabled: true, PoolSize: poolSize, MaxConcurrentDials: dialsAtOnce, PipelinePoolSize: -1, ConnMaxIdleTime: idleTimeout,
			ClusterStateReloadInterval: topologyAge, FailingTimeoutSeconds: 1, DisableIdentity: true, MaintNotificationsConfig: off,
		})
	case sentinel:
		return redis.NewFailoverClient(&redis.FailoverOptions{
			MasterName: a.master, SentinelAddrs: a.hosts, SentinelUsername: a.sentinelUser, SentinelPassword: a.sentinelPassword,
			Username: a.user, Password: a.password, DB: a.db, TLSConfig: secure, OnConnect: on, Protocol: 2,
			MaxRetries: -1, MinRetryBackoff: -1, MaxRetryBackoff: -1,
			DialTimeout: dialTimeout, DialerRetries: 1, ReadTimeout: ioTimeout, WriteTimeout: ioTimeout, PoolTimeout: ioTimeout,
			ContextTimeoutEnabled: true, PoolSize: poolSize, MaxConcurrentDials: dialsAtOnce, PipelinePoolSize: -1, ConnMaxIdleTime: idleTimeout,
			DisableIdentity: true,
		})
	}
	return redis.NewClient(&redis.Options{
		Addr: a.hosts[0], Username: a.user, Password: a.password, DB: a.db, TLSConfig: secure, OnConnect: on, Protocol: 2,
		MaxRetries: -1, MinRetryBackoff: -1, MaxRetryBackoff: -1,
		DialTimeout: dialTimeout, DialerRetries: 1, ReadTimeout: ioTimeout, WriteTimeout: ioTimeout, PoolTimeout: ioTimeout,
		ContextTimeoutEnabled: true, PoolSize: poolSize, MaxConcurrentDials: dialsAtOnce, PipelinePoolSize: -1, ConnMaxIdleTime: idleTimeout,
		DisableIdentity: true, MaintNotificationsConfig: off,
	})
}

// The library writes to standard error what its callers are told as well.
var quiet sync.Once

type silent struct{}

func (silent) Printf(context.Context, string, ...any) {}

// server is who answers: which process of Redis, and whether it is a primary.
type server struct {
	run      string // run_id
	primary  bool
	sentinel bool // no Redis at all: the library greets Sentinels as it greets what they watch
}

// infoer is a client, or one connection of it.
type infoer interface {
	Pipelined(ctx context.Context, fn func(redis.Pipeliner) error) ([]redis.Cmder, error)
}

func serverOf(ctx context.Context, c infoer) (server, error) {
	var about, role *redis.StringCmd
	if _, err := c.Pipelined(ctx, func(p redis.Pipeliner) error {
		about, role = p.Info(ctx, "server"), p.Info(ctx, "replication")
		return nil
	}); err != nil {
		return server{}, err
	}
	return parseServer(about.Val(), role.Val())
}

func parseServer(about, role string) (server, error) {
	s := server{
		run:      infoLine(about, "run_id:"),
		primary:  infoLine(role, "role:") == "master",
		sentinel: infoLine(about, "redis_mode:") == "sentinel",
	}
	if s.run == "" {
		return s, errors.New("the server does not tell its run_id: allow INFO, which shows when Redis is not the one it was")
	}
	return s, nil
}

func infoLine(info, name string) string {
	_, rest, _ := strings.Cut(info, "\n"+name)
	line, _, _ := strings.Cut(rest, "\n")
	return strings.TrimSpace(line)
}

// errReplica says that who answers is not a primary. The connection is of no use: another look-up may find another.
var errReplica = errors.New("the server that answers is a replica")

// runOf is which Redis there is: its run_id, or those of all masters of a Cluster, sorted.
func runOf(ctx context.Context, c redis.UniversalClient) (string, error) {
	masters, ok := c.(*redis.ClusterClient)
	if !ok {
		s, err := serverOf(ctx, c)
		if err == nil && !s.primary {
			err = errReplica
		}
		return s.run, err
	}
	var mu sync.Mutex
	var runs []string
	if err := masters.ForEachMaster(ctx, func(ctx context.Context, one *redis.Client) error {
		s, err := serverOf(ctx, one)
		if err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		runs = append(runs, s.run)
		return nil
	}); err != nil {
		return "", fmt.Errorf("ask the Cluster's masters: %w", err)
	}
	slices.Sort(runs)
	return strings.Join(runs, ","), nil
}
