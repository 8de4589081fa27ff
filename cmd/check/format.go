package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// format runs gofmt -l over our Go files. Generated files are formatted by whoever wrote their generator, and testdata
// may hold Go that is wrong on purpose.
func format(ctx context.Context, t *tree) error {
	names, err := t.files(ctx)
	if err != nil {
		return err
	}
	names = slices.DeleteFunc(names, func(name string) bool { return !ours(name) })
	if len(names) == 0 {
		return nil
	}
	var found bytes.Buffer
	cmd := exec.Command(gofmt(ctx), append([]string{"-l"}, names...)...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = t.root, &found, t.out
	if err := runGroup(ctx, cmd); err != nil {
		return fmt.Errorf("gofmt: %w", err)
	}
	if found.Len() > 0 {
		list := strings.Fields(found.String())
		fmt.Fprintf(t.out, "%s\n", strings.Join(list, "\n"))
		return fmt.Errorf("%d not formatted; to mend it: gofmt -w %s", len(list), strings.Join(list, " "))
	}
	return nil
}

// ours reports whether name is a Go file that a person writes.
func ours(name string) bool {
	return path.Ext(name) == ".go" && !isGenerated(name) && !slices.Contains(strings.Split(name, "/"), "testdata")
}

// isGenerated reports whether a Go file comes out of go generate: we name such files *.gen.go.
func isGenerated(name string) bool { return strings.HasSuffix(name, ".gen.go") }

// gofmt is the program of the Go version that the other steps use; the one in PATH may be another's.
func gofmt(ctx context.Context) string {
	if root, err := exec.CommandContext(ctx, "go", "env", "GOROOT").Output(); err == nil {
		program := filepath.Join(strings.TrimSpace(string(root)), "bin", "gofmt")
		if _, err := os.Stat(program); err == nil {
			return program
		}
	}
	return "gofmt"
}
