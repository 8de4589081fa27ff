package main

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

// edge is one import: a package of ours, what it imports, and whether only its tests do. Our own packages are written
// without the module's path: "orders/store", and "." is the module's root.
type edge struct {
	from   string
	to     string
	own    bool // to is a package of ours
	inTest bool
}

func (e edge) String() string {
	if e.inTest {
		return e.from + " (its tests) imports " + e.to
	}
	return e.from + " imports " + e.to
}

// standard reports whether the edge leads into the standard library: the only paths without a dot in the first element.
func (e edge) standard() bool {
	first, _, _ := strings.Cut(e.to, "/")
	return !e.own && !strings.Contains(first, ".")
}

// importRule is one rule about who may import whom. To add one, add it to importRules and a line to TestImportRules.
type importRule struct {
	says   string // the rule and its reason, for whoever has just broken it
	breaks func(e edge) bool
}

var importRules = []importRule{
	{
		says: "orders imports the standard library only: the domain has to read, build and test without any server, " +
			"database or library. What it needs from outside is a small interface that it declares and an adapter fills.",
		breaks: func(e edge) bool { return e.from == "orders" && !e.inTest && !e.standard() },
	},
	{
		says: "orders and what is below it know nothing of hub and web: imports point one way, cmd, web, adapters, domain. " +
			"What the hub has to hear from orders goes through an interface declared in orders (Publisher).",
		breaks: func(e edge) bool {
			return below(e.from, "orders") && !e.inTest && e.own && (below(e.to, "hub") || below(e.to, "web"))
		},
	},
	{
		says: "hub imports of ours orders and hub/wire only, and of others zerolog and Prometheus only: it knows no socket " +
			"and no Redis, so that its tests need none of them. Adapters in the folders below it bring those.",
		breaks: func(e edge) bool {
			return e.from == "hub" && !e.inTest && !e.standard() && !(e.own && (e.to == "orders" || e.to == "hub/wire")) &&
				!below(e.to, "github.com/rs/zerolog") && !below(e.to, "github.com/prometheus/client_golang")
		},
	},
	{
		says: "hub/wire imports orders and the standard library only: it parses and formats frames, for the server, for " +
			"hub/client and for others' programs, and does not log.",
		breaks: func(e edge) bool {
			return below(e.from, "hub/wire") && !e.inTest && !testHelper(e.from) && !e.standard() &&
				!(e.own && (e.to == "orders" || below(e.to, "hub/wire")))
		},
	},
	{
		says: "adapters (" + strings.Join(adapters, ", ") + ") do not import each other: each can be replaced alone, and " +
			"web or cmd/doorbell joins them. What two of them share belongs to orders, hub or hub/wire.",
		breaks: func(e edge) bool {
			from, to := adapterOf(e.from), adapterOf(e.to)
			return !e.inTest && e.own && from != "" && to != "" && from != to
		},
	},
	{
		says: "web is imported by cmd only: it is the outermost layer but one, and whoever below it imports it makes a ring " +
			"of what should be a line.",
		breaks: func(e edge) bool {
			return !e.inTest && e.own && below(e.to, "web") && !below(e.from, "web") && !below(e.from, "cmd")
		},
	},
	{
		says: "nothing outside cmd imports from cmd, tests neither: wiring, flags and environment are read there and handed " +
			"down as values.",
		breaks: func(e edge) bool { return e.own && below(e.to, "cmd") && !below(e.from, "cmd") },
	},
	{
		says: "packages whose name ends in test (pgtest, storetest, redistest) are imported by tests only: they start " +
			"servers and carry the testing package, which has no place in the released binary.",
		breaks: func(e edge) bool { return e.own && testHelper(e.to) && !e.inTest && !testHelper(e.from) },
	},
	{
		says: "text/template and html/template stay out of the server: they call methods by name, so the linker keeps every " +
			"exported method of every type and the binary grows by megabytes. Write the page with encoding or append.",
		breaks: func(e edge) bool {
			return !e.inTest && (e.to == "text/template" || e.to == "html/template") && inServer(e.from)
		},
	},
	{
		says: "cmd/check imports the standard library only, and not net or os/user: it has to start on a machine that has " +
			"neither downloaded modules nor a C compiler, in order to install them.",
		breaks: func(e edge) bool {
			return e.from == "cmd/check" && (!e.standard() || !e.inTest && (below(e.to, "net") || e.to == "os/user"))
		},
	},
}

