package wsconn_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Clients by the thousand live in processes of their own, so that what is measured is the server alone: the test's own
// binary, called again.

// clientsEnv holds the server's address in such a process.
const clientsEnv = "DOORBELL_TEST_CLIENTS"

// runClients is such a process: it opens a socket for each line "token topic" of its input, watches, prints ready when
// all have their first answer, and holds the sockets until its input ends.
func runClients(addr string) error {
	in := bufio.NewScanner(os.Stdin)
	var group sync.WaitGroup
	var failed atomic.Pointer[error]
	slots := make(chan struct{}, 32) // connecting at a time
	for in.Scan() && in.Text() != "" {
		token, topic, _ := strings.Cut(in.Text(), " ")
		slots <- struct{}{}
		group.Go(func() {
			defer func() { <-slots }()
			if err := connectAndWatch(addr, token, topic); err != nil {
				failed.Store(&err)
			}
		})
	}
	group.Wait()
	if err := failed.Load(); err != nil {
		return *err
	}
	fmt.Println("ready")
	_, err := io.Copy(io.Discard, os.Stdin)
	return err
}

// connectAndWatch returns when the first answer is there. The socket goes on answering pings.
func connectAndWatch(addr, token, topic string) error {
	c, _, err := dialRaw(addr, token, nil)
	if err != nil {
		return err
	}
	if topic != "" {
		err = c.send(text(`{"op":"watch","topics":[{"topic":"` + topic + `"}]}`))
	}
	wants := `"op":"snapshot"`
	if topic == "" {
		wants = `"op":"hello"`
	}
	for err == nil {
		var f serverFrame
		if f, err = c.next(); err == nil && bytes.Contains(f.payload, []byte(wants)) {
			break
		}
		if f.op == opClose || bytes.Contains(f.payload, []byte(`"op":"error"`)) {
			return fmt.Errorf("instead of %s: %s", wants, f.payload)
		}
	}
	go func() {
		for {
			f, err := c.next()
			if err != nil {
				return
			}
			if f.op == opPing {
				_ = c.send(clientFrame(0x80|opPong, f.payload))
			}
		}
	}()
	return err
}

// startClients runs a process with a socket per line "token topic", and returns when all are connected.
func startClients(b testing.TB, addr string, lines []string) (stop func()) {
	b.Helper()
	exe, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	cmd := exec.CommandContext(ctx, exe)
	cmd.Env = append(os.Environ(), clientsEnv+"="+addr)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	stop = sync.OnceFunc(func() {
		_ = in.Close()
		_ = cmd.Wait()
		cancel()
	})
	b.Cleanup(stop)
	if _, err := io.WriteString(in, strings.Join(lines, "\n")+"\n\n"); err != nil {
		b.Fatal(err)
	}
	if said, err := bufio.NewReader(out).ReadString('\n'); err != nil || said != "ready\n" {
		b.Fatalf("the clients did not connect: %q %v", said, err)
	}
	return stop
}
