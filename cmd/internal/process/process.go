// Package process runs the servers that a benchmark measures: it starts them
// with their output in a file, waits until they work, tells what they use of the
// machine, and ends them. It knows neither what they serve nor what is measured.
package process

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// Process is a server under measurement.
type Process struct {
	Name string
	Log  string // path of the file that has its output
	cmd  *exec.Cmd
	done chan struct{}
}

// Start runs a server whose output goes to a file in dir. The end of ctx asks it
// to end; Stop has to be called in any case.
func Start(ctx context.Context, dir, name, path string, args ...string) (*Process, error) {
	p := &Process{Name: name, Log: filepath.Join(dir, name+".log"), done: make(chan struct{})}
	out, err := os.Create(p.Log)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	p.cmd = exec.CommandContext(ctx, path, args...)
	p.cmd.Stdout, p.cmd.Stderr = out, out
	p.cmd.Cancel = func() error { return p.cmd.Process.Signal(syscall.SIGTERM) }
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	go func() {
		_ = p.cmd.Wait()
		close(p.done)
	}()
	return p, nil
}

// Wait asks again and again whether the server works, and returns once it does.
// The error after the limit says what it does not.
func (p *Process) Wait(ctx context.Context, limit time.Duration, works func(context.Context) bool, trouble string) error {
	for deadline := time.Now().Add(limit); time.Now().Before(deadline); {
		if works(ctx) {
			return nil
		}
		select {
		case <-p.done:
			return p.Failure("ended at once")
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
	return p.Failure(trouble)
}

// Listens waits a minute until the server takes connections.
func (p *Process) Listens(ctx context.Context, addr string) error {
	return p.Wait(ctx, time.Minute, func(ctx context.Context) bool {
		conn, err := (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "tcp", addr)
		return err == nil && conn.Close() == nil
	}, "takes no connections on "+addr)
}

// Failure is an error with the end of the server's output.
func (p *Process) Failure(what string) error {
	text, _ := os.ReadFile(p.Log)
	return fmt.Errorf("%s %s; its last words: %s", p.Name, what, bytes.TrimSpace(text[max(0, len(text)-800):]))
}

// Stop ends the server in order, and with force where it takes too long. It may
// be called twice.
func (p *Process) Stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.done:
	case <-time.After(40 * time.Second):
		_ = p.cmd.Process.Kill()
		<-p.done
	}
}

// FreePort is a port that nothing listens on at the moment.
func FreePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	return l.Addr().(*net.TCPAddr).Port, l.Close()
}