// libraryHome is where a library may be imported. Each has one home, so that replacing it touches one folder.
type libraryHome struct {
	library string   // path prefix
	homes   []string // packages of ours, with what is below them
	tests   bool     // tests anywhere may import it too
}

var libraryHomes = []libraryHome{
	// Tests play the browser, and cmd has the load generator.
	{library: "github.com/coder/websocket", homes: []string{"hub/wsconn", "hub/client", "cmd"}, tests: true},
	{library: "github.com/redis/go-redis", homes: []string{"hub/bus"}},
	{library: "github.com/jackc/pgx", homes: []string{"orders/store"}},
	{library: "modernc.org/sqlite", homes: []string{"orders/store"}},
	{library: "github.com/pressly/goose", homes: []string{"orders/store"}},
	{library: "github.com/go-chi", homes: []string{"web"}},
	{library: "github.com/golang-jwt/jwt", homes: []string{"web"}},
}

func (h libraryHome) rule() importRule {
	return importRule{
		says: h.library + " has its home in " + strings.Join(h.homes, ", ") + ", and is imported nowhere else: so its " +
			"types and errors do not spread, and it can be replaced in one place. Ask the package at its home instead.",
		breaks: func(e edge) bool {
			if !below(e.to, h.library) || h.tests && e.inTest {
				return false
			}
			return !slices.ContainsFunc(h.homes, func(home string) bool { return below(e.from, home) })
		},
	}
}

var adapters = []string{"orders/store", "orders/callback", "hub/bus", "hub/wsconn", "hub/track"}

// adapterOf returns the adapter that a package of ours belongs to, or "".
func adapterOf(pkg string) string {
	for _, a := range adapters {
		if below(pkg, a) {
			return a
		}
	}
	return ""
}

// testHelper reports whether a package of ours exists for tests.
func testHelper(pkg string) bool { return strings.HasSuffix(pkg, "test") }

// inServer reports whether a package of ours ends up in the released binary. Of cmd, only cmd/doorbell does: the others
// are tools for developers.
func inServer(pkg string) bool { return !below(pkg, "cmd") || below(pkg, "cmd/doorbell") }

// below reports whether path is parent or lies in a folder of it.
func below(path, parent string) bool { return path == parent || strings.HasPrefix(path, parent+"/") }

// allImportRules is importRules and one rule for each library with a home.
func allImportRules() []importRule {
	all := slices.Clone(importRules)
	for _, h := range libraryHomes {
		all = append(all, h.rule())
	}
	return all
}

// TestImports keeps the direction of imports in the whole repository.
func TestImports(t *testing.T) {
	for _, e := range edges(goList(t)) {
		for _, r := range allImportRules() {
			if r.breaks(e) {
				t.Errorf("%s\n\tThe rule: %s", e, r.says)
			}
		}
	}
}

// edges returns every import of our packages once; one that a package also has outside its tests is not inTest.
func edges(packages []listedPackage) []edge {
	set := map[edge]bool{}
	for _, p := range packages {
		add := func(imports []string, inTest bool) {
			for _, to := range imports {
				name, own := ownName(to)
				set[edge{from: p.name(), to: name, own: own, inTest: inTest}] = true
			}
		}
		add(p.Imports, false)
		add(p.TestImports, true)
		add(p.XTestImports, true)
	}
	return slices.SortedFunc(maps.Keys(set), func(a, b edge) int { return strings.Compare(a.String(), b.String()) })
}

