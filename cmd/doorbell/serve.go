package main

import (
	"io"
	"runtime/debug"

	"github.com/rs/zerolog"
	"github.com/spf13/cobra"
)

func serveCommand(env map[string]string) *cobra.Command {
	cfg, envErr := configFrom(env)
	if envErr != nil {
		cfg = &config{}
	}
	cmd := &cobra.Command{
		Use: "serve", Short: "Run the server", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if envErr != nil {
				return envErr
			}
			if env["GOGC"] == "" {
				debug.SetGCPercent(idleGCPercent)
			}
			a, err := newApp(cmd.Context(), cfg, newLog(cmd.ErrOrStderr()))
			if err != nil {
				return err
			}
			return a.run(cmd.Context())
		},
	}
	cfg.flags(cmd.Flags())
	return cmd
}

// idleGCPercent is the garbage that may gather beside what lives, in percent. Most of what lives belongs to sockets on
// which nothing happens: at Go's own 100 % each would cost its memory twice. GOGC in the environment is stronger.
const idleGCPercent = 50

// newLog writes JSON lines with times in milliseconds UTC.
func newLog(w io.Writer) zerolog.Logger {
	zerolog.TimeFieldFormat = zerolog.TimeFormatUnixMs
	return zerolog.New(w).With().Timestamp().Logger()
}
