package bus

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"unicode"
)

// address is where Redis is, as a URL says it:
//
//	redis://[[user]:password@]host[:6379][/db]
//	redis+cluster://[[user]:password@]host[:6379],host…
//	redis+sentinel://[[user]:password@]sentinel[:26379],sentinel…/name[?db=0&sentinel_user=…&sentinel_password=…]
//
// with rediss for redis where the way there is TLS. Of a Cluster any of its nodes will do; user and password are those
// of Redis itself. In them / ? and @ are written as %2F, %3F and %40.
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
		return address{}, errors.New("what the Redis URL begins with must be redis or rediss, perhaps with +cluster or +sentinel")
	}
	port := "6379"
	switch kind {
	case "":
	case "cluster":
		a.kind = cluster
	case "sentinel":
		a.kind, port = sentinel, "26379"
	default:
		return address{}, errors.New("the Redis URL begins with a + and a word: only +cluster and +sentinel are known")
	}
	rest, query, _ := strings.Cut(rest, "?")
	hosts, path, _ := strings.Cut(rest, "/")
	if strings.ContainsRune(path+query, '@') { // so that what is in front of it was not meant to be a host
		return address{}, fmt.Errorf("the Redis URL has an @ behind a / or a ?: %s", encoded)
	}
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
		if err != nil { // no port, or no host
			host, p = one, port
			if inside, ok := strings.CutPrefix(one, "["); ok {
				host, _ = strings.CutSuffix(inside, "]")
			}
		}
		if n, err := strconv.Atoi(p); !isHost(host, one[:min(1, len(one))] == "[") || err != nil || n < 1 || n > 65535 {
			return fmt.Errorf("what the Redis URL names must be a host, or host:port, an IPv6 address in [ ], and an @ in front of the first one "+
				"where there is a password: %s", encoded)
		}
		a.hosts = append(a.hosts, net.JoinHostPort(host, p))
	}
	if a.kind == single && len(a.hosts) > 1 {
		return errors.New("the Redis URL names several hosts: write redis+cluster:// for a Cluster, redis+sentinel:// for Sentinels")
	}
	return nil
}

// encoded is what to do about a password that was taken for something else.
const encoded = "in a user or a password write / as %2F, ? as %3F, @ as %40"

// isHost reports whether text can be a host: an IPv6 address where it stood in brackets, else a name or an IPv4 address.
// A password that was taken for one is not dialled, since what is dialled is logged.
func isHost(text string, brackets bool) bool {
	if brackets {
		ip, err := netip.ParseAddr(text)
		return err == nil && ip.Is6()
	}
	return text != "" && !strings.ContainsFunc(text, func(c rune) bool {
		return !unicode.IsLetter(c) && !unicode.IsDigit(c) && c != '-' && c != '.' && c != '_'
	})
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
			return errors.New("the Redis URL names no database behind its host: it must be a number from 0")
		}
	}
	a.sentinelUser, a.sentinelPassword = q.Get("sentinel_user"), q.Get("sentinel_password")
	for name := range q {
		if name != "db" && (a.kind != sentinel || name != "sentinel_user" && name != "sentinel_password") {
			return errors.New("the Redis URL has a word behind its ? that means nothing here: db is known, with Sentinels sentinel_user and sentinel_password too")
		}
	}
	return nil
}
