package main

import (
	"go/parser"
	"go/token"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestPackageComments asks of every package one comment that says what it is, in one place: with two, go doc joins them
// in the order of the file names, and with none, the reader has to guess. Generated files bring a comment of their
// generator's, which counts only where the whole package is generated.
func TestPackageComments(t *testing.T) {
	for _, p := range goList(t) {
		if len(p.GoFiles) == 0 {
			continue // tests only
		}
		t.Run(p.name(), func(t *testing.T) {
			written, generated := packageComments(t, p)
			switch {
			case len(written) == 1:
				checkComment(t, p, written)
			case len(written) > 1:
				t.Errorf("%s has %d package comments, in %s: keep one, in doc.go when it is long",
					p.name(), len(written), strings.Join(slices.Sorted(maps.Keys(written)), ", "))
			case len(generated) == 0 || !allGenerated(p):
				t.Errorf("%s has no package comment: say above its package clause what it does, what it leaves to others, "+
					"and the one rule to know", p.name())
			}
		})
	}
}

// checkComment wants the first words that go doc and editors look for.
func checkComment(t *testing.T, p listedPackage, written map[string]string) {
	t.Helper()
	for file, text := range written {
		first, _, _ := strings.Cut(text, "\n")
		if p.Name != "main" && !strings.HasPrefix(text, "Package "+p.Name+" ") {
			t.Errorf("%s/%s: the package comment begins %q, want %q", p.name(), file, first, "Package "+p.Name+" …")
		}
		command := path.Base(p.name())
		if p.Name == "main" && !strings.Contains(strings.ToLower(first), command) {
			t.Errorf("%s/%s: the comment begins %q, want the command's name in it: %q", p.name(), file, first,
				"Command "+command+" …")
		}
	}
}

// packageComments maps each file that has a package comment to the comment, for files that people write and for
// generated ones.
func packageComments(t *testing.T, p listedPackage) (written, generated map[string]string) {
	t.Helper()
	written, generated = map[string]string{}, map[string]string{}
	for _, file := range p.GoFiles {
		parsed, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, file), nil,
			parser.PackageClauseOnly|parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		if text := strings.TrimSpace(parsed.Doc.Text()); text != "" {
			if isGenerated(file) {
				generated[file] = text
			} else {
				written[file] = text
			}
		}
	}
	return written, generated
}

func allGenerated(p listedPackage) bool {
	for _, file := range p.GoFiles {
		if !isGenerated(file) {
			return false
		}
	}
	return true
}
