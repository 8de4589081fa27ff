package main

import (
	"os/exec"
	"path/filepath"
)

// need is one thing of the machine that a step cannot do without. It is there when its binary is in PATH, or when a
// file matches its glob; exactly one of the two is set.
type need struct {
	name     string   // for people: "C compiler"
	binary   string   // looked up in PATH
	glob     string   // absolute; a pattern because Debian puts versions into folders: /usr/lib/postgresql/*/bin/initdb
	packages []string // the Debian packages that bring it
	services []string // that those packages start by themselves, now and at every boot; see setUp
	why      string   // ends the sentence "… is needed for"
}

// forRace is what go test -race needs: the race detector's runtime is linked through cgo.
var forRace = []need{
	{name: "C compiler", binary: "gcc", packages: []string{"gcc"}, why: "go test -race"},
	{name: "C library headers", glob: "/usr/include/stdio.h", packages: []string{"libc6-dev"}, why: "go test -race"},
}

// forTests is what the tests themselves start, with and without -race. To add a server, add its line here. HAProxy is
// looked for where Debian puts it, which is in no ordinary user's PATH.
var forTests = []need{
	{name: "browser", binary: "chromium", packages: []string{"chromium"}, why: "the test of the README's browser page"},
	{
		name: "Redis", binary: "redis-server", packages: []string{"redis-server"}, services: []string{"redis-server"},
		why: "the tests of many nodes",
	},
	{
		name: "Redis Sentinel", binary: "redis-sentinel", packages: []string{"redis-sentinel"}, services: []string{"redis-sentinel"},
		why: "the tests of a Redis failover",
	},
	{
		name: "Postgres", glob: "/usr/lib/postgresql/*/bin/initdb", packages: []string{"postgresql"}, services: []string{"postgresql"},
		why: "the tests of many nodes",
	},
	{
		name: "HAProxy", glob: "/usr/sbin/haproxy", packages: []string{"haproxy"}, services: []string{"haproxy"},
		why: "the tests of the gateway",
	},
}

// there reports whether the machine has it.
func (n need) there() bool {
	if n.binary != "" {
		_, err := exec.LookPath(n.binary)
		return err == nil
	}
	found, err := filepath.Glob(n.glob)
	return err == nil && len(found) > 0
}

// detectedBy is the file or program whose absence we noticed, for messages.
func (n need) detectedBy() string {
	if n.binary != "" {
		return n.binary
	}
	return n.glob
}

// missing returns those of the needs that the machine does not have, in their order.
func missing(needs []need) []need {
	var gone []need
	for _, n := range needs {
		if !n.there() {
			gone = append(gone, n)
		}
	}
	return gone
}

// needsOf joins the needs of the chosen steps, each need once.
func needsOf(plan []step) []need {
	var all []need
	seen := map[string]bool{}
	for _, s := range plan {
		for _, n := range s.needs {
			if !seen[n.name] {
				seen[n.name] = true
				all = append(all, n)
			}
		}
	}
	return all
}

// packagesOf joins the Debian packages of the needs, each package once.
func packagesOf(needs []need) []string {
	return joined(needs, func(n need) []string { return n.packages })
}

// servicesOf joins the services that the packages of the needs would start, each once.
func servicesOf(needs []need) []string {
	return joined(needs, func(n need) []string { return n.services })
}

// joined is what of says of each need, in their order, each word once.
func joined(needs []need, of func(need) []string) []string {
	var all []string
	seen := map[string]bool{}
	for _, n := range needs {
		for _, word := range of(n) {
			if !seen[word] {
				seen[word] = true
				all = append(all, word)
			}
		}
	}
	return all
}
