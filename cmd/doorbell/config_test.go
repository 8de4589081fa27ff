package main

import (
	"bytes"
	"context"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"
)

// refused runs a command in this process that must fail, and returns the sentence main would print.
func refused(t *testing.T, env map[string]string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	var stdout, stderr bytes.Buffer
	err := run(ctx, args, env, &stdout, &stderr)
	if err == nil || ctx.Err() != nil {
		t.Fatalf("doorbell %q was taken: %v\n%s", args, err, stderr.String())
	}
	if stdout.Len() > 0 {
		t.Errorf("doorbell %q failed and wrote %q", args, stdout.String())
	}
	if text := err.Error(); strings.Contains(text, "\n") {
		t.Errorf("doorbell %q: more than a sentence: %q", args, text)
	}
	return err.Error()
}

// TestBadConfiguration: what cannot work is refused at the start with a sentence that names the flag, or the variable.
func TestBadConfiguration(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("short"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []struct {
		args  []string
		names []string // what the sentence must hold
	}{
		{[]string{"--pay-by", "soon"}, []string{"--pay-by", "soon"}},
		{[]string{"--pay-by", "15"}, []string{"--pay-by"}},
		{[]string{"--pay-by", "0"}, []string{"--pay-by"}},
		{[]string{"--accept-by", "-1s"}, []string{"--accept-by"}},
		{[]string{"--courier-by", "-1ns"}, []string{"--courier-by"}},
		{[]string{"--amendment-by", "0s"}, []string{"--amendment-by"}},
		{[]string{"--cancel-answer-by", "-5m"}, []string{"--cancel-answer-by"}},
		{[]string{"--contact-wait", "-1s"}, []string{"--contact-wait", "negative"}},
		{[]string{"--drain", "-1s"}, []string{"--drain", "negative"}},
		{[]string{"--drain", "9999999h"}, []string{"--drain"}},
		{[]string{"--archive-after", "-1h"}, []string{"--archive-after", "negative"}},
		{[]string{"--customer-rate", "-1"}, []string{"--customer-rate"}},
		{[]string{"--customer-rate", "NaN"}, []string{"--customer-rate"}},
		{[]string{"--customer-rate", "Inf"}, []string{"--customer-rate"}},
		{[]string{"--courier-requests", "many"}, []string{"--courier-requests"}},
		{[]string{"--unpaid-orders", "-1"}, []string{"--unpaid-orders"}},
		{[]string{"--unpaid-orders", "1.5"}, []string{"--unpaid-orders"}},
		{[]string{"--log-level", "loud"}, []string{"--log-level", "loud", "debug"}},
		{[]string{"--log-level", ""}, []string{"--log-level"}},
		{[]string{"--log-level", "5"}, []string{"--log-level"}},
		{[]string{"--log-level", "disabled"}, []string{"--log-level"}},
		{[]string{"--trusted-proxies", "10.0.0.0/33"}, []string{"--trusted-proxies", "10.0.0.0/33"}},
		{[]string{"--trusted-proxies", "10.0.0.0/8,proxy.local"}, []string{"--trusted-proxies", "proxy.local"}},
		{[]string{"--callback-allow", "everything"}, []string{"--callback-allow", "everything"}},
		{[]string{"--roles", "api"}, []string{"--roles", "--redis", "--postgres"}},
		{[]string{"--roles", "api,hub"}, []string{"--roles", "--redis"}},
		{[]string{"--roles", "api,driver"}, []string{"--roles", "driver", "callbacks"}},
		{[]string{"--roles", ""}, []string{"--roles", "api"}},
		{[]string{"--redis", "redis://127.0.0.1:1"}, []string{"--redis", "--postgres", "SQLite"}},
		{[]string{"--redis", "127.0.0.1:1", "--postgres", "postgres://127.0.0.1:1/d"}, []string{"--redis", "redis://"}},
		{[]string{"--redis-prefix", "a b"}, []string{"--redis-prefix", "a b"}},
		{[]string{"--postgres", "mysql://127.0.0.1:1/d"}, []string{"--postgres", "postgres://"}},
		{[]string{"--tls-cert", "cert.pem"}, []string{"--tls-cert", "--tls-key"}},
		{[]string{"--tls-key", "key.pem"}, []string{"--tls-cert", "--tls-key"}},
		{[]string{"--tls-cert", "/none.pem", "--tls-key", "/none.pem"}, []string{"--tls-cert", "/none.pem"}},
		{[]string{"--tls-cert", file, "--tls-key", file}, []string{"--tls-cert", "--tls-key"}},
		{[]string{"--public-url", "bell.example"}, []string{"--public-url", "bell.example"}},
		{[]string{"--public-url", "ftp://bell.example"}, []string{"--public-url"}},
		{[]string{"--public-url", "https://bell.example/?a=1"}, []string{"--public-url"}},
		{[]string{"--origins", "app.example"}, []string{"--origins", "app.example"}},
		{[]string{"--origins", "https://app.example/path"}, []string{"--origins"}},
		{[]string{"--jwt-secret-file", filepath.Join(dir, "none")}, []string{filepath.Join(dir, "none")}},
		{[]string{"--jwt-secret-file", file}, []string{file, "32"}},
		{[]string{"--jwks-url", "ftp://keys.example"}, []string{"JWKS"}},
		{[]string{"--listen", taken.Addr().String()}, []string{"--listen", taken.Addr().String(), "in use"}},
		{[]string{"--listen", "nowhere"}, []string{"--listen"}},
		{[]string{"--listen", "127.0.0.1:99999"}, []string{"--listen"}},
		{[]string{"--admin", taken.Addr().String()}, []string{"--admin", "in use"}},
		{[]string{"--data", file}, []string{file}},
		{[]string{"--data", ""}, []string{"data folder"}},
		{[]string{"--colour", "red"}, []string{"--colour"}},
		{[]string{"more"}, []string{"more"}},
	} {
		t.Run(strings.Join(bad.args, " "), func(t *testing.T) {
			args := append([]string{"serve", "--listen", "127.0.0.1:0", "--admin", "", "--data", filepath.Join(t.TempDir(), "data")}, bad.args...)
			text := refused(t, nil, args...)
			for _, name := range bad.names {
				if !strings.Contains(text, name) {
					t.Errorf("%q does not name %q", text, name)
				}
			}
		})
	}
	for name, value := range map[string]string{
		"DOORBELL_PAY_BY": "soon", "DOORBELL_UNPAID_ORDERS": "many", "DOORBELL_CUSTOMER_RATE": "fast", "DOORBELL_DRAIN": "1",
	} {
		t.Run(name+"="+value, func(t *testing.T) {
			if text := refused(t, map[string]string{name: value}, "serve"); !strings.Contains(text, name) {
				t.Errorf("%q does not name the variable %s", text, name)
			}
		})
	}
	t.Run("the program says it on stderr and ends with 1", func(t *testing.T) {
		stdout, stderr, code := cli(t, nil, "serve", "--pay-by", "soon")
		if code != 1 || stdout != "" || !strings.HasPrefix(stderr, "doorbell: ") || strings.Count(stderr, "\n") != 1 {
			t.Errorf("%d %q %q", code, stdout, stderr)
		}
		if _, stderr, code := cli(t, nil, "sing"); code != 1 || !strings.Contains(stderr, "sing") {
			t.Errorf("an unknown command: %d %q", code, stderr)
		}
	})
}

// TestSmallRates: a rate under one request a second is a rate, too.
func TestSmallRates(t *testing.T) {
	t.Parallel()
	s := serve(t, t.TempDir(), "--customer-rate", "0.1", "--courier-requests", "0.1")
	c := s.cast()
	s.do(200, "GET", "/v1/orders", c.customer, nil)
	s.do(429, "GET", "/v1/orders", c.customer, nil)
	s.do(200, "GET", "/v1/orders", c.courier, nil)
}

// TestEnvironment: each flag has its variable; a flag wins over it.
func TestEnvironment(t *testing.T) {
	t.Parallel()
	payBy := func(s *server) time.Duration {
		c := s.cast()
		s.open(c)
		o := s.do(201, "POST", "/v1/orders", c.customer, wish("x")).order(t)
		return o.Payment.PayBy.Sub(o.CreatedAt)
	}
	env := []string{"DOORBELL_PAY_BY=61s", "DOORBELL_PUBLIC_URL=https://bell.example/"}
	t.Run("a variable counts", func(t *testing.T) {
		t.Parallel()
		s := serveEnv(t, t.TempDir(), env)
		if got := payBy(s); got != 61*time.Second {
			t.Errorf("time to pay is %v", got)
		}
		if url := s.all(s.cast())[0].TrackingURL; !strings.HasPrefix(url, "https://bell.example/t/#trk_") {
			t.Errorf("tracking link is %q", url)
		}
	})
	t.Run("a flag wins", func(t *testing.T) {
		t.Parallel()
		if got := payBy(serveEnv(t, t.TempDir(), env, "--pay-by", "62s")); got != 62*time.Second {
			t.Errorf("time to pay is %v", got)
		}
	})
	t.Run("the data folder by variable", func(t *testing.T) {
		t.Parallel()
		dir := filepath.Join(t.TempDir(), "by", "env")
		if _, stderr, code := cli(t, []string{"DOORBELL_DATA=" + dir}, "token", "--role", "ops", "--sub", "o"); code != 0 {
			t.Fatal(stderr)
		}
		if _, err := os.Stat(filepath.Join(dir, "jwt-secret")); err != nil {
			t.Error(err)
		}
	})
}

// serveFlags are the flags of serve under an environment.
func serveFlags(env map[string]string) (list []*pflag.Flag) {
	serveCommand(env).Flags().VisitAll(func(f *pflag.Flag) {
		if f.Name != "help" {
			list = append(list, f)
		}
	})
	return list
}

// other is a value of the flag's type that is not its default.
func other(t *testing.T, f *pflag.Flag) string {
	t.Helper()
	switch f.Value.Type() {
	case "string":
		return "another"
	case "duration":
		return "1h23m0s"
	case "int", "float64":
		return "77"
	case "stringSlice":
		return "one,two"
	}
	t.Fatalf("--%s: this test knows no value of type %s", f.Name, f.Value.Type())
	return ""
}

// TestEveryFlagHasItsVariable: and the help names it.
func TestEveryFlagHasItsVariable(t *testing.T) {
	t.Parallel()
	for i, f := range serveFlags(nil) {
		name, value := "DOORBELL_"+strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_")), other(t, f)
		got := strings.Trim(serveFlags(map[string]string{name: value})[i].Value.String(), "[]")
		if got != value {
			t.Errorf("%s=%s makes --%s %q", name, value, f.Name, got)
		}
		if !strings.Contains(f.Usage, "$"+name) {
			t.Errorf("the help of --%s does not name %s: %s", f.Name, name, f.Usage)
		}
	}
}

// TestReadmeHasEveryFlag: the README's table has a row for each flag of serve, with its variable and its default, and none for flags
// that are not.
func TestReadmeHasEveryFlag(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, ok := strings.Cut(string(text), "\n## Configuration\n")
	if !ok {
		t.Fatal("README.md has no section Configuration")
	}
	table, _, _ = strings.Cut(table, "\n## ")
	code := regexp.MustCompile("`([^`]*)`")
	type row struct{ variable, standard string }
	rows := map[string]row{}
	for line := range strings.Lines(table) {
		cells := strings.Split(line, "|")
		if len(cells) < 6 || !strings.Contains(cells[1], "`--") {
			continue
		}
		flags, variables := code.FindAllStringSubmatch(cells[1], -1), code.FindAllStringSubmatch(cells[2], -1)
		if len(flags) != len(variables) {
			t.Errorf("%d flags and %d variables: %s", len(flags), len(variables), line)
			continue
		}
		for i, f := range flags {
			name := strings.TrimPrefix(f[1], "--")
			if _, twice := rows[name]; twice {
				t.Errorf("--%s stands twice", name)
			}
			rows[name] = row{variables[i][1], strings.Trim(cells[3], " `")}
		}
	}
	for _, f := range serveFlags(nil) {
		r, ok := rows[f.Name]
		if !ok {
			t.Errorf("--%s has no row in README.md", f.Name)
			continue
		}
		delete(rows, f.Name)
		if want := envName(f.Name); r.variable != want {
			t.Errorf("--%s: the table names %s, not %s", f.Name, r.variable, want)
		}
		if !sameDefault(f, r.standard) {
			t.Errorf("--%s: the table's default is %q, the program's %q", f.Name, r.standard, f.DefValue)
		}
	}
	for name := range rows {
		t.Errorf("README.md has a row for --%s, which serve does not know", name)
	}
}

func sameDefault(f *pflag.Flag, text string) bool {
	switch f.Value.Type() {
	case "duration":
		d, err := time.ParseDuration(text)
		return err == nil && d.String() == f.DefValue
	case "stringSlice":
		return f.DefValue == "[]" && text == "none" || f.DefValue == "["+text+"]"
	case "string":
		if f.DefValue == "" { // what an empty value means may stand there
			return !slices.Contains([]string{"''", `""`}, text)
		}
	}
	return text == f.DefValue
}

// TestVersion: one line that names the program.
func TestVersion(t *testing.T) {
	t.Parallel()
	stdout, stderr, code := cli(t, nil, "version")
	if code != 0 || stderr != "" || !regexp.MustCompile(`^doorbell \S.* go1\.\S+ \w+/\w+\n$`).MatchString(stdout) {
		t.Errorf("%d %q %q", code, stdout, stderr)
	}
	if _, stderr, code := cli(t, nil, "version", "now"); code != 1 || stderr == "" {
		t.Errorf("with an argument: %d %q", code, stderr)
	}
}
