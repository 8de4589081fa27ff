// Package faults breaks a running installation, part by part and under load, and holds what every client saw against
// what the database says: real nodes, a real Redis and Postgres, a proxy in between. Its tests break each part once; with
//
//	go test -v -count=1 -timeout 0 ./cmd/doorbell/faults -args -minutes 30
//
// they go on breaking things for so long. What a row of the printed table means stands in table_test.go, what is held
// against what in oracle_test.go and check_test.go.
package faults

import (
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"
)

var (
	minutes = flag.Float64("minutes", 0, "how long to break things; each fault happens at least once")
	report  = flag.String("report", "", "a file to write the table to as well")
)

// program is the program under test, built once, with the race detector if the tests have it.
var program string

// started is when the suite began.
var started = time.Now()

func TestMain(m *testing.M) {
	code := buildAndRun(m)
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	if !writeReport() && code == 0 { // behind everything else, so that it is the last line
		code = 1
	}
	os.Exit(code)
}

// writeReport prints the table, and reports whether all is well.
func writeReport() bool {
	out := io.Writer(os.Stdout)
	if *report != "" {
		f, err := os.Create(*report)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return false
		}
		defer f.Close()
		out = io.MultiWriter(out, f)
	}
	return results.last(out)
}

func buildAndRun(m *testing.M) int {
	flag.Parse()
	if err := flag.Set("test.parallel", fmt.Sprint(len(scenarios))); err != nil { // worlds wait more than they work
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	dir, err := os.MkdirTemp("", "doorbell-faults-*")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	program = filepath.Join(dir, "doorbell")
	args := []string{"build", "-tags", "faultclock", "-o", program} // the tag: a node whose clock can be put wrong
	if raced {
		args = append(args, "-race")
	}
	if out, err := exec.Command("go", append(args, "doorbell/cmd/doorbell")...).CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "go build: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}
