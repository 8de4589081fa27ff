package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
)

// machine is what set-up may do to the machine it runs on. Tests fill it with functions that install nothing.
type machine struct {
	out  io.Writer
	root bool        // we are root and call apt-get ourselves
	apt  bool        // apt-get is in PATH
	sudo func() bool // sudo works without asking for a password
	exec func(ctx context.Context, argv ...string) error
}

// thisMachine describes the machine we run on.
func thisMachine(t *tree) machine {
	_, err := exec.LookPath("apt-get")
	return machine{
		out:  t.out,
		root: os.Geteuid() == 0,
		apt:  err == nil,
		sudo: func() bool { return exec.Command("sudo", "-n", "true").Run() == nil },
		exec: t.inForeground,
	}
}

// setUp installs what is missing, and does nothing when nothing is. Where it may not install, the error holds the line
// that the reader can run.
func setUp(ctx context.Context, m machine, needs []need) error {
	gone := missing(needs)
	if len(gone) == 0 {
		return nil
	}
	fmt.Fprintln(m.out, "== setup: this machine lacks")
	for _, n := range gone {
		fmt.Fprintf(m.out, "   %s (%s), needed for %s\n", n.name, n.detectedBy(), n.why)
	}
	packages := packagesOf(gone)
	if !m.apt {
		return fmt.Errorf("there is no apt-get here, so install by hand what gives you the above; on Debian it is in %s",
			strings.Join(packages, ", "))
	}
	if !m.root && !m.sudo() {
		return fmt.Errorf("not root, and sudo would ask for a password; run this line and try again:\n\n\t%s",
			aptLine(packages))
	}
	if err := install(ctx, m, packages); err != nil {
		return err
	}
	if gone = missing(gone); len(gone) > 0 {
		return fmt.Errorf("installed %s, and still there is no %s", strings.Join(packages, " "), gone[0].detectedBy())
	}
	return nil
}

// install runs apt-get update once, since a fresh machine has no package lists, then installs all packages in one go.
func install(ctx context.Context, m machine, packages []string) error {
	for _, argv := range [][]string{aptGet("update"), aptInstall(packages)} {
		if m.root {
			argv = append([]string{"env", aptQuiet}, argv...)
		} else {
			argv = append([]string{"sudo", "-n", "env", aptQuiet}, argv...)
		}
		fmt.Fprintln(m.out, "   $", strings.Join(argv, " "))
		if err := m.exec(ctx, argv...); err != nil {
			return fmt.Errorf("%s: %w", strings.Join(argv, " "), err)
		}
	}
	return nil
}

// aptQuiet keeps packages from asking questions during their installation. It goes through env, because sudo drops
// the caller's environment.
const aptQuiet = "DEBIAN_FRONTEND=noninteractive"

// aptLine is the whole installation as one line for a person to paste; sudo asks for the password there.
func aptLine(packages []string) string {
	return "sudo " + strings.Join(aptGet("update"), " ") +
		" && sudo " + strings.Join(aptInstall(packages), " ")
}

func aptInstall(packages []string) []string {
	return append(aptGet("install", "-y", "--no-install-recommends"), packages...)
}

func aptGet(args ...string) []string { return append([]string{"apt-get"}, args...) }
