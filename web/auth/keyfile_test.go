package auth

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

func TestParseKeyFile(t *testing.T) {
	key := strings.Repeat("k", MinSecret)
	for name, tc := range map[string]struct{ content, want string }{
		"Plain":             {key, key},
		"WhiteSpaceAround":  {" \t\r\n" + key + "\r\n\n", key},
		"WhiteSpaceInside":  {key + " " + key, key + " " + key},
		"Base64StaysAsItIs": {"a2V5a2V5a2V5a2V5a2V5a2V5a2V5a2V5a2V5a2V5a2V5a2U=\n", "a2V5a2V5a2V5a2V5a2V5a2V5a2V5a2V5a2V5a2V5a2V5a2U="},
		"UnicodeSpaceStays": {key + "\u00a0", key + "\u00a0"},
		"Binary":            {"\x00" + key + "\xff", "\x00" + key + "\xff"},
		"Empty":             {"", ""},
		"TooShort":          {key[1:] + "\n", ""},
		"SomethingElse":     {strings.Repeat("x", maxKeyFile+1), ""},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "key")
			if err := os.WriteFile(file, []byte(tc.content), 0o600); err != nil {
				t.Fatal(err)
			}
			got, err := ParseKeyFile(file)
			if string(got) != tc.want || (err == nil) != (tc.want != "") {
				t.Fatalf("%d bytes, error %v", len(got), err)
			}
			if err != nil && (!strings.Contains(err.Error(), file) || strings.Contains(err.Error(), "kkk")) {
				t.Errorf("error %v", err)
			}
		})
	}
	if _, err := ParseKeyFile("no/such/file"); err == nil || !strings.Contains(err.Error(), "no/such/file") {
		t.Errorf("error %v", err)
	}
}

func TestEnsureSecret(t *testing.T) {
	t.Run("ManyAtOnceEndWithTheSame", func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "data")
		keys := make([][]byte, 8)
		var wg sync.WaitGroup
		for i := range keys {
			wg.Go(func() {
				var err error
				if keys[i], err = EnsureSecret(dir); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		for _, k := range keys {
			if len(k) != 43 || !bytes.Equal(k, keys[0]) {
				t.Fatalf("keys of %d and %d bytes differ", len(k), len(keys[0]))
			}
		}
		entries, err := os.ReadDir(dir)
		if err != nil || len(entries) != 1 || entries[0].Name() != SecretFile {
			t.Fatalf("the folder holds %v, %v", entries, err)
		}
		if info, err := entries[0].Info(); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("mode %v, %v", info.Mode(), err)
		}
		if again, err := EnsureSecret(dir); err != nil || !bytes.Equal(again, keys[0]) {
			t.Errorf("another secret the second time, %v", err)
		}
	})
	t.Run("BadFileIsNotReplaced", func(t *testing.T) {
		dir := t.TempDir()
		file := filepath.Join(dir, SecretFile)
		if err := os.WriteFile(file, []byte("short"), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := EnsureSecret(dir); err == nil || !strings.Contains(err.Error(), file) {
			t.Errorf("error %v", err)
		}
		if b, _ := os.ReadFile(file); string(b) != "short" {
			t.Error("the file was written over")
		}
	})
	t.Run("TwoProcessesEndWithTheSame", func(t *testing.T) {
		if dir := os.Getenv("DOORBELL_TEST_SECRET_DIR"); dir != "" { // this is one of the processes
			key, err := EnsureSecret(dir)
			if err != nil {
				t.Fatal(err)
			}
			_, _ = os.Stdout.WriteString("key=" + string(key) + "\n")
			return
		}
		dir := t.TempDir()
		var outs [2]bytes.Buffer
		var cmds [2]*exec.Cmd
		for i := range cmds {
			cmds[i] = exec.Command(os.Args[0], "-test.run=^TestEnsureSecret$/^TwoProcesses")
			cmds[i].Env = append(os.Environ(), "DOORBELL_TEST_SECRET_DIR="+dir)
			cmds[i].Stdout = &outs[i]
			if err := cmds[i].Start(); err != nil {
				t.Fatal(err)
			}
		}
		for i := range cmds {
			if err := cmds[i].Wait(); err != nil {
				t.Fatalf("%v: %s", err, outs[i].String())
			}
		}
		want, err := EnsureSecret(dir)
		if err != nil {
			t.Fatal(err)
		}
		for i := range outs {
			if !strings.Contains(outs[i].String(), "key="+string(want)+"\n") {
				t.Errorf("process %d has another secret", i)
			}
		}
	})
}
