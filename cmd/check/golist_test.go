package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// modulePath is the path that go.mod gives; it changes when the repository gets a public home.
const modulePath = "doorbell"

// listedPackage is what we read of go list -json; go help list has the meaning of each field.
type listedPackage struct {
	ImportPath   string
	Name         string
	Dir          string // absolute
	GoFiles      []string
	Imports      []string
	TestImports  []string // of _test.go files in the package
	XTestImports []string // of _test.go files in package …_test
}

// name is the package's path without the module's: "orders/store".
func (p listedPackage) name() string {
	name, _ := ownName(p.ImportPath)
	return name
}

// ownName shortens the path of a package of ours, and says whether it is one.
func ownName(path string) (name string, own bool) {
	if path == modulePath {
		return ".", true
	}
	return strings.CutPrefix(path, modulePath+"/")
}

// goList returns the packages that match the patterns, without any = all of ours. Packages that do not build are listed
// too (-e): that they are broken is for other steps to say.
func goList(t *testing.T, args ...string) []listedPackage {
	t.Helper()
	if len(args) == 0 {
		args = []string{"./..."}
	}
	cmd := exec.Command("go", append([]string{"list", "-e", "-json=ImportPath,Name,Dir,GoFiles,Imports,TestImports,XTestImports"}, args...)...)
	cmd.Dir = repositoryRoot(t)
	cmd.Env = append(os.Environ(), "GOWORK=off")
	var failure bytes.Buffer
	cmd.Stderr = &failure
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s", cmd, err, &failure)
	}
	var packages []listedPackage
	for decoder := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listedPackage
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			return packages
		} else if err != nil {
			t.Fatal(err)
		}
		packages = append(packages, p)
	}
}

func repositoryRoot(t *testing.T) string {
	t.Helper()
	root, err := findRoot(".")
	if err != nil {
		t.Fatal(err)
	}
	return root
}

// TestModulePath keeps the rules about imports from passing because no package is recognised as ours.
func TestModulePath(t *testing.T) {
	for _, p := range goList(t) {
		if _, own := ownName(p.ImportPath); !own {
			t.Errorf("%s is not below %s: set modulePath to what go.mod says", p.ImportPath, modulePath)
		}
	}
}

// TestStartsWithoutACompiler looks at everything cmd/check is made of: set-up installs the C compiler, so set-up must not
// need it. Cgo is on in the listing, as it is on a machine that has gcc and lacks the headers.
func TestStartsWithoutACompiler(t *testing.T) {
	t.Setenv("CGO_ENABLED", "1")
	for _, p := range goList(t, "-deps", "./cmd/check") {
		if p.ImportPath == "runtime/cgo" || p.ImportPath == "net" || p.ImportPath == "os/user" {
			t.Errorf("cmd/check is built from %s, which needs a C compiler where cgo is on", p.ImportPath)
		}
	}
}
