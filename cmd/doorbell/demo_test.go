package main

import (
	"bufio"
	"net"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestDemo runs the README's first command until every story was told, on a machine where its port is taken, and ends
// it with Ctrl-C.
func TestDemo(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	cmd := exec.Command(binary, "demo", "--for", "5m", "--listen", taken.Addr().String())
	cmd.Env, cmd.Dir = cleanEnv(), t.TempDir()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var complaints strings.Builder
	cmd.Stderr = &complaints
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	late := time.AfterFunc(3*time.Minute, func() { _ = cmd.Process.Kill() })
	defer late.Stop()
	var screen strings.Builder
	interrupted := false
	for lines := bufio.NewScanner(out); lines.Scan(); {
		screen.WriteString(lines.Text() + "\n")
		if !interrupted && strings.Contains(lines.Text(), "Every story was told") {
			interrupted = true
			if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := cmd.Wait(); err != nil || complaints.Len() > 0 {
		t.Errorf("the demo ended with %v and said:\n%s", err, complaints.String())
	}
	if strings.Contains(screen.String(), "/"+taken.Addr().String()+"/") || strings.Contains(screen.String(), ":8080") {
		t.Error("the demo does not say which port it took")
	}
	for _, want := range []string{
		"websocat", "curl -s", "CUSTOMER=ey", "order.completed COMPLETED", "PAYMENT_TIMEOUT", "payment.refund_requested",
		"ITEM_SOLD_OUT", "order.amended", "order.cancellation_denied", "CUSTOMER_REQUEST_APPROVED", "FAILED CUSTOMER_UNREACHABLE",
		"delivery.returned", "gone: no longer mine", "The demo is over.",
	} {
		if !strings.Contains(screen.String(), want) {
			t.Errorf("the demo never shows %q", want)
		}
	}
	if t.Failed() {
		t.Log(screen.String())
	}
}
