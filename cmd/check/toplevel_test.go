package main

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// topLevel is what lies at the repository's top, beside dot files. It is kept short, so that whoever opens the repository
// sees the four parts of the program.
var topLevel = []string{
	"cmd", "hub", "orders", "web",
	"openapi.yaml", "go.mod", "go.sum", "compose.yaml", "README.md", "LICENSE",
}

// builtHere is what our own programs leave at the top level; git ignores it, and without git we have to.
var builtHere = []string{"data", "doorbell"}

func TestTopLevel(t *testing.T) {
	for _, name := range atTheTop(t, repositoryRoot(t)) {
		if !strings.HasPrefix(name, ".") && !slices.Contains(topLevel, name) {
			t.Errorf("%s lies at the top level, which holds %s and dot files only, so that it can be taken in at a glance: "+
				"put it into the part it belongs to", name, strings.Join(topLevel, " "))
		}
	}
}

// atTheTop names the files and folders of the top level: with git those that it tracks, since builds leave others about.
func atTheTop(t *testing.T, root string) []string {
	t.Helper()
	var names []string
	if tracked, ok := gitFiles(t.Context(), root, "--cached"); ok {
		for _, path := range tracked {
			name, _, _ := strings.Cut(path, "/")
			names = append(names, name)
		}
		slices.Sort(names)
		return slices.Compact(names)
	}
	entries, err := os.ReadDir(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if !slices.Contains(builtHere, entry.Name()) {
			names = append(names, entry.Name())
		}
	}
	return names
}
