package deploy

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// programs is the folder of doorbell and setup as the image has them, built once.
var programs string

func TestMain(m *testing.M) { os.Exit(buildAndRun(m)) }

func buildAndRun(m *testing.M) int {
	dir, err := os.MkdirTemp("", "doorbell-deploy-*")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	programs = dir
	build := exec.Command("go", "build", "-o", dir+string(filepath.Separator), "doorbell/cmd/doorbell", "doorbell/cmd/doorbell/deploy/setup")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "go build: %v\n%s", err, out)
		return 1
	}
	code := m.Run()
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	return code
}

// repository is the folder of compose.yaml, seen from here.
const repository = "../../.."

func readFile(t testing.TB, path ...string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// patience is how long a test waits for what should take milliseconds, or a drain.
const patience = 30 * time.Second

// eventually polls until ok says so, and fails the test after patience with what it says last.
func eventually(t testing.TB, ok func() (bool, string)) {
	t.Helper()
	for end := time.Now().Add(patience); ; <-time.After(10 * time.Millisecond) {
		yes, why := ok()
		if yes {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("waited %v: %s", patience, why)
		}
	}
}
