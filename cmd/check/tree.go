package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// tree is the checkout we look at, and how go is called in it.
type tree struct {
	root    string    // absolute; the folder of go.mod
	out     io.Writer // what the steps' programs print, both of their streams
	goFlags string    // GOFLAGS of every go command we start
}

// openTree finds the checkout around the working directory.
func openTree(ctx context.Context, out io.Writer) (*tree, error) {
	if _, err := exec.LookPath("go"); err != nil {
		return nil, errors.New("go is not in PATH; a Go unpacked from its archive usually needs PATH=$PATH:/usr/local/go/bin")
	}
	root, err := findRoot(".")
	if err != nil {
		return nil, err
	}
	flags, err := exec.CommandContext(ctx, "go", "env", "GOFLAGS").Output()
	if err != nil {
		return nil, fmt.Errorf("go env GOFLAGS: %w", err)
	}
	// Without -buildvcs=false a build fails where git refuses to look into the checkout, as it does in a container
	// that has the folder mounted from another user.
	return &tree{root: root, out: out, goFlags: strings.TrimSpace(string(flags) + " -buildvcs=false")}, nil
}

// findRoot walks up from dir to the folder that holds go.mod.
func findRoot(dir string) (string, error) {
	start, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	for at := start; ; at = filepath.Dir(at) {
		if info, err := os.Stat(filepath.Join(at, "go.mod")); err == nil && info.Mode().IsRegular() {
			return at, nil
		}
		if at == filepath.Dir(at) {
			return "", fmt.Errorf("no go.mod in %s or above: run this inside the repository", start)
		}
	}
}

// goCommand runs go in the tree without cgo.
func (t *tree) goCommand(ctx context.Context, args ...string) error {
	return t.start(ctx, "0", args)
}

// goWithC runs go in the tree with cgo, which the race detector needs.
func (t *tree) goWithC(ctx context.Context, args ...string) error {
	return t.start(ctx, "1", args)
}

func (t *tree) start(ctx context.Context, cgo string, args []string) error {
	cmd := exec.Command("go", args...)
	cmd.Dir = t.root
	// GOWORK=off: a go.work in a folder above would let other versions in than go.mod says.
	cmd.Env = append(os.Environ(), "CGO_ENABLED="+cgo, "GOFLAGS="+t.goFlags, "GOWORK=off")
	cmd.Stdout, cmd.Stderr = t.out, t.out
	if err := runGroup(ctx, cmd); err != nil {
		return fmt.Errorf("go %s: %w", strings.Join(args, " "), err)
	}
	return nil
}

// inForeground runs a program that may want the terminal (apt-get and sudo do, and a terminal stops programs of other
// groups that touch it). Ctrl-C reaches it from the terminal itself.
func (t *tree) inForeground(ctx context.Context, argv ...string) error {
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) } // not a kill: dpkg would be left half done
	cmd.Stdout, cmd.Stderr = t.out, t.out
	return cmd.Run()
}
