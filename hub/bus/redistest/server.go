package redistest

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// patience is how long a server may take to do what it is asked.
const patience = 20 * time.Second

// Server is one redis-server, or one redis-sentinel. What it does is for the goroutine of the test only; a failure ends
// the test.
type Server struct {
	t      testing.TB
	binary string
	dir    string
	args   []string
	client *redis.Client

	mu   sync.Mutex // guards the following
	port int
	cmd  *exec.Cmd     // nil while it does not run
	done chan struct{} // closed when cmd has ended
}

// Start runs a redis-server that keeps nothing on disk unless Save is called. args are further lines of its
// configuration, as on the command line ("--maxmemory", "1mb").
func Start(t testing.TB, args ...string) *Server {
	t.Helper()
	s := newServer(t, "redis-server", "apt-get install -y redis-server", args)
	s.Start()
	return s
}

func newServer(t testing.TB, program, install string, args []string) *Server {
	t.Helper()
	binary, err := exec.LookPath(program)
	if err != nil {
		t.Fatalf("this test needs %s: %s", program, install)
	}
	s := &Server{t: t, binary: binary, dir: t.TempDir(), args: args}
	t.Cleanup(func() {
		if s.client != nil {
			_ = s.client.Close()
		}
		s.Kill()
	})
	return s
}

// freePort is a port of the loopback that nobody listened to a moment ago.
func freePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port
}

// Start runs the server where it is stopped. It keeps its port for life.
func (s *Server) Start() {
	s.t.Helper()
	var said string
	for range 5 { // somebody else may take a free port first
		ok := false
		if said, ok = s.try(); ok {
			return
		}
		if !strings.Contains(said, "ddress already in use") {
			break
		}
	}
	s.t.Fatalf("%s did not start:\n%s", filepath.Base(s.binary), said)
}

func (s *Server) try() (said string, ok bool) {
	s.t.Helper()
	s.mu.Lock()
	if s.cmd != nil {
		s.mu.Unlock()
		return "", true
	}
	if s.port == 0 {
		s.port = freePort(s.t)
	}
	fresh := s.client == nil
	args := append([]string{
		"--port", fmt.Sprint(s.port), "--bind", "127.0.0.1", "--dir", s.dir, "--save", "", "--appendonly", "no",
	}, s.args...)
	if strings.HasSuffix(s.binary, "sentinel") {
		args = append([]string{filepath.Join(s.dir, "sentinel.conf")}, "--port", fmt.Sprint(s.port), "--bind", "127.0.0.1")
	}
	log, err := os.Create(filepath.Join(s.dir, "log"))
	if err != nil {
		s.mu.Unlock()
		return err.Error(), false
	}
	cmd := exec.Command(s.binary, args...)
	cmd.Stdout, cmd.Stderr = log, log
	done, err := run(cmd)
	_ = log.Close()
	if err != nil {
		s.mu.Unlock()
		return err.Error(), false
	}
	s.cmd, s.done = cmd, done
	if fresh {
		s.client = redis.NewClient(&redis.Options{
			Addr: s.addr(), Protocol: 2, MaxRetries: -1, DisableIdentity: true, PoolSize: 4,
			DialTimeout: time.Second, DialerRetries: 1, ReadTimeout: 5 * time.Second, WriteTimeout: 5 * time.Second,
		})
	}
	s.mu.Unlock()

	deadline := time.Now().Add(patience)
	for time.Now().Before(deadline) {
		if c, err := net.DialTimeout("tcp", s.Addr(), time.Second); err == nil {
			_ = c.Close()
			if s.client.Ping(context.Background()).Err() == nil {
				return "", true
			}
		}
		select {
		case <-done:
			text, _ := os.ReadFile(filepath.Join(s.dir, "log"))
			s.mu.Lock()
			s.cmd = nil
			if fresh && strings.Contains(string(text), "ddress already in use") {
				_ = s.client.Close()
				s.client, s.port = nil, 0
			}
			s.mu.Unlock()
			return string(text), false
		case <-time.After(5 * time.Millisecond):
		}
	}
	text, _ := os.ReadFile(filepath.Join(s.dir, "log"))
	return "no answer in time\n" + string(text), false
}

// run starts a server that is killed when this process dies, however it dies. The kernel takes that as the end of the
// thread that started it, so that thread waits here until done closes with the server's end.
func run(cmd *exec.Cmd) (done chan struct{}, err error) {
	endWithParent(cmd)
	done = make(chan struct{})
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(done)
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait()
		}
	}()
	return done, <-started
}

func (s *Server) addr() string { return fmt.Sprintf("127.0.0.1:%d", s.port) }

// Addr is where the server listens, as "127.0.0.1:port".
func (s *Server) Addr() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.addr()
}

// URL is the server's address as the bus takes it.
func (s *Server) URL() string { return "redis://" + s.Addr() }

// Client is a client of the server that closes with the test.
func (s *Server) Client() *redis.Client { return s.client }

// Stop ends the server in order; a save that is configured is made.
func (s *Server) Stop() { s.end(syscall.SIGTERM) }

// Kill ends the server at once.
func (s *Server) Kill() { s.end(syscall.SIGKILL) }

func (s *Server) end(sig syscall.Signal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Signal(sig)
	_ = s.cmd.Process.Signal(syscall.SIGCONT) // where it is paused
	select {
	case <-s.done:
	case <-time.After(patience):
		_ = s.cmd.Process.Kill()
		<-s.done
	}
	s.cmd = nil
}

// Pause stops the process without ending it (SIGSTOP): its connections stay, and nothing answers.
func (s *Server) Pause() { s.signal(syscall.SIGSTOP) }

// Resume goes on after Pause.
func (s *Server) Resume() { s.signal(syscall.SIGCONT) }

func (s *Server) signal(sig syscall.Signal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cmd != nil {
		_ = s.cmd.Process.Signal(sig)
	}
}

// Flush empties the server.
func (s *Server) Flush() {
	s.t.Helper()
	s.must(s.client.FlushAll(context.Background()).Err())
}

// Save writes what the server holds to a file, and returns its path.
func (s *Server) Save() (file string) {
	s.t.Helper()
	s.must(s.client.Save(context.Background()).Err())
	b, err := os.ReadFile(filepath.Join(s.dir, "dump.rdb"))
	s.must(err)
	f, err := os.CreateTemp(s.t.TempDir(), "*.rdb")
	s.must(err)
	_, err = f.Write(b)
	s.must(err)
	s.must(f.Close())
	return f.Name()
}

// RestoreFile kills the server and starts it with what a file of Save holds.
func (s *Server) RestoreFile(file string) {
	s.t.Helper()
	s.Kill()
	b, err := os.ReadFile(file)
	s.must(err)
	s.must(os.WriteFile(filepath.Join(s.dir, "dump.rdb"), b, 0o600))
	s.Start()
	s.must(os.Remove(filepath.Join(s.dir, "dump.rdb"))) // the next start finds nothing again
}

func (s *Server) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// wait polls until done, and fails the test when that takes too long.
func wait(t testing.TB, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !done(); {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
		<-time.After(5 * time.Millisecond)
	}
}
