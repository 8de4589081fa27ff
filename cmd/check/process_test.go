package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"testing"
)

// TestRunGroup starts a shell that starts a child, and takes the end of the pipe they write to as proof that both have
// ended.
func TestRunGroup(t *testing.T) {
	for _, c := range []struct {
		name   string
		script string
		cancel bool
	}{
		{"InterruptEndsGrandchildren", "sleep 600 & echo started; wait", true},
		{"StragglersEndWithTheirLeader", "sleep 600 & echo started", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			read, write, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			defer read.Close()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			ended := make(chan error, 1)
			go func() {
				cmd := exec.Command("sh", "-c", c.script)
				cmd.Stdout = write
				ended <- runGroup(ctx, cmd)
				write.Close()
			}()
			out := bufio.NewReader(read)
			if _, err := out.ReadString('\n'); err != nil {
				t.Fatal(err)
			}
			if c.cancel {
				cancel()
			}
			if err := <-ended; errors.Is(err, context.Canceled) != c.cancel {
				t.Errorf("runGroup returned %v", err)
			}
			if _, err := io.ReadAll(out); err != nil { // returns once nobody holds the other end
				t.Error(err)
			}
		})
	}
}
