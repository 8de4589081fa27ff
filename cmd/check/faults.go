package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
)

// faultPackage holds the fault suite. It runs short with the other tests, and long by -faults -minutes N.
const faultPackage = "./cmd/doorbell/faults"

// faultRest is what the suite may take beyond the minutes it was given, in minutes: each fault comes once whatever their
// number, and what was begun is ended.
const faultRest = 30

// faultStep is the fault suite for so many minutes, without the race detector: it measures times. What it found is
// written to report, so that it can stand at the end of everything.
func faultStep(minutes int, report string) step {
	args := []string{
		"test", "-count=1", "-v", "-timeout", strconv.Itoa(minutes+faultRest) + "m", faultPackage, "-args",
		"-minutes", strconv.Itoa(minutes), "-report", report,
	}
	return step{
		name: "faults", does: fmt.Sprintf("kill, cut and freeze what a cluster is made of, for %d minutes", minutes),
		needs: forTests, run: goStep(args...),
	}
}

// checkFaults runs the fault suite and prints its report last.
func checkFaults(ctx context.Context, opt options, out io.Writer) error {
	dir, err := os.MkdirTemp("", "doorbell-faults-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	report := filepath.Join(dir, "report.txt")
	err = check(ctx, []step{faultStep(opt.minutes, report)}, opt, out)
	if text, readErr := os.ReadFile(report); readErr == nil {
		fmt.Fprintf(out, "\n%s", text)
	}
	return err
}
