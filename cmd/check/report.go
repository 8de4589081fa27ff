package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// firstRun is said at the start of every run, since the first one is the one where people wonder.
// Measured on two cores: 2.5 minutes without apt and before the slow tests were there.
const firstRun = "The first run on a fresh machine takes 5 to 10 minutes on two cores: it downloads Debian packages and about " +
	"200 MB of Go modules, and compiles staticcheck and SQLite. Later runs find all that done."

var errNotRun = errors.New("not run")

// result is how one step ended.
type result struct {
	name string
	took time.Duration
	err  error // nil = passed; errNotRun = a step before it failed
}

// runAll runs the steps one after the other. After a failure the rest is not run, unless keepGoing; after an interrupt
// it never is.
func runAll(ctx context.Context, t *tree, plan []step, keepGoing bool) []result {
	var results []result
	stopped := false
	for _, s := range plan {
		if stopped || ctx.Err() != nil {
			results = append(results, result{name: s.name, err: errNotRun})
			continue
		}
		r := runOne(ctx, t, s)
		stopped = r.err != nil && !keepGoing
		results = append(results, r)
	}
	return results
}

// runOne announces the step, runs it and says how it ended.
func runOne(ctx context.Context, t *tree, s step) result {
	fmt.Fprintf(t.out, "== %s: %s\n", s.name, s.does)
	start := time.Now()
	err := s.run(ctx, t)
	r := result{name: s.name, took: time.Since(start), err: err}
	if err != nil {
		fmt.Fprintf(t.out, "   %s failed after %s: %v\n", s.name, seconds(r.took), err)
	} else {
		fmt.Fprintf(t.out, "   %s passed in %s\n", s.name, seconds(r.took))
	}
	return r
}

// summarize prints one line for each step.
func summarize(out io.Writer, results []result) {
	fmt.Fprintln(out, "== summary")
	var total time.Duration
	for _, r := range results {
		total += r.took
		switch {
		case errors.Is(r.err, errNotRun):
			fmt.Fprintf(out, "   -     %-10s not run\n", r.name)
		case r.err != nil:
			fmt.Fprintf(out, "   FAIL  %-10s%8s\n", r.name, seconds(r.took))
		default:
			fmt.Fprintf(out, "   pass  %-10s%8s\n", r.name, seconds(r.took))
		}
	}
	fmt.Fprintf(out, "         %-10s%8s\n", "together", seconds(total))
}

// verdict is nil when every step passed, else names those that failed.
func verdict(ctx context.Context, results []result) error {
	if ctx.Err() != nil {
		return errors.New("interrupted")
	}
	var failed []string
	for _, r := range results {
		if r.err != nil && !errors.Is(r.err, errNotRun) {
			failed = append(failed, r.name)
		}
	}
	if len(failed) > 0 {
		return fmt.Errorf("failed: %s", strings.Join(failed, ", "))
	}
	return nil
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.1fs", d.Seconds()) }
