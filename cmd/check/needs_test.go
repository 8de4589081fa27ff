package main

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

// fakeProgram puts an empty program into dir, so that a PATH of dir finds it.
func fakeProgram(t *testing.T, dir, name string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
}

func TestMissing(t *testing.T) {
	bin, files := t.TempDir(), t.TempDir()
	t.Setenv("PATH", bin)
	fakeProgram(t, bin, "gcc")
	if err := os.MkdirAll(filepath.Join(files, "postgresql", "17", "bin", "initdb"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(bin, "plain"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		need  need
		there bool
	}{
		{need{name: "program in PATH", binary: "gcc"}, true},
		{need{name: "program not in PATH", binary: "redis-server"}, false},
		{need{name: "file in PATH that is no program", binary: "plain"}, false},
		{need{name: "file", glob: filepath.Join(bin, "plain")}, true},
		{need{name: "file in a folder named by version", glob: filepath.Join(files, "postgresql", "*", "bin", "initdb")}, true},
		{need{name: "no file", glob: filepath.Join(files, "stdio.h")}, false},
	} {
		if got := len(missing([]need{c.need})) == 0; got != c.there {
			t.Errorf("%s: there %t, want %t", c.need.name, got, c.there)
		}
	}
}

// TestNeedsTable reads every need of every step, since a mistake there shows only on a machine that lacks something.
func TestNeedsTable(t *testing.T) {
	for _, n := range needsOf(steps(false)) {
		if (n.binary == "") == (n.glob == "") {
			t.Errorf("%s: set binary or glob, not both", n.name)
		}
		if n.glob != "" && !filepath.IsAbs(n.glob) {
			t.Errorf("%s: glob %q is not absolute", n.name, n.glob)
		}
		if n.name == "" || n.why == "" || len(n.packages) == 0 {
			t.Errorf("%+v: name, why and packages are for people and for apt: fill them", n)
		}
	}
}

func TestNeedsOfJoins(t *testing.T) {
	compiler := need{name: "C compiler", packages: []string{"gcc", "libc6-dev"}}
	headers := need{name: "C library headers", packages: []string{"libc6-dev"}}
	all := needsOf([]step{{needs: []need{compiler}}, {needs: []need{headers, compiler}}})
	if want := []need{compiler, headers}; !reflect.DeepEqual(all, want) {
		t.Errorf("needs %v, want %v", all, want)
	}
	if got, want := packagesOf(all), []string{"gcc", "libc6-dev"}; !reflect.DeepEqual(got, want) {
		t.Errorf("packages %v, want %v", got, want)
	}
}

func TestFastNeedsNoCompiler(t *testing.T) {
	for _, n := range needsOf(steps(true)) {
		if n.binary == "gcc" {
			t.Error("-fast asks for a C compiler")
		}
	}
}
