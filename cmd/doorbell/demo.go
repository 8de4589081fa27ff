package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"github.com/rs/zerolog"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"doorbell/cmd/doorbell/demo"
	"doorbell/orders"
	"doorbell/web/auth"
)

// The demo's clocks are short enough to be waited for.
const (
	demoPayBy          = 4 * time.Second
	demoCancelAnswerBy = 4 * time.Second
	demoContactWait    = 2 * time.Second
)

func demoCommand(env map[string]string) *cobra.Command {
	cfg, envErr := configFrom(env)
	if envErr != nil {
		cfg = &config{}
	}
	var playFor time.Duration
	cmd := &cobra.Command{
		Use: "demo", Args: cobra.NoArgs,
		Short: "Start a server and play customers, merchants and couriers on it",
		Long: "Starts a server with short clocks on a folder that is thrown away, plays eight stories through the public\n" +
			"API and live sockets, and shows side by side what each side does and sees. Join in with the lines it prints.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if envErr != nil {
				return envErr
			}
			log := newLog(cmd.ErrOrStderr()).Level(zerolog.WarnLevel)
			return runDemo(cmd.Context(), cfg, playFor, log, cmd.OutOrStdout())
		},
	}
	f := cmd.Flags()
	f.DurationVar(&playFor, "for", 0, "how long to play; 0 = until Ctrl-C")
	f.StringVar(&cfg.Listen, "listen", cfg.Listen, "address of the server; a free port is taken when it is in use ($"+envName("listen")+")")
	return cmd
}

// runDemo serves and plays until ctx or the time is over.
func runDemo(ctx context.Context, cfg *config, playFor time.Duration, log zerolog.Logger, screen io.Writer) error {
	dir, err := os.MkdirTemp("", "doorbell-demo-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	cfg.Data, cfg.Admin, cfg.JWTSecretFile, cfg.JWKSURL, cfg.LogLevel = dir, "", "", "", "warn"
	cfg.PublicURL, cfg.TLSCert, cfg.TLSKey = "", "", ""
	cfg.PayBy, cfg.CancelAnswerBy, cfg.ContactWait = demoPayBy, demoCancelAnswerBy, demoContactWait
	cfg.Listen, cfg.Drain = freeAddress(cfg.Listen), 2*time.Second
	a, err := newApp(ctx, cfg, log)
	if err != nil {
		return err
	}
	secret, err := auth.EnsureSecret(dir)
	if err != nil {
		a.close()
		return err
	}
	serving, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	var server errgroup.Group
	server.Go(func() error { return a.run(serving) })
	err = demo.Run(ctx, demo.Config{
		URL: a.publicURL(), For: playFor, Screen: screen, Log: log,
		PayBy: demoPayBy, CancelAnswerBy: demoCancelAnswerBy, ContactWait: demoContactWait,
		Mint: func(role orders.Role, sub string, restaurants ...string) (string, error) {
			return auth.Mint(secret, auth.Claims{
				Issuer: cfg.JWTIssuer, Audience: cfg.JWTAudience, Subject: sub, Role: role, Restaurants: restaurants,
				ExpiresAt: time.Now().Add(24 * time.Hour),
			})
		},
	})
	stop()
	if serr := server.Wait(); err == nil {
		err = serr
	}
	if err == nil {
		_, _ = fmt.Fprintln(screen, "\nThe demo is over.")
	}
	return err
}

// freeAddress is the wished address, or one with a free port on this machine when somebody has it.
func freeAddress(wish string) string {
	l, err := net.Listen("tcp", wish)
	if err != nil {
		return "127.0.0.1:0"
	}
	_ = l.Close()
	return wish
}
