// Command setup makes the secrets that an installation by compose.yaml begins with: the key that tokens are signed with,
// the database's password, and a certificate of its own for the gateway. What is there stays as it is, so it runs before
// every start. Each kind goes into a folder of its own, so that each container is given only what it needs; within its
// folder a file is readable by all, since the containers run as different users.
package main

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// options is the command line.
type options struct {
	tokens   string // folder of jwt-secret
	database string // folder of password and pgpass
	gateway  string // folder of tls.pem
	hosts    []string
}

func main() {
	if err := run(os.Args[1:], os.Stdout, os.Stderr, time.Now()); err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(os.Stderr, "setup:", err)
		}
		os.Exit(1)
	}
}

// run is main without the process around it. It prints which files it made, never what is in them.
func run(args []string, out, errOut io.Writer, now time.Time) error {
	opt, err := parse(args, errOut)
	if err != nil {
		return err
	}
	made, err := opt.make(now)
	for _, file := range made {
		fmt.Fprintln(out, "made", file)
	}
	return err
}

func parse(args []string, errOut io.Writer) (options, error) {
	var opt options
	flags := flag.NewFlagSet("setup", flag.ContinueOnError)
	flags.SetOutput(errOut)
	flags.StringVar(&opt.tokens, "tokens", "", "`folder` for the key that tokens are signed with")
	flags.StringVar(&opt.database, "database", "", "`folder` for the database's password")
	flags.StringVar(&opt.gateway, "gateway", "", "`folder` for the gateway's certificate")
	hosts := flags.String("hosts", "localhost,127.0.0.1,::1", "`names` and addresses that the certificate is for, comma-separated")
	if err := flags.Parse(args); err != nil {
		return opt, err
	}
	if opt.tokens == "" || opt.database == "" || opt.gateway == "" || flags.NArg() > 0 {
		return opt, errors.New("name the three folders: -tokens, -database, -gateway; there are no other arguments")
	}
	for host := range strings.SplitSeq(*hosts, ",") {
		if host = strings.TrimSpace(host); host != "" {
			opt.hosts = append(opt.hosts, host)
		}
	}
	if len(opt.hosts) == 0 {
		return opt, errors.New("-hosts: name at least one, such as localhost")
	}
	return opt, nil
}

// make makes what is missing and names it.
func (o options) make(now time.Time) (made []string, err error) {
	note := func(file string, isNew bool, err error) error {
		if isNew {
			made = append(made, file)
		}
		return err
	}
	if err := note(ensure(filepath.Join(o.tokens, "jwt-secret"), random)); err != nil {
		return made, err
	}
	password := filepath.Join(o.database, "password")
	if err := note(ensure(password, random)); err != nil {
		return made, err
	}
	// The same password in the form that Postgres clients read: host:port:database:user:password, * = any.
	pgpass := filepath.Join(o.database, "pgpass")
	err = note(ensure(pgpass, func() ([]byte, error) {
		b, err := os.ReadFile(password)
		return append([]byte("*:*:*:*:"), b...), err
	}))
	if err != nil {
		return made, err
	}
	pem := filepath.Join(o.gateway, "tls.pem")
	if stale(pem, now) {
		return append(made, pem), write(pem, func() ([]byte, error) { return certificate(o.hosts, now) })
	}
	return made, nil
}

// random is 256 bits as text of letters, digits, - and _, so that it needs no quoting anywhere.
func random() ([]byte, error) {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // never fails
	return []byte(base64.RawURLEncoding.EncodeToString(b)), nil
}

// ensure writes a file unless it is there, and reports whether it did.
func ensure(file string, text func() ([]byte, error)) (name string, isNew bool, err error) {
	switch info, err := os.Stat(file); {
	case err == nil && info.Size() > 0:
		return file, false, nil
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return file, false, err
	}
	err = write(file, text)
	return file, err == nil, err
}

// write puts a file in its place whole or not at all: a container that was killed in between must not leave half a key.
func write(file string, text func() ([]byte, error)) error {
	b, err := text()
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(file), ".new-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // when it has not been renamed
	_, err = f.Write(b)
	if err = errors.Join(err, f.Chmod(0o444), f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), file)
}
