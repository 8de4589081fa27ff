// Command doorbell keeps the three sides of a food-delivery order in step: the order API, its store and its clocks in
// one binary. See the README for what each command does.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	go func() { // the first signal drains, the second ends at once
		<-ctx.Done()
		stop()
	}()
	if err := run(ctx, os.Args[1:], environ(os.Environ()), os.Stdout, os.Stderr); err != nil {
		if !errors.Is(err, context.Canceled) {
			fmt.Fprintln(os.Stderr, "doorbell:", err)
		}
		os.Exit(1)
	}
}

// run is the program: what main does once signals, arguments and environment are collected.
func run(ctx context.Context, args []string, env map[string]string, stdout, stderr io.Writer) error {
	root := &cobra.Command{
		Use:   "doorbell",
		Short: "Keeps the three sides of a food-delivery order in step",
		Long: "Doorbell is an order API whose every change is durable before it is answered, and told at once to those who\n" +
			"watch the order. Flags of the server can also be set by the environment variable named in their help.",
		SilenceUsage: true, SilenceErrors: true,
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: true},
	}
	root.AddCommand(serveCommand(env), demoCommand(env), tokenCommand(env), backupCommand(env), restoreCommand(env),
		deviceCommand(env), healthCommand(env), versionCommand())
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	return root.ExecuteContext(ctx)
}
