package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
)

// step is one check of the repository.
type step struct {
	name  string // for -run
	does  string // for -list and the announcement
	needs []need // of the machine, beyond Go
	run   func(ctx context.Context, t *tree) error
}

// testTimeout is go test's limit for one package: the slowest may wait for real servers on a busy two-core machine.
// Go's own default, 10 m, is close to that.
const testTimeout = "12m"

// steps is the table of all steps in the order they run: the quick ones first, so that a mistake shows early.
// Everything but the race test runs without cgo, as the released binary is built.
func steps(fast bool) []step {
	return []step{
		{name: "format", does: "gofmt -l, generated files left out", run: format},
		{name: "vet", does: "go vet ./...", run: goStep("vet", "./...")},
		{name: "lint", does: "go tool staticcheck ./...", run: goStep("tool", "staticcheck", "./...")},
		{name: "generate", does: "go generate ./... in a copy, must change nothing", run: generate},
		{name: "module", does: "go mod verify, go mod tidy -diff", run: module},
		{name: "build", does: "CGO_ENABLED=0 go build ./...", run: goStep("build", "./...")},
		testStep(fast),
	}
}

// testStep is the tests, with the race detector unless fast. Fuzz targets run over their seed corpora as part of it.
// -count=1, because the cache does not see the servers the tests start.
func testStep(fast bool) step {
	args := []string{"test", "-count=1", "-timeout", testTimeout, "./..."}
	if fast {
		return step{name: "test", does: "go " + strings.Join(args, " "), needs: forTests, run: goStep(args...)}
	}
	args = slices.Insert(args, 1, "-race")
	return step{
		name: "test", does: "go " + strings.Join(args, " "), needs: slices.Concat(forRace, forTests),
		run: func(ctx context.Context, t *tree) error { return t.goWithC(ctx, args...) },
	}
}

// goStep is a step that is one call of the go command without cgo.
func goStep(args ...string) func(context.Context, *tree) error {
	return func(ctx context.Context, t *tree) error { return t.goCommand(ctx, args...) }
}

// module checks that the module cache holds what go.sum says, and that go.mod and go.sum are what tidy would write.
func module(ctx context.Context, t *tree) error {
	if err := t.goCommand(ctx, "mod", "verify"); err != nil {
		return err
	}
	if err := t.goCommand(ctx, "mod", "tidy", "-diff"); err != nil {
		return fmt.Errorf("%w; to mend it: go mod tidy", err)
	}
	return nil
}

// choose returns the named steps in the table's order, whatever order the names come in; no names = all. An unknown
// name is an error that lists the known ones.
func choose(all []step, names []string) ([]step, error) {
	if len(names) == 0 {
		return all, nil
	}
	var known []string
	var chosen []step
	for _, s := range all {
		known = append(known, s.name)
		if slices.Contains(names, s.name) {
			chosen = append(chosen, s)
		}
	}
	for _, name := range names {
		if !slices.Contains(known, name) {
			return nil, fmt.Errorf("there is no step %q; the steps are %s", name, strings.Join(known, ", "))
		}
	}
	return chosen, nil
}

func list(out io.Writer, plan []step) {
	for _, s := range plan {
		fmt.Fprintf(out, "%-10s%s\n", s.name, s.does)
	}
}
