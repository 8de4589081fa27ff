//go:build linux

package pgtest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// User is the superuser of every server. It needs no password on the loopback.
const User = "doorbell"

// startTimeout bounds a start, with the recovery after a kill.
const startTimeout = 30 * time.Second

// Server is a Postgres that runs, is stopped, or is paused. Its methods are called by one goroutine at a time.
type Server struct {
	as       *user
	dir      string // everything of this server; below it data, and what it said in log
	port     int    // the same over restarts
	settings []string
	process  *process // nil: stopped
	release  func()   // gives the template back

	databases atomic.Int64
}

// Start starts a server that ends with the test. A setting is a line of postgresql.conf, such as "fsync=off".
func Start(t testing.TB, settings ...string) *Server {
	t.Helper()
	s, err := Open(settings...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// Open starts a server, which the caller ends with Close. Where no Postgres is installed the error says how to get one.
func Open(settings ...string) (_ *Server, err error) {
	as, err := serverUser()
	if err != nil {
		return nil, err
	}
	dir, err := as.folder("pgtest-")
	if err != nil {
		return nil, err
	}
	s := &Server{as: as, dir: dir, settings: settings, release: func() {}}
	defer func() {
		if err != nil {
			s.Close()
		}
	}()
	template, release, err := template(as)
	if err != nil {
		return nil, err
	}
	s.release = release
	if err := as.run("cp", "-R", template, s.data()); err != nil {
		return nil, fmt.Errorf("copy the template: %w", err)
	}
	if s.port, err = freePort(); err != nil {
		return nil, err
	}
	return s, s.start()
}

// Close ends the server and deletes all it had.
func (s *Server) Close() {
	if s.process != nil {
		s.process.signal(syscall.SIGCONT)
		s.process.end(syscall.SIGQUIT)
		s.process = nil
	}
	_ = os.RemoveAll(s.dir)
	s.release()
	s.release = func() {}
}

func (s *Server) data() string { return filepath.Join(s.dir, "data") }

// Addr is where the server listens, as "127.0.0.1:port".
func (s *Server) Addr() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)) }

// URL is the address of the server's first database, for one who only asks the server itself.
func (s *Server) URL() string { return s.urlOf("postgres") }

func (s *Server) urlOf(database string) string { return URLAt(s.Addr(), database) }

// URLAt is the address of a database behind another host and port, such as a proxy's.
func URLAt(addr, database string) string {
	return "postgres://" + User + "@" + addr + "/" + database + "?sslmode=disable"
}

// Database makes an empty database and returns its URL. It is dropped with the test.
func (s *Server) Database(t testing.TB) string {
	t.Helper()
	name := fmt.Sprintf("test_%d", s.databases.Add(1))
	s.Exec(t, "CREATE DATABASE "+name+" TEMPLATE template0")
	t.Cleanup(func() {
		_ = s.exec("DROP DATABASE IF EXISTS " + name + " WITH (FORCE)") // or it goes with the server
	})
	return s.urlOf(name)
}

// Exec runs SQL as the superuser in the server's first database.
func (s *Server) Exec(t testing.TB, sql string) {
	t.Helper()
	if err := s.exec(sql); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

func (s *Server) exec(sql string) error {
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	conn, err := pgx.Connect(ctx, s.URL())
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, sql)
	return errors.Join(err, conn.Close(ctx))
}

// start starts the process and waits until it answers. After a kill the backends of the one before may still have the
// shared memory, and for that long it refuses to start.
func (s *Server) start() error {
	deadline := time.Now().Add(startTimeout)
	for {
		err := s.startOnce(deadline)
		if err == nil || !errors.Is(err, errNotYet) || time.Now().After(deadline) {
			return err
		}
		pause(50 * time.Millisecond)
	}
}

var errNotYet = errors.New("what the server before left is still in use")

