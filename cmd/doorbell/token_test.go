package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var oneToken = regexp.MustCompile(`^[\w-]+\.[\w-]+\.[\w-]+\n$`)

// TestToken: `doorbell token` prints one token and a newline, and the server on the same data folder takes it.
func TestToken(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	mint := func(t *testing.T, args ...string) string {
		t.Helper()
		var stdout, stderr bytes.Buffer
		err := run(context.Background(), append([]string{"token"}, args...), nil, &stdout, &stderr)
		if err != nil || stderr.Len() > 0 || !oneToken.MatchString(stdout.String()) {
			t.Fatalf("token %q: %v %q %q", args, err, stdout.String(), stderr.String())
		}
		return strings.TrimSuffix(stdout.String(), "\n")
	}
	early, stderr, code := cli(t, nil, "token", "--role", "ops", "--sub", "ops_1", "--data", dir) // makes the secret that the server then finds
	if code != 0 || stderr != "" || !oneToken.MatchString(early) {
		t.Fatalf("%d %q %q", code, early, stderr)
	}
	early = strings.TrimSuffix(early, "\n")
	s := serve(t, dir)
	c := cast{
		ops: early, customer: mint(t, "--role", "customer", "--sub", "cus_1", "--client", "app", "--data", dir),
		merchant: mint(t, "--role", "merchant", "--sub", "mer_1", "--restaurant", "res_1", "--data", dir),
		payment:  mint(t, "--role=payment", "--sub=pay_1", "--ttl=5s", "--data="+dir),
		courier:  mint(t, "--role", "courier", "--sub", "cou_1", "--data", dir),
	}
	s.open(c)
	path := s.place(c, "x")
	s.do(403, "POST", path+"/pay", c.customer, js{"amount": 3000, "transactionId": "t"})
	s.do(200, "POST", path+"/pay", c.payment, js{"amount": 3000, "transactionId": "t"})
	s.do(200, "POST", path+"/confirm", c.merchant, js{"prepMinutes": 5})
	s.do(404, "GET", path, c.courier, nil)
	for _, list := range [][]string{{"--restaurant", "res_0", "--restaurant", "res_1"}, {"--restaurant", "res_0,res_1"}} {
		s.do(200, "GET", path, mint(t, append([]string{"--role", "merchant", "--sub", "m", "--data", dir}, list...)...), nil)
	}
	s.do(404, "GET", path, mint(t, "--role", "merchant", "--sub", "m", "--restaurant", "res_2", "--data", dir), nil)
	s.do(401, "GET", path, mint(t, "--role", "ops", "--sub", "o", "--data", dir, "--jwt-issuer", "someone"), nil)
	s.do(401, "GET", path, mint(t, "--role", "ops", "--sub", "o", "--data", dir, "--jwt-audience", "someone"), nil)
	s.do(401, "GET", path, mint(t, "--role", "ops", "--sub", "o", "--data", t.TempDir()), nil)
	if a, b := mint(t, "--role", "ops", "--sub", "o", "--data", dir), mint(t, "--role", "ops", "--sub", "o", "--data", dir); a == b {
		t.Error("two tokens are the same")
	}
	if info, err := os.Stat(filepath.Join(dir, "jwt-secret")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the secret: %v %v", info.Mode(), err)
	}

	t.Run("with a key file", func(t *testing.T) {
		t.Parallel()
		file := filepath.Join(t.TempDir(), "key")
		if err := os.WriteFile(file, []byte("  a key of 32 bytes, or a few more than that \n"), 0o600); err != nil {
			t.Fatal(err)
		}
		data := filepath.Join(t.TempDir(), "data")
		s := serve(t, data, "--jwt-secret-file", file)
		s.do(200, "GET", "/v1/orders", mint(t, "--role", "ops", "--sub", "o", "--jwt-secret-file", file), nil)
		s.do(401, "GET", "/v1/orders", c.ops, nil)
		if _, err := os.Stat(filepath.Join(data, "jwt-secret")); err == nil {
			t.Error("a secret was made though a key file was named")
		}
	})
}

// TestTokenRefusesNonsense: with a sentence, and no token.
func TestTokenRefusesNonsense(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	short := filepath.Join(dir, "short")
	if err := os.WriteFile(short, []byte("too short"), 0o600); err != nil {
		t.Fatal(err)
	}
	for args, names := range map[string]string{
		"":                        "role",
		"--role ops":              "sub",
		"--sub o":                 "role",
		"--role king --sub o":     "role",
		"--role system --sub o":   "role",
		"--role tracker --sub o":  "role",
		"--role OPS --sub o":      "role",
		"--role ops --sub a/b":    "sub",
		"--role ops --sub ..":     "sub",
		"--role ops --sub=":       "sub",
		"--role merchant --sub m": "restaurant",
		"--role merchant --sub m --restaurant a/b":      "restaurant",
		"--role customer --sub c --restaurant res_1":    "merchant",
		"--role customer --sub c --client a/b":          "client",
		"--role ops --sub o --ttl 0":                    "expire",
		"--role ops --sub o --ttl -1h":                  "expire",
		"--role ops --sub o --ttl soon":                 "--ttl",
		"--role ops --sub o --ttl 5":                    "--ttl",
		"--role ops --sub o extra":                      "extra",
		"--role ops --sub o --colour red":               "--colour",
		"--role ops --sub o --jwt-secret-file " + short: short,
		"--role ops --sub o --jwt-secret-file /none":    "/none",
		"--role ops --sub o --data " + short:            short,
		"--role ops --sub " + strings.Repeat("a", 65):   "sub",
	} {
		t.Run(args[:min(len(args), 50)], func(t *testing.T) {
			all := append([]string{"token", "--data", filepath.Join(dir, "data")}, strings.Fields(args)...)
			if text := refused(t, nil, all...); !strings.Contains(text, names) {
				t.Errorf("%q does not name %s", text, names)
			}
		})
	}
}
