package auth

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// SecretFile is the name of the signing secret in the data folder.
const SecretFile = "jwt-secret"

// maxKeyFile is the longest key file, in bytes; more is some other file.
const maxKeyFile = 64 << 10

// asciiSpace is cut off around a key. Space beyond ASCII stays, so that other languages' readers get the same bytes.
const asciiSpace = " \t\r\n\v\f"

// ParseKeyFile reads an HS256 key: the file's bytes without the white space around them, as they are, even if they look
// like base64. The error names the file, and says nothing of what is in it.
func ParseKeyFile(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("key file: %w", err) // names it
	}
	defer func() { _ = f.Close() }()
	b, err := io.ReadAll(io.LimitReader(f, maxKeyFile+1))
	if err != nil {
		return nil, fmt.Errorf("key file: %w", err)
	}
	if len(b) > maxKeyFile {
		return nil, fmt.Errorf("key file %s is over %d bytes", name, maxKeyFile)
	}
	key := bytes.Trim(b, asciiSpace)
	if len(key) < MinSecret {
		return nil, fmt.Errorf("key file %s holds %d bytes without the white space around, not %d or more",
			name, len(key), MinSecret)
	}
	return key, nil
}

// EnsureSecret is the signing secret of the data folder dir: read if there is one, made otherwise, and on disk before
// it is returned. Two processes at once end with the same one. The folder is made if need be. The error names the file.
func EnsureSecret(dir string) ([]byte, error) {
	name := filepath.Join(dir, SecretFile)
	key, err := ParseKeyFile(name)
	if !errors.Is(err, fs.ErrNotExist) {
		return key, err
	}
	if err := makeSecret(dir, name); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("make %s: %w", name, err)
	}
	return ParseKeyFile(name) // perhaps another process's
}

// makeSecret writes a secret under a name of its own and links it to the real one, which only one process can do. So
// the real name never stands for half a secret, not even after a crash.
func makeSecret(dir, name string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, "."+SecretFile+"-*") // O_EXCL and 0600
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.Name()) }()
	var b [MinSecret]byte
	_, _ = rand.Read(b[:]) // never fails, see crypto/rand
	_, err = f.WriteString(base64.RawURLEncoding.EncodeToString(b[:]) + "\n")
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Link(f.Name(), name); err != nil {
		return err
	}
	return syncDir(dir) // a name that is not on disk yet would be lost with the power
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
