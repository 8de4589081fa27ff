package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// smallTree writes a module of its own with the given files, and returns the tree of it and what its steps print.
func smallTree(t *testing.T, files map[string]string) (*tree, *bytes.Buffer) {
	t.Helper()
	root := t.TempDir()
	write(t, root, "go.mod", "module small\n\ngo 1.26\n")
	for name, content := range files {
		write(t, root, name, content)
	}
	var out bytes.Buffer
	return &tree{root: root, out: &out}, &out
}

func write(t *testing.T, root, name, content string) {
	t.Helper()
	path := filepath.Join(root, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestFindRoot(t *testing.T) {
	tree, _ := smallTree(t, map[string]string{"a/b/x.go": "package b\n"})
	if got, err := findRoot(filepath.Join(tree.root, "a", "b")); err != nil || got != tree.root {
		t.Errorf("root %q, error %v, want %q", got, err, tree.root)
	}
	if got, err := findRoot(t.TempDir()); err == nil {
		t.Errorf("root %q outside any module, want an error", got)
	}
}

func TestFiles(t *testing.T) {
	tree, _ := smallTree(t, map[string]string{
		".gitignore": "/data/\n", "a/x.go": "package a\n", "a/new.go": "package a\n", "data/big": "", "gone.go": "package small\n",
	})
	want := []string{".gitignore", "a/new.go", "a/x.go", "go.mod"}

	t.Run("WithoutGit", func(t *testing.T) {
		names, err := tree.files(t.Context())
		if want := append(want[:4:4], "gone.go"); err != nil || !reflect.DeepEqual(names, want) {
			t.Errorf("files %q, error %v, want %q", names, err, want)
		}
	})

	t.Run("WithGitTrackedAndNewNotIgnoredNotDeleted", func(t *testing.T) {
		if _, err := exec.LookPath("git"); err != nil {
			t.Skip("no git on this machine: the walk is what is used here")
		}
		forgetGit(t)
		for _, args := range [][]string{{"init", "-q"}, {"add", "a/x.go", "gone.go", "go.mod"}} {
			if out, err := exec.Command("git", append([]string{"-C", tree.root}, args...)...).CombinedOutput(); err != nil {
				t.Fatalf("git %v: %v\n%s", args, err, out)
			}
		}
		if err := os.Remove(filepath.Join(tree.root, "gone.go")); err != nil {
			t.Fatal(err)
		}
		names, err := tree.files(t.Context())
		if err != nil || !reflect.DeepEqual(names, want) {
			t.Errorf("files %q, error %v, want %q", names, err, want)
		}
		tracked, _ := gitFiles(t.Context(), tree.root, "--cached")
		if want := []string{"a/x.go", "go.mod"}; !reflect.DeepEqual(tracked, want) {
			t.Errorf("tracked files %q, want %q", tracked, want)
		}
	})
}

// forgetGit clears what git sets for its hooks; with it, git would look into our own repository whatever folder it is
// called in, and git add would write there.
func forgetGit(t *testing.T) {
	for _, name := range []string{"GIT_DIR", "GIT_INDEX_FILE", "GIT_WORK_TREE", "GIT_PREFIX"} {
		t.Setenv(name, "") // puts the old value back after the test
		os.Unsetenv(name)
	}
}

func TestFormat(t *testing.T) {
	const crooked = "package a\nfunc  F( ) { }\n"
	tree, out := smallTree(t, map[string]string{
		"a/good.go": "package a\n", "a/made.gen.go": crooked, "a/testdata/bad.go": crooked,
	})
	if err := format(t.Context(), tree); err != nil {
		t.Fatalf("formatted, generated and testdata files only: %v", err)
	}
	write(t, tree.root, "a/crooked.go", crooked)
	err := format(t.Context(), tree)
	if err == nil || !strings.Contains(err.Error(), "gofmt -w a/crooked.go") || out.String() != "a/crooked.go\n" {
		t.Errorf("error %v, printed %q, want the name of the file", err, out)
	}
}

func TestGenerate(t *testing.T) {
	const directive = "//go:generate sh -c \"echo package a > made.gen.go\"\n"
	tree, out := smallTree(t, map[string]string{"a/a.go": directive + "package a\n", "a/made.gen.go": "package a\n"})

	if err := generate(t.Context(), tree); err != nil {
		t.Fatalf("up to date: %v\n%s", err, out)
	}

	stale := "package a // older\n"
	write(t, tree.root, "a/made.gen.go", stale)
	err := generate(t.Context(), tree)
	if err == nil || !strings.Contains(out.String(), "a/made.gen.go (differs)") {
		t.Errorf("stale: error %v, printed %q, want the name of the file", err, out)
	}
	if left, err := os.ReadFile(filepath.Join(tree.root, "a/made.gen.go")); err != nil || string(left) != stale {
		t.Errorf("the checkout holds %q, error %v: it must stay as it was", left, err)
	}

	out.Reset()
	if err := os.Remove(filepath.Join(tree.root, "a/made.gen.go")); err != nil {
		t.Fatal(err)
	}
	err = generate(t.Context(), tree)
	if err == nil || !strings.Contains(out.String(), "a/made.gen.go (new)") {
		t.Errorf("forgotten: error %v, printed %q, want the name of the file", err, out)
	}
}