// TestImportRules tries the rules on imports that are not there, since a rule that never fires looks like one that is
// kept.
func TestImportRules(t *testing.T) {
	const ours, theirs = true, false
	for _, c := range []struct {
		from   string
		to     string
		own    bool
		inTest bool
		broken int // how many rules it breaks
	}{
		{"orders", "time", theirs, false, 0},
		{"orders", "github.com/google/uuid", theirs, false, 1},
		{"orders", "pgregory.net/rapid", theirs, true, 0},
		{"orders", "orders/store", ours, false, 1},
		{"orders", "orders/store/storetest", ours, true, 0},
		{"orders", "hub", ours, false, 2}, // not the standard library, and the wrong way
		{"orders/store", "orders", ours, false, 0},
		{"orders/store", "hub", ours, false, 1},
		{"orders/callback", "web/token", ours, false, 2}, // below its layer, and not cmd
		{"hub", "orders", ours, false, 0},
		{"hub", "github.com/rs/zerolog", theirs, false, 0},
		{"hub", "github.com/rs/zerolog/log", theirs, false, 0},
		{"hub", "hub/wsconn", ours, false, 1},
		{"hub", "golang.org/x/sync/errgroup", theirs, false, 1},
		{"hub", "go.uber.org/goleak", theirs, true, 0},
		{"hub/wire", "orders", ours, false, 0},
		{"hub/wire", "encoding/json", theirs, false, 0},
		{"hub/wire", "github.com/rs/zerolog", theirs, false, 1},
		{"hub/wire", "hub", ours, false, 1},
		{"hub/wsconn", "hub/wire", ours, false, 0},
		{"hub/wsconn", "hub/bus", ours, false, 1},
		{"hub/track", "orders/store", ours, false, 1},
		{"hub/bus", "hub/bus/stream", ours, false, 0},
		{"hub/bus", "orders/store", ours, true, 0},
		{"hub/bus", "web", ours, false, 1},
		{"hub/wsconn", "web", ours, true, 0},
		{"web", "web/token", ours, false, 0},
		{"web", "cmd/doorbell/config", ours, false, 1},
		{"web", "cmd/doorbell/config", ours, true, 1},
		{"cmd/doorbell", "web", ours, false, 0},
		{"cmd/doorbell", "orders/store/pgtest", ours, false, 1},
		{"cmd/doorbell", "orders/store/pgtest", ours, true, 0},
		{"orders/store/storetest", "orders/store/pgtest", ours, false, 0},
		{"web", "html/template", theirs, false, 1},
		{"cmd/doorbell", "text/template", theirs, false, 1},
		{"cmd/tables", "text/template", theirs, false, 0},
		{"cmd/check", "net/http", theirs, false, 1},
		{"cmd/check", "orders", ours, true, 1},
		{"cmd/check", "os/exec", theirs, false, 0},
		{"hub/wsconn", "github.com/coder/websocket", theirs, false, 0},
		{"hub/client", "github.com/coder/websocket/wsjson", theirs, false, 0},
		{"cmd/doorbell", "github.com/coder/websocket", theirs, false, 0},
		{"web", "github.com/coder/websocket", theirs, false, 1},
		{"web", "github.com/coder/websocket", theirs, true, 0},
		{"hub/bus/redistest", "github.com/redis/go-redis/v9", theirs, false, 0},
		{"web", "github.com/redis/go-redis/v9", theirs, false, 1},
		{"orders/store/pgtest", "github.com/jackc/pgx/v5", theirs, false, 0},
		{"web", "github.com/jackc/pgx/v5/pgxpool", theirs, false, 1},
		{"cmd/doorbell", "modernc.org/sqlite", theirs, false, 1},
		{"cmd/doorbell", "github.com/pressly/goose/v3", theirs, false, 1},
		{"web/token", "github.com/golang-jwt/jwt/v5", theirs, false, 0},
		{"cmd/doorbell", "github.com/golang-jwt/jwt/v5", theirs, false, 1},
		{"hub/wsconn", "github.com/go-chi/chi/v5", theirs, false, 1},
	} {
		e := edge{from: c.from, to: c.to, own: c.own, inTest: c.inTest}
		broken := 0
		for _, r := range allImportRules() {
			if r.breaks(e) {
				broken++
			}
		}
		if broken != c.broken {
			t.Errorf("%s: breaks %d rules, want %d", e, broken, c.broken)
		}
	}
}
