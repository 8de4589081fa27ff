package faults

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// node is one `doorbell serve`, over all the processes it has been.
type node struct {
	t     testing.TB
	name  string
	roles []string
	args  []string
	dir   string

	mu     sync.Mutex // guards the following
	cmd    *exec.Cmd
	exited chan struct{} // closed when the process is gone
	addr   string        // host:port of the public port; stays that of a process that is gone
	up     bool          // the newest process listens
	ready  bool          // as the balancer saw it last
	lines  []string      // the end of the log, over all processes
	part   []byte        // of the line being written
}

// logKept is how many lines of a node's log are kept.
const logKept = 2000

// has reports whether the node plays a role.
func (n *node) has(role string) bool { return slices.Contains(n.roles, role) }

// start starts a process and waits until it listens. env is beside the test's own, without the program's variables.
func (n *node) start(env ...string) {
	n.t.Helper()
	n.launch(env...)
	n.await()
}

// launch starts a process and waits for nothing.
func (n *node) launch(env ...string) {
	n.t.Helper()
	cmd := exec.Command(program, append([]string{"serve", "--listen", "127.0.0.1:0", "--data", n.dir}, n.args...)...)
	for _, kv := range os.Environ() {
		if !strings.HasPrefix(kv, "DOORBELL_") {
			cmd.Env = append(cmd.Env, kv)
		}
	}
	cmd.Env = append(cmd.Env, env...)
	if raced {
		cmd.Env = append(cmd.Env, "GORACE=halt_on_error=0")
	}
	cmd.Dir, cmd.Stdout, cmd.Stderr = n.dir, n, n
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} // a test that panics leaves no process behind
	exited, begun := make(chan struct{}), make(chan error)
	n.mu.Lock()
	n.up = false
	n.mu.Unlock()
	go func() {
		runtime.LockOSThread()         // Pdeathsig is about the thread
		defer runtime.UnlockOSThread() // and a locked one would end with us, and take along what else it started
		defer close(exited)
		err := cmd.Start()
		begun <- err
		if err == nil {
			_ = cmd.Wait()
		}
	}()
	if err := <-begun; err != nil {
		n.t.Fatal(err)
	}
	n.mu.Lock()
	n.cmd, n.exited = cmd, exited
	n.mu.Unlock()
}

// await waits until the newest process listens.
func (n *node) await() {
	n.t.Helper()
	n.mu.Lock()
	exited := n.exited
	n.mu.Unlock()
	eventually(n.t, func() (bool, string) {
		select {
		case <-exited:
			n.t.Fatalf("%s ended:\n%s", n.name, n.tail(30))
		default:
		}
		n.mu.Lock()
		defer n.mu.Unlock()
		return n.up, n.name + " does not listen"
	})
}

// Write takes the log of a process. The line that says where it listens is acted upon.
func (n *node) Write(p []byte) (int, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.part = append(n.part, p...)
	for {
		line, rest, ok := bytes.Cut(n.part, []byte("\n"))
		if !ok {
			return len(p), nil
		}
		var said struct{ Message, Listen string }
		if json.Unmarshal(line, &said) == nil && said.Message == "serving" {
			n.addr, n.up, n.ready = said.Listen, true, true
		}
		n.lines = append(n.lines, string(line))
		if len(n.lines) > logKept {
			n.lines = slices.Delete(n.lines, 0, logKept/2)
		}
		n.part = bytes.Clone(rest)
	}
}

// tail is the last lines of the log.
func (n *node) tail(lines int) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return strings.Join(n.lines[max(0, len(n.lines)-lines):], "\n")
}

// at is where the node listens, or listened last.
func (n *node) at() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.addr
}

// kill ends the process at once, as kill -9 does, and waits for its end.
func (n *node) kill() {
	n.mu.Lock()
	cmd, exited := n.cmd, n.exited
	n.mu.Unlock()
	if cmd == nil {
		return
	}
	_ = cmd.Process.Kill() // one that is stopped dies, too
	<-exited
}

// signal sends the process a signal.
func (n *node) signal(sig syscall.Signal) {
	n.t.Helper()
	n.mu.Lock()
	cmd := n.cmd
	n.mu.Unlock()
	if err := cmd.Process.Signal(sig); err != nil {
		n.t.Fatalf("%s: %v", n.name, err)
	}
}

// stop ends the process as an operator does.
func (n *node) stop() {
	n.t.Helper()
	n.signal(syscall.SIGTERM)
	n.mu.Lock()
	cmd, exited := n.cmd, n.exited
	n.mu.Unlock()
	select {
	case <-exited:
	case <-time.After(patience):
		n.t.Fatalf("%s is still running %v after SIGTERM:\n%s", n.name, patience, n.tail(30))
	}
	n.mark(false)
	if code := cmd.ProcessState.ExitCode(); code != 0 {
		n.t.Errorf("%s ended with %d:\n%s", n.name, code, n.tail(30))
	}
}

// mark notes whether the balancer would send somebody to the node.
func (n *node) mark(ready bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.ready = ready
}

// races is what the race detector said of the node since it was last asked, "" = nothing.
func (n *node) races() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	i := slices.IndexFunc(n.lines, func(l string) bool { return strings.Contains(l, raceWarning) })
	if i < 0 {
		return ""
	}
	text := strings.Join(n.lines[i:min(len(n.lines), i+60)], "\n")
	for i := range n.lines {
		n.lines[i] = strings.ReplaceAll(n.lines[i], raceWarning, "(a data race, told above)")
	}
	return text
}

const raceWarning = "WARNING: DATA RACE"

// newNode makes a node's folder. It runs nothing; what is run ends with the test.
func newNode(t testing.TB, dir, name string, roles []string, args ...string) *node {
	t.Helper()
	n := &node{t: t, name: name, roles: roles, args: args, dir: filepath.Join(dir, name)}
	if err := os.Mkdir(n.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.kill)
	return n
}
