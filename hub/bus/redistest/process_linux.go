package redistest

import (
	"os/exec"
	"syscall"
)

// endWithParent has a server killed when the test process dies, however it dies.
func endWithParent(c *exec.Cmd) { c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
