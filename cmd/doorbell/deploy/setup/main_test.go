package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

var now = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

// folders is an installation before its first start.
func folders(t *testing.T) (dir string, args []string) {
	t.Helper()
	dir = t.TempDir()
	for _, name := range []string{"tokens", "database", "gateway"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
		args = append(args, "-"+name, filepath.Join(dir, name))
	}
	return dir, args
}

func read(t *testing.T, parts ...string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(parts...))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// setup runs the program and returns how many files it made.
func setup(t *testing.T, at time.Time, args ...string) int {
	t.Helper()
	var out bytes.Buffer
	if err := run(args, &out, io.Discard, at); err != nil {
		t.Fatal(err)
	}
	return strings.Count(out.String(), "made ")
}

func TestSetup(t *testing.T) {
	t.Run("TheFirstRunMakesAllTheSecondNothing", func(t *testing.T) {
		dir, args := folders(t)
		if n := setup(t, now, args...); n != 4 {
			t.Errorf("made %d files, want 4", n)
		}
		key, password := read(t, dir, "tokens", "jwt-secret"), read(t, dir, "database", "password")
		plain := regexp.MustCompile(`^[A-Za-z0-9_-]{43}$`)
		if !plain.MatchString(key) || !plain.MatchString(password) || key == password {
			t.Error("the key and the password must be 256 bits each, of their own, in characters that need no quoting")
		}
		if got := read(t, dir, "database", "pgpass"); got != "*:*:*:*:"+password {
			t.Error("pgpass does not hold the password")
		}
		before := read(t, dir, "gateway", "tls.pem")
		if n := setup(t, now.Add(300*24*time.Hour), args...); n != 0 {
			t.Errorf("the second run made %d files", n)
		}
		if read(t, dir, "tokens", "jwt-secret") != key || read(t, dir, "gateway", "tls.pem") != before {
			t.Error("the second run changed what was there")
		}
	})

	t.Run("TheCertificateServesItsHosts", func(t *testing.T) {
		dir, args := folders(t)
		setup(t, now, append(args, "-hosts", "doorbell.example, 192.0.2.7")...)
		file := filepath.Join(dir, "gateway", "tls.pem")
		pair, err := tls.LoadX509KeyPair(file, file)
		if err != nil {
			t.Fatal(err)
		}
		roots := x509.NewCertPool()
		roots.AddCert(pair.Leaf)
		for _, host := range []string{"doorbell.example", "192.0.2.7"} {
			if _, err := pair.Leaf.Verify(x509.VerifyOptions{DNSName: host, Roots: roots, CurrentTime: now}); err != nil {
				t.Error(err)
			}
		}
	})

	t.Run("OurCertificateIsMadeAnewBeforeItEnds", func(t *testing.T) {
		_, args := folders(t)
		setup(t, now, args...)
		if n := setup(t, now.Add(validFor-renewBefore+time.Hour), args...); n != 1 {
			t.Errorf("made %d files, want the certificate", n)
		}
	})

	t.Run("AnOperatorsCertificateIsNeverTouched", func(t *testing.T) {
		dir, args := folders(t)
		file := filepath.Join(dir, "gateway", "tls.pem")
		if err := os.WriteFile(file, []byte("what an operator put here"), 0o600); err != nil {
			t.Fatal(err)
		}
		if n := setup(t, now.Add(10*validFor), args...); n != 3 {
			t.Errorf("made %d files, want the other 3", n)
		}
		if read(t, file) != "what an operator put here" {
			t.Error("it is another one")
		}
	})

	t.Run("EveryContainersUserCanRead", func(t *testing.T) {
		dir, args := folders(t)
		setup(t, now, args...)
		for _, name := range []string{"tokens/jwt-secret", "database/password", "database/pgpass", "gateway/tls.pem"} {
			info, err := os.Stat(filepath.Join(dir, name))
			if err != nil {
				t.Fatal(err)
			}
			if got := info.Mode().Perm(); got != 0o444 {
				t.Errorf("%s has mode %o", name, got)
			}
		}
	})

	t.Run("WhatIsMissingIsNamed", func(t *testing.T) {
		dir, args := folders(t)
		if err := run(args[:4], io.Discard, io.Discard, now); err == nil || !strings.Contains(err.Error(), "-gateway") {
			t.Errorf("without a folder: %v", err)
		}
		args[1] = filepath.Join(dir, "not there")
		if err := run(args, io.Discard, io.Discard, now); err == nil || !strings.Contains(err.Error(), "not there") {
			t.Errorf("with a folder that is not there: %v", err)
		}
	})

	t.Run("NoSecretIsPrinted", func(t *testing.T) {
		dir, args := folders(t)
		var out, errOut bytes.Buffer
		if err := run(args, &out, &errOut, now); err != nil {
			t.Fatal(err)
		}
		if said := out.String() + errOut.String(); strings.Contains(said, read(t, dir, "database", "password")) || strings.Contains(said, "PRIVATE") {
			t.Error(said)
		}
	})
}
