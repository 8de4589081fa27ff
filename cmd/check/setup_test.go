package main

import (
	"bytes"
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"
)

// needGCC is missing where PATH is empty.
var needGCC = need{name: "C compiler", binary: "gcc", packages: []string{"gcc", "libc6-dev"}, why: "go test -race"}

// recorder is a machine that writes down what it would run; each run is one line.
type recorder struct {
	machine
	printed bytes.Buffer
	ran     []string
}

// record returns a Debian machine with an empty PATH. then is called after each line that would have run.
func record(t *testing.T, root, sudo bool, then func(line string) error) *recorder {
	t.Helper()
	t.Setenv("PATH", t.TempDir())
	r := &recorder{}
	r.machine = machine{
		out: &r.printed, root: root, apt: true,
		sudo: func() bool { return sudo },
		exec: func(_ context.Context, argv ...string) error {
			line := strings.Join(argv, " ")
			r.ran = append(r.ran, line)
			return then(line)
		},
	}
	return r
}

func nothing(string) error { return nil }

func TestSetUp(t *testing.T) {
	t.Run("NothingMissingRunsNothing", func(t *testing.T) {
		r := record(t, true, false, nothing)
		if err := setUp(t.Context(), r.machine, nil); err != nil || len(r.ran) > 0 || r.printed.Len() > 0 {
			t.Errorf("error %v, ran %q, printed %q, want silence", err, r.ran, &r.printed)
		}
	})

	t.Run("RootInstalls", func(t *testing.T) {
		bin := t.TempDir()
		r := record(t, true, false, func(line string) error {
			if strings.Contains(line, " install ") {
				fakeProgram(t, bin, "gcc")
			}
			return nil
		})
		t.Setenv("PATH", bin)
		if err := setUp(t.Context(), r.machine, []need{needGCC}); err != nil {
			t.Fatal(err)
		}
		want := []string{
			"env DEBIAN_FRONTEND=noninteractive SYSTEMD_OFFLINE=1 apt-get update",
			"env DEBIAN_FRONTEND=noninteractive SYSTEMD_OFFLINE=1 apt-get install -y --no-install-recommends gcc libc6-dev",
		}
		if !reflect.DeepEqual(r.ran, want) {
			t.Errorf("ran %q, want %q", r.ran, want)
		}
	})

	t.Run("NoInstalledServerRunsByItself", func(t *testing.T) {
		servers := []need{
			{name: "Redis", binary: "redis-server", packages: []string{"redis-server"}, services: []string{"redis-server"}, why: "tests"},
			{name: "Postgres", binary: "initdb", packages: []string{"postgresql"}, services: []string{"postgresql"}, why: "tests"},
		}
		r := record(t, true, false, nothing)
		r.init = true
		_ = setUp(t.Context(), r.machine, servers) // an error, since nothing was really installed
		if want := "systemctl disable --now redis-server postgresql"; len(r.ran) != 3 || r.ran[2] != want {
			t.Errorf("ran %q, want three lines, the last %q", r.ran, want)
		}
		if !strings.Contains(r.ran[1], "SYSTEMD_OFFLINE=1") {
			t.Errorf("%q starts servers on ports that may be somebody's", r.ran[1])
		}
		r = record(t, false, false, nothing)
		r.init = true
		if err := setUp(t.Context(), r.machine, servers); err == nil || !strings.Contains(err.Error(), "&& sudo systemctl disable --now redis-server postgresql") {
			t.Errorf("error %v, want the services in the line for the reader", err)
		}
	})

	t.Run("WithoutSystemdThereIsNothingToStop", func(t *testing.T) {
		r := record(t, true, false, nothing)
		_ = setUp(t.Context(), r.machine, []need{{name: "Redis", binary: "redis-server", packages: []string{"redis-server"}, services: []string{"redis-server"}, why: "tests"}})
		if len(r.ran) != 2 {
			t.Errorf("ran %q, want two lines", r.ran)
		}
	})

	t.Run("SudoWithoutPasswordInstalls", func(t *testing.T) {
		r := record(t, false, true, nothing)
		_ = setUp(t.Context(), r.machine, []need{needGCC}) // an error, since nothing was really installed
		want := "sudo -n env DEBIAN_FRONTEND=noninteractive SYSTEMD_OFFLINE=1 apt-get update"
		if len(r.ran) != 2 || r.ran[0] != want {
			t.Errorf("ran %q, want two lines, the first %q", r.ran, want)
		}
	})

	t.Run("OthersGetTheLineToRun", func(t *testing.T) {
		r := record(t, false, false, nothing)
		err := setUp(t.Context(), r.machine, []need{needGCC})
		const quiet = "sudo env DEBIAN_FRONTEND=noninteractive SYSTEMD_OFFLINE=1 "
		want := quiet + "apt-get update && " + quiet + "apt-get install -y --no-install-recommends gcc libc6-dev"
		if err == nil || !strings.Contains(err.Error(), "\n\t"+want) || len(r.ran) > 0 {
			t.Errorf("error %v, ran %q, want nothing run and the line %q", err, r.ran, want)
		}
		if !strings.Contains(r.printed.String(), "C compiler (gcc), needed for go test -race") {
			t.Errorf("printed %q, want what is missing and what for", &r.printed)
		}
	})

	t.Run("NoAptSaysWhatToInstall", func(t *testing.T) {
		r := record(t, true, true, nothing)
		r.apt = false
		err := setUp(t.Context(), r.machine, []need{needGCC})
		if err == nil || !strings.Contains(err.Error(), "gcc, libc6-dev") || len(r.ran) > 0 {
			t.Errorf("error %v, ran %q, want nothing run and the names of the packages", err, r.ran)
		}
	})

	t.Run("FailedUpdateEndsIt", func(t *testing.T) {
		broken := errors.New("no network")
		r := record(t, true, false, func(string) error { return broken })
		if err := setUp(t.Context(), r.machine, []need{needGCC}); !errors.Is(err, broken) || len(r.ran) != 1 {
			t.Errorf("error %v, ran %q, want one line and its error", err, r.ran)
		}
	})

	t.Run("StillMissingAfterInstallation", func(t *testing.T) {
		r := record(t, true, false, nothing)
		if err := setUp(t.Context(), r.machine, []need{needGCC}); err == nil || !strings.Contains(err.Error(), "still there is no gcc") {
			t.Errorf("error %v, want that gcc is still missing", err)
		}
	})
}
