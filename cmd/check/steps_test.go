package main

import (
	"bytes"
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"
)

func names(plan []step) []string {
	var all []string
	for _, s := range plan {
		all = append(all, s.name)
	}
	return all
}

func TestStepsOrder(t *testing.T) {
	want := []string{"format", "vet", "lint", "generate", "module", "build", "test"}
	for _, fast := range []bool{false, true} {
		if got := names(steps(fast)); !reflect.DeepEqual(got, want) {
			t.Errorf("fast %t: steps %v, want %v", fast, got, want)
		}
	}
}

func TestFastIsWithoutRace(t *testing.T) {
	for _, fast := range []bool{false, true} {
		plan, err := choose(steps(fast), []string{"test"})
		if err != nil {
			t.Fatal(err)
		}
		if race := strings.Contains(plan[0].does, "-race"); race == fast {
			t.Errorf("fast %t: %s", fast, plan[0].does)
		}
	}
}

func TestChoose(t *testing.T) {
	t.Run("KeepsTheTablesOrder", func(t *testing.T) {
		plan, err := choose(steps(false), []string{"test", "format"})
		if want := []string{"format", "test"}; err != nil || !reflect.DeepEqual(names(plan), want) {
			t.Errorf("chose %v, error %v, want %v", names(plan), err, want)
		}
	})
	t.Run("UnknownNameListsTheKnown", func(t *testing.T) {
		_, err := choose(steps(false), []string{"format", "fmt"})
		if err == nil || !strings.Contains(err.Error(), `"fmt"`) || !strings.Contains(err.Error(), "generate") {
			t.Errorf("error %v, want the name and the steps there are", err)
		}
	})
}

func TestRunAll(t *testing.T) {
	broken := errors.New("broken")
	passes := func(context.Context, *tree) error { return nil }
	fails := func(context.Context, *tree) error { return broken }
	plan := []step{{name: "one", run: passes}, {name: "two", run: fails}, {name: "three", run: passes}}
	for _, c := range []struct {
		name      string
		keepGoing bool
		third     error
		line      string
	}{
		{"FailureEndsTheRun", false, errNotRun, "-     three"},
		{"KeepGoingRunsTheRest", true, nil, "pass  three"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out bytes.Buffer
			results := runAll(t.Context(), &tree{out: &out}, plan, c.keepGoing)
			if results[0].err != nil || !errors.Is(results[1].err, broken) || !errors.Is(results[2].err, c.third) {
				t.Errorf("results %v", results)
			}
			summarize(&out, results)
			for _, want := range []string{"pass  one", "FAIL  two", c.line} {
				if !strings.Contains(out.String(), want) {
					t.Errorf("no line %q in:\n%s", want, &out)
				}
			}
			if err := verdict(t.Context(), results); err == nil || err.Error() != "failed: two" {
				t.Errorf("verdict %v, want that two failed", err)
			}
		})
	}
	t.Run("InterruptEndsTheRunInSpiteOfKeepGoing", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		interrupted := []step{{name: "one", run: func(context.Context, *tree) error { cancel(); return ctx.Err() }}, {name: "two", run: fails}}
		results := runAll(ctx, &tree{out: &bytes.Buffer{}}, interrupted, true)
		if !errors.Is(results[1].err, errNotRun) || verdict(ctx, results) == nil {
			t.Errorf("results %v, verdict %v", results, verdict(ctx, results))
		}
	})
}

func TestRunFlags(t *testing.T) {
	for _, c := range []struct {
		name   string
		args   []string
		status int
		says   string
	}{
		{"List", []string{"-list", "-fast", "-run", "test, vet"}, 0, "vet       go vet ./...\ntest      go test -count=1"},
		{"Help", []string{"-h"}, 0, "-keep-going"},
		{"UnknownFlag", []string{"-quick"}, exitUsage, "-quick"},
		{"UnknownStep", []string{"-run", "nope"}, exitUsage, "nope"},
		{"Argument", []string{"./..."}, exitUsage, "flags only"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out bytes.Buffer
			if status := run(t.Context(), c.args, &out, &out); status != c.status || !strings.Contains(out.String(), c.says) {
				t.Errorf("status %d, printed %q, want %d and %q", status, &out, c.status, c.says)
			}
		})
	}
}
