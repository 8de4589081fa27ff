package main

import (
	"context"
	"os/exec"
	"syscall"
	"time"
)

// stopGrace is how long programs may take to end after an interrupt before they are killed.
const stopGrace = 5 * time.Second

// runGroup runs cmd as the leader of its own process group, and leaves nothing of that group behind: when ctx ends, the
// whole group is interrupted, and what still runs stopGrace later, or when the leader has ended by itself, is killed.
// So Ctrl-C ends the test binaries and their servers too, and a test that crashed leaves no server running.
// It returns ctx's error when ctx has ended, else what cmd.Wait returns.
func runGroup(ctx context.Context, cmd *exec.Cmd) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return err
	}
	group := -cmd.Process.Pid // a negative pid is the group, kill(2)
	ended := make(chan error, 1)
	go func() {
		err := cmd.Wait()
		_ = syscall.Kill(group, syscall.SIGKILL) // an error means that none is left
		ended <- err
	}()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	_ = syscall.Kill(group, syscall.SIGINT)
	select {
	case <-ended:
	case <-time.After(stopGrace):
		_ = syscall.Kill(group, syscall.SIGKILL)
		<-ended
	}
	return ctx.Err()
}
