package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"rsc.io/qr"

	"doorbell/orders"
	"doorbell/web/api"
	"doorbell/web/auth"
)

// deviceRequest is what `doorbell device` asks a running server for.
type deviceRequest struct {
	server  string // its base URL
	courier string
	name    string
	token   string // of ops, or of the courier
}

func deviceCommand(env map[string]string) *cobra.Command {
	cfg, envErr := configFrom(env)
	if envErr != nil {
		cfg = &config{}
	}
	var (
		req            deviceRequest
		app, tokenFile string
	)
	cmd := &cobra.Command{
		Use: "device", Short: "Give a rider's phone a token, and show how its app is set up", Args: cobra.NoArgs,
		Long: "Makes a device of a courier on a running server, and prints for each rider app its settings as a link and as a QR\n" +
			"code to scan. Whoever sees them can post positions as this courier, until the device is revoked.",
		Example: "doorbell device --courier cou_1 --app traccar\ndoorbell device --courier cou_1 --server https://bell.example --jwt-secret-file key",
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if envErr != nil {
				return envErr
			}
			if app != "" && !slices.Contains(riderApps, app) {
				return fmt.Errorf("--app: %q is none of %s", app, strings.Join(riderApps, ", "))
			}
			if req.token, err = cfg.opsToken(tokenFile); err != nil {
				return err
			}
			d, err := addDevice(cmd.Context(), req)
			if err != nil {
				return err
			}
			return printDevice(cmd.OutOrStdout(), d, app)
		},
	}
	f := cmd.Flags()
	f.StringVar(&req.courier, "courier", "", "whose phone it is")
	f.StringVar(&req.name, "name", "", "what people call the phone")
	f.StringVar(&app, "app", "", "show this app only: "+strings.Join(riderApps, ", "))
	f.StringVar(&req.server, "server", "http://localhost:8080", "base URL of the running server")
	f.StringVar(&tokenFile, "token-file", "", "file with a token of ops or of the courier; empty = one is signed as doorbell token does")
	f.StringVar(&cfg.Data, "data", cfg.Data, "data folder whose jwt-secret signs ($"+envName("data")+")")
	f.StringVar(&cfg.JWTSecretFile, "jwt-secret-file", cfg.JWTSecretFile, "key file that signs instead ($"+envName("jwt-secret-file")+")")
	f.StringVar(&cfg.JWTIssuer, "jwt-issuer", cfg.JWTIssuer, "iss ($"+envName("jwt-issuer")+")")
	f.StringVar(&cfg.JWTAudience, "jwt-audience", cfg.JWTAudience, "aud ($"+envName("jwt-audience")+")")
	_ = cmd.MarkFlagRequired("courier")
	return cmd
}

// riderApps are the apps that a device comes with settings for.
var riderApps = []string{"owntracks", "traccar", "overland", "gpslogger"}

// opsToken is the token in a file, or one of ops for the next minute.
func (c *config) opsToken(file string) (string, error) {
	if file != "" {
		b, err := os.ReadFile(file)
		if err != nil {
			return "", fmt.Errorf("--token-file: %w", err)
		}
		return strings.TrimSpace(string(b)), nil
	}
	secret, err := c.secret()
	if err != nil {
		return "", err
	}
	now := time.Now()
	return auth.Mint(secret, auth.Claims{
		Issuer: c.JWTIssuer, Audience: c.JWTAudience, Subject: "doorbell-device", Role: orders.RoleOps, IssuedAt: now, ExpiresAt: now.Add(time.Minute),
	})
}

// addDevice asks the server.
func addDevice(ctx context.Context, req deviceRequest) (d api.NewDevice, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, 10*time.Second, fmt.Errorf("%s did not answer in 10 s", req.server))
	defer cancel()
	body, _ := json.Marshal(api.DeviceRequest{Name: req.name}) // strings always encode
	at := strings.TrimRight(req.server, "/") + "/v1/couriers/" + url.PathEscape(req.courier) + "/devices"
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, at, bytes.NewReader(body))
	if err != nil {
		return d, fmt.Errorf("--server: %w", err)
	}
	r.Header.Set("Authorization", "Bearer "+req.token)
	r.Header.Set("Content-Type", "application/json")
	res, err := (&http.Client{Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, DisableKeepAlives: true}}).Do(r)
	if err != nil {
		return d, fmt.Errorf("is doorbell serve running there? %w", err)
	}
	defer func() { _ = res.Body.Close() }()
	raw, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if err != nil {
		return d, err
	}
	if res.StatusCode != http.StatusCreated {
		var problem struct{ Detail string }
		_ = json.Unmarshal(raw, &problem) // what is no problem of ours has no detail
		return d, fmt.Errorf("%s answered %s: %s", req.server, res.Status, problem.Detail)
	}
	return d, json.Unmarshal(raw, &d)
}

// printDevice writes the settings of one app, "" for all.
func printDevice(w io.Writer, d api.NewDevice, app string) error {
	var out bytes.Buffer
	fmt.Fprintf(&out, "device %s\ntoken  %s (it is not shown again)\n", d.DeviceID, d.Token)
	for _, a := range d.Apps {
		if app != "" && a.App != app {
			continue
		}
		fmt.Fprintf(&out, "\n%s\n%s\n", a.App, a.Link)
		text := a.Link
		if a.Password != "" { // the link is not all: the file is, see AppSettings of openapi.yaml
			fmt.Fprintf(&out, "user %s, password %s\n", a.Username, a.Password)
			text = a.File.Text
		}
		code, err := qr.Encode(text, qr.L)
		if err != nil {
			return fmt.Errorf("QR code for %s: %w", a.App, err)
		}
		drawCode(&out, code)
	}
	_, err := w.Write(out.Bytes())
	return err
}

// drawCode draws a QR code in half blocks, black on white whatever the terminal's colours are: cameras want it so, and four
// modules of white around it.
func drawCode(out *bytes.Buffer, code *qr.Code) {
	const (
		margin        = 4
		blackOnWhite  = "\x1b[38;5;16;48;5;231m"
		asItWas       = "\x1b[0m"
		none, up, low = " ", "▀", "▄"
		both          = "█"
	)
	for y := -margin; y < code.Size+margin; y += 2 {
		out.WriteString(blackOnWhite)
		for x := -margin; x < code.Size+margin; x++ {
			switch top, bottom := code.Black(x, y), code.Black(x, y+1); {
			case top && bottom:
				out.WriteString(both)
			case top:
				out.WriteString(up)
			case bottom:
				out.WriteString(low)
			default:
				out.WriteString(none)
			}
		}
		out.WriteString(asItWas + "\n")
	}
}
