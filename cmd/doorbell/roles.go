package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// roles is what a node does.
type roles struct {
	api       bool // REST, streams, long-polls; timers, and publishing what others left
	hub       bool // /v1/live
	callbacks bool // HTTP callbacks
}

func (r roles) all() bool { return r.api && r.hub && r.callbacks }

// String is the roles as --roles takes them.
func (r roles) String() string {
	var list []string
	for _, x := range []struct {
		has  bool
		name string
	}{{r.api, "api"}, {r.hub, "hub"}, {r.callbacks, "callbacks"}} {
		if x.has {
			list = append(list, x.name)
		}
	}
	return strings.Join(list, ",")
}

// rolesAndServers reads --roles, and refuses what cannot work: nodes that share nothing, or do not hear of each other.
func (c *config) rolesAndServers() (r roles, err error) {
	for _, name := range c.Roles {
		switch strings.TrimSpace(name) {
		case "api":
			r.api = true
		case "hub":
			r.hub = true
		case "callbacks":
			r.callbacks = true
		default:
			return r, fmt.Errorf("--roles: %q is none of api, hub, callbacks", name)
		}
	}
	switch {
	case r == roles{}:
		return r, errors.New("--roles: name at least one of api, hub, callbacks")
	case !r.all() && c.Redis == "":
		return r, fmt.Errorf("--roles: a node that is only %s needs the others: give every node --redis, over which they "+
			"hear of changes, and --postgres, which they share; or leave --roles away, and this one does it all", r)
	case c.Redis != "" && c.Postgres == "":
		return r, errors.New("--redis: it is for several nodes, and several nodes cannot share SQLite: " +
			"give every node the same --postgres, or leave --redis away and run one node")
	case c.RedisPrefix == "" || slices.ContainsFunc([]rune(c.RedisPrefix), func(c rune) bool { return !prefixRune(c) }):
		return r, fmt.Errorf("--redis-prefix: %q is not made of letters, digits and _.:-", c.RedisPrefix)
	}
	return r, nil
}

func prefixRune(c rune) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.ContainsRune("_.:-", c)
}
