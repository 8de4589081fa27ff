package main

import (
	"context"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// files lists the checkout's files, relative to its root with slashes, sorted: those that git tracks, and those that it
// would take with the next git add. Without git it walks. Symbolic links are listed, not followed.
func (t *tree) files(ctx context.Context) ([]string, error) {
	if names, ok := gitFiles(ctx, t.root, "--cached", "--others", "--exclude-standard"); ok {
		return names, nil
	}
	return walkFiles(t.root)
}

// gitFiles asks git ls-files. It returns false where there is no .git beside go.mod (an unpacked archive, perhaps inside
// some other repository), no git program, or nothing listed.
func gitFiles(ctx context.Context, root string, args ...string) ([]string, bool) {
	if _, err := os.Lstat(filepath.Join(root, ".git")); err != nil {
		return nil, false
	}
	// safe.directory: git would refuse a checkout that belongs to another user, and reading names does no harm.
	argv := append([]string{"-C", root, "-c", "safe.directory=" + root, "ls-files", "-z"}, args...)
	listed, err := exec.CommandContext(ctx, "git", argv...).Output()
	if err != nil {
		return nil, false
	}
	var names []string
	for name := range strings.SplitSeq(string(listed), "\x00") {
		if isFile(filepath.Join(root, name)) { // a tracked file may be deleted and not yet committed
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names), len(names) > 0
}

// walkFiles lists the files below root except those of git itself, of npm, and of the server's default data folder.
func walkFiles(root string) ([]string, error) {
	var names []string
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if entry.Name() == ".git" || entry.Name() == "node_modules" || name == "data" {
				return fs.SkipDir
			}
			return nil
		}
		if isFile(path) {
			names = append(names, filepath.ToSlash(name))
		}
		return nil
	})
	slices.Sort(names)
	return names, err
}

// isFile reports whether path is a regular file or a symbolic link: not a folder, a socket or nothing.
func isFile(path string) bool {
	info, err := os.Lstat(path)
	return err == nil && (info.Mode().IsRegular() || info.Mode()&fs.ModeSymlink != 0)
}
