package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
)

// Exit statuses, see the package comment. (go run shows its own caller 1 for any of them but 0.)
const (
	exitFailed      = 1
	exitUsage       = 2
	exitInterrupted = 130 // what a shell reports for a program ended by Ctrl-C
)

// options is the command line.
type options struct {
	run       []string // names of the steps to run; empty = all
	list      bool
	fast      bool
	keepGoing bool
	faults    bool
	minutes   int // of the fault suite
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	context.AfterFunc(ctx, stop) // a second signal ends us at once
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run is main without the process around it; it returns the exit status.
func run(ctx context.Context, args []string, out, errOut io.Writer) int {
	opt, err := parse(args, errOut)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		return exitUsage // parse has said why
	}
	plan, err := choose(steps(opt.fast), opt.run)
	if err != nil {
		fmt.Fprintln(errOut, err)
		return exitUsage
	}
	if opt.list {
		list(out, plan)
		return 0
	}
	if opt.faults {
		err = checkFaults(ctx, opt, out)
	} else {
		err = check(ctx, plan, opt, out)
	}
	if err != nil {
		fmt.Fprintln(errOut, "check:", err)
		if ctx.Err() != nil {
			return exitInterrupted
		}
		return exitFailed
	}
	return 0
}

// check sets the machine up for the steps of the plan and runs them. The error is one sentence: the details have been
// printed to out.
func check(ctx context.Context, plan []step, opt options, out io.Writer) error {
	t, err := openTree(ctx, out)
	if err != nil {
		return err
	}
	fmt.Fprintln(out, firstRun)
	if err := setUp(ctx, thisMachine(t), needsOf(plan)); err != nil {
		return err
	}
	results := runAll(ctx, t, plan, opt.keepGoing)
	summarize(out, results)
	return verdict(ctx, results)
}

// parse reads the command line; what is wrong with it has been printed to errOut.
func parse(args []string, errOut io.Writer) (options, error) {
	var opt options
	flags := flag.NewFlagSet("check", flag.ContinueOnError)
	flags.SetOutput(errOut)
	flags.BoolVar(&opt.list, "list", false, "name the steps and end")
	flags.BoolVar(&opt.fast, "fast", false, "test without the race detector")
	flags.BoolVar(&opt.keepGoing, "keep-going", false, "run the remaining steps after one has failed")
	flags.BoolVar(&opt.faults, "faults", false, "run the fault suite alone, see -minutes, and print its table last")
	flags.IntVar(&opt.minutes, "minutes", 1, "with -faults: go on for so many minutes; each fault comes once whatever it says")
	flags.Func("run", "run only these `steps`, separated by commas", func(names string) error {
		for name := range strings.SplitSeq(names, ",") {
			if name = strings.TrimSpace(name); name != "" {
				opt.run = append(opt.run, name)
			}
		}
		return nil
	})
	if err := flags.Parse(args); err != nil {
		return options{}, err
	}
	if opt.minutes < 0 {
		err := errors.New("-minutes must not be negative")
		fmt.Fprintln(errOut, err)
		return options{}, err
	}
	if flags.NArg() > 0 {
		err := fmt.Errorf("check takes flags only, not %q", flags.Arg(0))
		fmt.Fprintln(errOut, err)
		return options{}, err
	}
	return opt, nil
}
