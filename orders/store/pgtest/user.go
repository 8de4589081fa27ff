//go:build linux

package pgtest

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	osuser "os/user"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
)

// user is who runs Postgres, and where its programs are.
type user struct {
	bin        string              // the folder of postgres and initdb
	credential *syscall.Credential // nil: as ourselves
}

// errMissing says what to do where there is no Postgres.
var errMissing = errors.New("no Postgres server is installed: apt-get install -y postgresql")

// serverUser finds Postgres, and for root somebody else to run it as.
func serverUser() (*user, error) {
	bin, err := findBin()
	if err != nil {
		return nil, err
	}
	u := &user{bin: bin}
	if os.Geteuid() != 0 {
		return u, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		found, err := osuser.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.ParseUint(found.Uid, 10, 32)
		gid, err2 := strconv.ParseUint(found.Gid, 10, 32)
		if err := errors.Join(err1, err2); err != nil {
			return nil, err
		}
		u.credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		return u, nil
	}
	return nil, errors.New("postgres does not run as root, and there is neither a user postgres nor nobody")
}

// findBin is the folder that has the server's programs: one in PATH, or Debian's newest.
func findBin() (string, error) {
	if p, err := exec.LookPath("postgres"); err == nil {
		if p, err = filepath.EvalSymlinks(p); err == nil {
			return filepath.Dir(p), nil
		}
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	best, newest := "", 0
	for _, p := range found {
		dir := filepath.Dir(p)
		if v, err := strconv.Atoi(filepath.Base(filepath.Dir(dir))); err == nil && v > newest {
			best, newest = dir, v
		}
	}
	if best == "" {
		return "", errMissing
	}
	return best, nil
}

// folder makes a temporary folder that this user owns and can reach.
func (u *user) folder(prefix string) (string, error) {
	dir, err := os.MkdirTemp("", prefix)
	if err != nil || u.credential == nil {
		return dir, err
	}
	return dir, os.Chown(dir, int(u.credential.Uid), int(u.credential.Gid))
}

// command is a program of Postgres, or another one from PATH, run as this user.
func (u *user) command(name string, args ...string) *exec.Cmd {
	if p := filepath.Join(u.bin, name); fileExists(p) {
		name = p
	}
	cmd := exec.Command(name, args...)
	cmd.Dir = "/"
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: u.credential}
	return cmd
}

func (u *user) run(name string, args ...string) error {
	out, err := u.command(name, args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w: %s", name, err, bytes.TrimSpace(out))
	}
	return nil
}

func fileExists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// templates is the empty cluster that servers are copied from: initdb takes a second, a copy a tenth of that.
var templates struct {
	mu    sync.Mutex // guards the following
	dir   string     // "" = not made
	users int        // servers that were copied from it; with the last it goes
}

// template makes the template if there is none. release is called once, when the server is closed.
func template(as *user) (data string, release func(), err error) {
	templates.mu.Lock()
	defer templates.mu.Unlock()
	if templates.dir == "" {
		dir, err := as.folder("pgtest-template-")
		if err != nil {
			return "", nil, err
		}
		err = as.run("initdb", "-D", filepath.Join(dir, "data"), "-U", User, "-A", "trust", "-E", "UTF8",
			"--locale=C.UTF-8", "--no-sync", "--no-instructions")
		if err != nil {
			return "", nil, errors.Join(err, os.RemoveAll(dir))
		}
		templates.dir = dir
	}
	templates.users++
	return filepath.Join(templates.dir, "data"), releaseTemplate, nil
}

func releaseTemplate() {
	templates.mu.Lock()
	defer templates.mu.Unlock()
	if templates.users--; templates.users == 0 {
		_ = os.RemoveAll(templates.dir)
		templates.dir = ""
	}
}

// readStat reads pid, state and parent from a /proc/…/stat file; zeros if the process is gone.
func readStat(file string) (pid int, state byte, ppid int) {
	b, err := os.ReadFile(file)
	if err != nil {
		return 0, 0, 0
	}
	end := bytes.LastIndexByte(b, ')') // the name before may hold anything
	if end < 0 {
		return 0, 0, 0
	}
	_, _ = fmt.Sscanf(string(b[:bytes.IndexByte(b, ' ')]), "%d", &pid)
	_, _ = fmt.Sscanf(string(b[end+1:]), " %c %d", &state, &ppid)
	return pid, state, ppid
}
