package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/spf13/cobra"
)

// healthTimeout is how long a server may take to say how it is.
const healthTimeout = 2 * time.Second

// healthCommand asks a server on this machine whether it is ready: for containers whose image has no other program.
func healthCommand(env map[string]string) *cobra.Command {
	cfg, envErr := configFrom(env)
	if envErr != nil {
		cfg = &config{}
	}
	var url string
	cmd := &cobra.Command{
		Use: "health", Short: "Ask the server on this machine whether it is ready; 0 = yes", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if envErr != nil {
				return envErr
			}
			if url == "" {
				at, err := healthURL(cfg.Admin)
				if err != nil {
					return err
				}
				url = at
			}
			return askHealth(cmd.Context(), url)
		},
	}
	cmd.Flags().StringVar(&url, "url", "", "what to ask instead of /readyz on the --admin address")
	cmd.Flags().StringVar(&cfg.Admin, "admin", cfg.Admin, "the server's --admin ($"+envName("admin")+")")
	return cmd
}

// healthURL is /readyz of a server that listens on an address, which may name all interfaces.
func healthURL(admin string) (string, error) {
	host, port, err := net.SplitHostPort(admin)
	if err != nil {
		return "", fmt.Errorf("--admin: %w", err)
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return "http://" + net.JoinHostPort(host, port) + "/readyz", nil
}

func askHealth(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return fmt.Errorf("--url: %w", err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	_ = res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s says %s", url, res.Status)
	}
	return nil
}
