package bus

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
)

// address is where Redis is, as a URL says it:
//
//	redis://[[user]:password@]host[:6379][/db]
//	redis+cluster://[[user]:password@]host[:6379],host…
//	redis+sentinel://[[user]:password@]sentinel[:26379],sentinel…/name[?db=0&sentinel_user=…&sentinel_password=…]
//
// with rediss for redis where the way there is TLS. Of a Cluster any of its nodes will do; user and password are those
// of Redis itself. Signs that mean something in a URL are written as %40 and the like.
type address struct {
	kind             topology
	tls              bool
	hosts            []string // host:port
	user, password   string
	db               int
	master           string // of Sentinel: the name that the primary goes by
	sentinelUser     string
	sentinelPassword string
}

type topology int

const (
	single topology = iota
	cluster
	sentinel
)

// parseAddress reads a URL. The error is a sentence and never shows the URL, since there may be a password in it.
func parseAddress(raw string) (address, error) {
	scheme, rest, ok := strings.Cut(raw, "://")
	if !ok {
		return address{}, errors.New("the Redis URL must begin with redis://, redis+cluster:// or redis+sentinel:// (rediss… for TLS)")
	}
	var a address
	way, kind, _ := strings.Cut(strings.ToLower(scheme), "+")
	switch way {
	case "redis":
	case "rediss":
		a.tls = true
	default:
		return address{}, fmt.Errorf("the Redis URL begins with %q: it must be redis or rediss, perhaps with +cluster or +sentinel", scheme)
	}
	port := "6379"
	switch kind {
	case "":
	case "cluster":
		a.kind = cluster
	case "sentinel":
		a.kind, port = sentinel, "26379"
	default:
		return address{}, fmt.Errorf("the Redis URL says +%s: only +cluster and +sentinel are known", kind)
	}
	rest, query, _ := strings.Cut(rest, "?")
	hosts, path, _ := strings.Cut(rest, "/")
	if at := strings.LastIndexByte(hosts, '@'); at >= 0 {
		if err := a.setUser(hosts[:at]); err != nil {
			return address{}, err
		}
		hosts = hosts[at+1:]
	}
	if err := a.setHosts(hosts, port); err != nil {
		return address{}, err
	}
	return a, a.setRest(path, query)
}

func (a *address) setUser(text string) error {
	user, password, _ := strings.Cut(text, ":")
	var err, err2 error
	a.user, err = url.PathUnescape(user)
	a.password, err2 = url.PathUnescape(password)
	if err != nil || err2 != nil {
		return errors.New("the user or the password in the Redis URL has a % that begins no code: write %25 for it")
	}
	return nil
}

func (a *address) setHosts(text, port string) error {
	for one := range strings.SplitSeq(text, ",") {
		host, p, err := net.SplitHostPort(one)
		if err != nil { // no port
			host, p = strings.Trim(one, "[]"), port
		}
		if n, err := strconv.Atoi(p); host == "" || err != nil || n < 1 || n > 65535 {
			return fmt.Errorf("the Redis URL names %q: it must be a host, or host:port", one)
		}
		a.hosts = append(a.hosts, net.JoinHostPort(host, p))
	}
	if a.kind == single && len(a.hosts) > 1 {
		return errors.New("the Redis URL names several hosts: write redis+cluster:// for a Cluster, redis+sentinel:// for Sentinels")
	}
	return nil
}

func (a *address) setRest(path, query string) error {
	q, err := url.ParseQuery(query)
	if err != nil {
		return errors.New("what stands behind the ? of the Redis URL cannot be read")
	}
	db := q.Get("db")
	switch a.kind {
	case single:
		if path != "" {
			db = path
		}
	case sentinel:
		if a.master, err = url.PathUnescape(path); path == "" || err != nil {
			return errors.New("the Redis URL must end with the name of the primary that the Sentinels watch: redis+sentinel://host/name")
		}
	case cluster:
		if path != "" && path != "0" || db != "" && db != "0" {
			return errors.New("a Redis Cluster has database 0 only: leave it out of the URL")
		}
		db = ""
	}
	if db != "" {
		if a.db, err = strconv.Atoi(db); err != nil || a.db < 0 {
			return fmt.Errorf("%q in the Redis URL is no database: it must be a number from 0", db)
		}
	}
	a.sentinelUser, a.sentinelPassword = q.Get("sentinel_user"), q.Get("sentinel_password")
	for name := range q {
		if name != "db" && (a.kind != sentinel || name != "sentinel_user" && name != "sentinel_password") {
			return fmt.Errorf("the Redis URL has %q behind its ?: that means nothing here", name)
		}
	}
	return nil
}