func (s *Server) startOnce(deadline time.Time) error {
	args := []string{
		"-D", s.data(), "-p", strconv.Itoa(s.port), "-k", s.dir, "-c", "listen_addresses=127.0.0.1",
		"-c", "shared_buffers=64MB", "-c", "max_connections=200", "-c", "max_wal_size=4GB",
	}
	for _, line := range s.settings {
		args = append(args, "-c", line)
	}
	p, err := startProcess(s.as, filepath.Join(s.dir, "log"), args)
	if err != nil {
		return err
	}
	for {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		conn, err := pgx.Connect(ctx, s.URL())
		if err == nil {
			_ = conn.Close(ctx)
			cancel()
			s.process = p
			return nil
		}
		cancel()
		select {
		case <-p.ended:
			said := s.log()
			if strings.Contains(said, "shared memory block") || strings.Contains(said, "lock file") {
				return fmt.Errorf("%w: %s", errNotYet, said)
			}
			return fmt.Errorf("postgres ended: %s", said)
		default:
		}
		if time.Now().After(deadline) {
			p.end(syscall.SIGQUIT)
			return fmt.Errorf("postgres does not answer: %w: %s", err, s.log())
		}
		pause(10 * time.Millisecond)
	}
}

// log is the end of what the server said.
func (s *Server) log() string {
	b, _ := os.ReadFile(filepath.Join(s.dir, "log"))
	return string(b[max(0, len(b)-2000):])
}

// Log is all that the server has said.
func (s *Server) Log() string {
	b, _ := os.ReadFile(filepath.Join(s.dir, "log"))
	return string(b)
}

// Start starts a server that was stopped or killed.
func (s *Server) Start(t testing.TB) {
	t.Helper()
	if err := s.start(); err != nil {
		t.Fatal(err)
	}
}

// Stop ends the server as an operator would in a hurry: connections are cut, everything is written.
func (s *Server) Stop(t testing.TB) { s.end(t, syscall.SIGINT) }

// Kill ends all its processes as kill -9 does: what was fsynced is there, nothing else.
func (s *Server) Kill(t testing.TB) { s.end(t, syscall.SIGKILL) }

func (s *Server) end(t testing.TB, sig syscall.Signal) {
	t.Helper()
	if s.process == nil {
		t.Fatal("the server does not run")
	}
	s.process.end(sig)
	s.process = nil
}

// Restart is Stop and Start.
func (s *Server) Restart(t testing.TB) {
	t.Helper()
	s.Stop(t)
	s.Start(t)
}

// Pause stops all its processes where they stand (SIGSTOP): connections stay open, and nobody answers.
func (s *Server) Pause(t testing.TB) {
	t.Helper()
	s.process.signal(syscall.SIGSTOP)
}

// Resume lets them go on.
func (s *Server) Resume(t testing.TB) {
	t.Helper()
	s.process.signal(syscall.SIGCONT)
}

// pause is how long to wait before looking again for something that the server does by itself.
func pause(d time.Duration) { <-time.After(d) }

// freePort is a port that nobody listens on now.
func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// process is a running postmaster.
type process struct {
	cmd   *exec.Cmd
	ended chan struct{} // closed when it has ended
}

// startProcess runs postgres. It is told to end when this process dies; the kernel takes that as the end of the thread
// that started it, so that thread waits here.
func startProcess(as *user, log string, args []string) (*process, error) {
	out, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	cmd := as.command("postgres", args...)
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr.Pdeathsig = syscall.SIGQUIT
	p := &process{cmd: cmd, ended: make(chan struct{})}
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait()
		}
		_ = out.Close()
		close(p.ended)
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start postgres: %w", err)
	}
	return p, nil
}

// end signals the server and waits until all its processes are gone.
func (p *process) end(sig syscall.Signal) {
	all := p.pids()
	if sig == syscall.SIGKILL {
		p.signal(sig) // the children live in sessions of their own and would go on for a moment
	} else {
		_ = p.cmd.Process.Signal(sig)
	}
	select {
	case <-p.ended:
	case <-time.After(startTimeout):
		p.signal(syscall.SIGKILL)
		<-p.ended
	}
	for _, pid := range all {
		for syscall.Kill(pid, 0) == nil && !isZombie(pid) {
			pause(5 * time.Millisecond)
		}
	}
}

// signal reaches the postmaster first, so that it starts no more children, and then all of them.
func (p *process) signal(sig syscall.Signal) {
	for _, pid := range p.pids() {
		_ = syscall.Kill(pid, sig)
	}
}

// pids are the postmaster and its children.
func (p *process) pids() []int {
	parent := p.cmd.Process.Pid
	pids := []int{parent}
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, f := range stats {
		pid, state, ppid := readStat(f)
		if ppid == parent && state != 'Z' {
			pids = append(pids, pid)
		}
	}
	return pids
}

func isZombie(pid int) bool {
	_, state, _ := readStat(fmt.Sprintf("/proc/%d/stat", pid))
	return state == 'Z' || state == 0
}
