package postgres

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Backup writes the database to the new file dst, as it stands at one moment, in pg_dump's custom format, with the
// archive. The nodes go on. A file that is there is not overwritten, and a backup that fails leaves none.
func Backup(ctx context.Context, address, dst string) (err error) {
	if _, err := parseURL(address); err != nil {
		return err
	}
	if _, err := os.Lstat(dst); err == nil {
		return fmt.Errorf("%s is there already: name a new file, a backup overwrites nothing", dst)
	}
	tmp, err := os.CreateTemp(filepath.Dir(dst), filepath.Base(dst)+".partial-*") // mode 0600
	if err != nil {
		return fmt.Errorf("make the backup: %w", err)
	}
	defer func() { _ = os.Remove(tmp.Name()) }()
	defer func() { _ = tmp.Close() }()
	dump, err := clientProgram(ctx, address, "pg_dump", "--format=custom", "--no-owner", "--no-privileges")
	if err != nil {
		return err
	}
	dump.Stdout = tmp
	if err := run(dump); err != nil {
		return fmt.Errorf("make the backup: %w", err)
	}
	if err := errors.Join(tmp.Sync(), tmp.Close()); err != nil {
		return fmt.Errorf("make the backup: %w", err)
	}
	if err := os.Link(tmp.Name(), dst); err != nil { // unlike a rename, refuses what has come to be there
		return fmt.Errorf("put the backup in place: %w", err)
	}
	return syncFolder(filepath.Dir(dst))
}

// syncFolder makes a folder's list of names survive power loss.
func syncFolder(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	err = f.Sync()
	return errors.Join(err, f.Close())
}

// clientProgram is one of Postgres's own programs, told of the database in a way that shows no password in the list of
// processes.
func clientProgram(ctx context.Context, address, name string, args ...string) (*exec.Cmd, error) {
	path, err := findProgram(name)
	if err != nil {
		return nil, err
	}
	to, secrets, err := withoutSecrets(address)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, path, append(args, "--dbname="+to)...)
	cmd.Env = append(os.Environ(), secrets...)
	return cmd, nil
}

// findProgram looks in PATH, and where Debian keeps programs of several versions.
func findProgram(name string) (string, error) {
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/" + name)
	if len(found) == 0 {
		return "", fmt.Errorf("%s is not installed here: apt-get install -y postgresql-client, or run this where it is", name)
	}
	return found[len(found)-1], nil
}

// withoutSecrets is a URL that libpq takes, without its passwords, and the environment that has them. What only pgx
// knows is left out.
func withoutSecrets(address string) (to string, env []string, err error) {
	u, err := url.Parse(address)
	if err != nil {
		return "", nil, withoutURL(err)
	}
	q := u.Query()
	password := q.Get("password")
	if p, ok := u.User.Password(); ok {
		password = p
		u.User = url.User(u.User.Username())
	}
	if password != "" {
		env = append(env, "PGPASSWORD="+password)
	}
	if q.Has("sslpassword") {
		return "", nil, errors.New("sslpassword cannot be handed to Postgres's own programs unseen: give the key without a password")
	}
	q.Del("password")
	for name := range q {
		if strings.HasPrefix(name, "pool_") || strings.HasSuffix(name, "_cache_capacity") || name == "default_query_exec_mode" {
			q.Del(name)
		}
	}
	u.RawQuery = q.Encode()
	return u.String(), append(env, "PGCONNECT_TIMEOUT=10"), nil
}

// run runs a program and puts what it said into the error.
func run(cmd *exec.Cmd) error {
	var said bytes.Buffer
	cmd.Stderr = &limited{&said, 4 << 10}
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w: %s", filepath.Base(cmd.Path), err, bytes.TrimSpace(said.Bytes()))
	}
	return nil
}

// limited keeps the beginning of what is written to it.
type limited struct {
	to   io.Writer
	left int
}

func (l *limited) Write(p []byte) (int, error) {
	keep := p[:min(len(p), l.left)]
	l.left -= len(keep)
	_, err := l.to.Write(keep)
	return len(p), err
}
