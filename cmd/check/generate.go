package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// generate runs go generate in a copy of the checkout and compares. In a copy, because then nothing has to be put back:
// not after a failure, not after a kill, and not under the hands of somebody who is editing. And it sees every file that
// a generator writes, not only *.gen.go.
func generate(ctx context.Context, t *tree) error {
	names, err := t.files(ctx)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "doorbell-generate-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := copyFiles(dir, t.root, names); err != nil {
		return err
	}
	before, err := sumFiles(dir)
	if err != nil {
		return err
	}
	if err := t.at(dir).goCommand(ctx, "generate", "./..."); err != nil {
		return err
	}
	after, err := sumFiles(dir)
	if err != nil {
		return err
	}
	if changed := changes(before, after); len(changed) > 0 {
		fmt.Fprintf(t.out, "%s\n", strings.Join(changed, "\n"))
		return fmt.Errorf("%d files are not what go generate writes: run go generate ./... and commit", len(changed))
	}
	return nil
}

// at is the same tree in another folder.
func (t *tree) at(root string) *tree {
	moved := *t
	moved.root = root
	return &moved
}

// sums maps a file's name, relative with slashes, to the hash of its content; a symbolic link's is that of its target.
type sums map[string][sha256.Size]byte

// changes names the files that were added, removed or written differently, sorted, each with which of the three.
func changes(before, after sums) []string {
	var changed []string
	for name, sum := range after {
		if old, ok := before[name]; !ok {
			changed = append(changed, name+" (new)")
		} else if old != sum {
			changed = append(changed, name+" (differs)")
		}
	}
	for name := range before {
		if _, ok := after[name]; !ok {
			changed = append(changed, name+" (removed)")
		}
	}
	slices.Sort(changed)
	return changed
}

func sumFiles(root string) (sums, error) {
	names, err := walkFiles(root)
	if err != nil {
		return nil, err
	}
	all := sums{}
	for _, name := range names {
		content, _, err := readFile(filepath.Join(root, name))
		if err != nil {
			return nil, err
		}
		all[name] = sha256.Sum256(content)
	}
	return all, nil
}

func copyFiles(to, from string, names []string) error {
	for _, name := range names {
		err := copyFile(filepath.Join(to, name), filepath.Join(from, name))
		if err != nil && !errors.Is(err, fs.ErrNotExist) { // deleted since it was listed
			return err
		}
	}
	return nil
}

// copyFile copies a regular file with its permission bits, or a symbolic link as a link.
func copyFile(to, from string) error {
	content, mode, err := readFile(from)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	if mode&fs.ModeSymlink != 0 {
		return os.Symlink(string(content), to)
	}
	return os.WriteFile(to, content, mode.Perm()|0o200) // a generator must be able to write over it
}

// readFile returns the content of a regular file, or the target of a symbolic link.
func readFile(name string) ([]byte, fs.FileMode, error) {
	info, err := os.Lstat(name)
	if err != nil {
		return nil, 0, err
	}
	if info.Mode()&fs.ModeSymlink != 0 {
		target, err := os.Readlink(name)
		return []byte(target), info.Mode(), err
	}
	content, err := os.ReadFile(name)
	return content, info.Mode(), err
}
