package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
)

// machine is what set-up may do to the machine it runs on. Tests fill it with functions that install nothing.
type machine struct {
	out  io.Writer
	root bool        // we are root and call apt-get ourselves
	apt  bool        // apt-get is in PATH
	init bool        // systemd runs the machine's services
	sudo func() bool // sudo works without asking for a password
	exec func(ctx context.Context, argv ...string) error
}

// thisMachine describes the machine we run on.
func thisMachine(t *tree) machine {
	_, noApt := exec.LookPath("apt-get")
	_, noInit := os.Stat("/run/systemd/system") // where systemd keeps its own, see sd_booted(3)
	return machine{
		out:  t.out,
		root: os.Geteuid() == 0,
		apt:  noApt == nil,
		init: noInit == nil,
		sudo: func() bool { return exec.Command("sudo", "-n", "true").Run() == nil },
		exec: t.inForeground,
	}
}

// setUp installs what is missing, and does nothing when nothing is. Where it may not install, the error holds the line
// that the reader can run.
//
// A Debian package of a server starts it, now and at every boot, on the port that somebody's own server may want. The
// tests start servers of their own, so of what is installed here nothing runs by itself; what was there already is left
// as it is.
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
		return fmt.Errorf("not root, and sudo would ask for a password; run this line and try again:\n\n\t%s", m.line(gone))
	}
	if err := install(ctx, m, gone); err != nil {
		return err
	}
	if gone = missing(gone); len(gone) > 0 {
		return fmt.Errorf("installed %s, and still there is no %s", strings.Join(packages, " "), gone[0].detectedBy())
	}
	return nil
}

// install runs apt-get update once, since a fresh machine has no package lists, then installs all packages in one go.
func install(ctx context.Context, m machine, gone []need) error {
	for _, argv := range m.commands(gone) {
		if !m.root {
			argv = append([]string{"sudo", "-n"}, argv...)
		}
		fmt.Fprintln(m.out, "   $", strings.Join(argv, " "))
		if err := m.exec(ctx, argv...); err != nil {
			return fmt.Errorf("%s: %w", strings.Join(argv, " "), err)
		}
	}
	return nil
}

// commands are what root has to run for the needs, in order.
func (m machine) commands(gone []need) [][]string {
	all := [][]string{
		slices.Concat(quietly, []string{"apt-get", "update"}),
		slices.Concat(quietly, []string{"apt-get", "install", "-y", "--no-install-recommends"}, packagesOf(gone)),
	}
	if services := servicesOf(gone); m.init && len(services) > 0 {
		all = append(all, append([]string{"systemctl", "disable", "--now"}, services...))
	}
	return all
}

// line is the whole installation as one line for a person to paste; sudo asks for the password there.
func (m machine) line(gone []need) string {
	var parts []string
	for _, argv := range m.commands(gone) {
		parts = append(parts, "sudo "+strings.Join(argv, " "))
	}
	return strings.Join(parts, " && ")
}

// quietly keeps packages from asking questions and from starting services during their installation: systemctl, which
// they call for that, then touches nothing that runs. It goes through env, because sudo drops the caller's environment.
var quietly = []string{"env", "DEBIAN_FRONTEND=noninteractive", "SYSTEMD_OFFLINE=1"}
