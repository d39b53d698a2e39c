package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// server is the process under measurement.
type server struct {
	cmd        *exec.Cmd
	http, mqtt string // addresses
	log        string // path
	done       chan struct{}
}

// serve starts a server on the directory and waits until it is ready. Its jobs
// do not run by themselves: what they cost is measured elsewhere.
func serve(ctx context.Context, s settings) (*server, error) {
	p := &server{log: filepath.Join(s.Dir, "server.log"), done: make(chan struct{})}
	for _, addr := range []*string{&p.http, &p.mqtt} {
		port, err := freePort()
		if err != nil {
			return nil, err
		}
		*addr = net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	}
	out, err := os.Create(p.log)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	const never = "0 0 1 1 *"
	p.cmd = exec.CommandContext(ctx, s.Fleetwatt, "serve", "--data", s.data(), "--http-listen", p.http, "--mqtt-listen", p.mqtt,
		"--mqtt-anonymous", "--log-level", "warn", "--http-rate", "0",
		"--rollup-schedule", never, "--battery-schedule", never, "--battery-hourly", never, "--station-schedule", never, "--building-schedule", never)
	p.cmd.Stdout, p.cmd.Stderr = out, out
	p.cmd.Cancel = func() error { return p.cmd.Process.Signal(syscall.SIGTERM) }
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start server: %w", err)
	}
	go func() {
		_ = p.cmd.Wait()
		close(p.done)
	}()
	if err := p.ready(ctx); err != nil {
		p.stop()
		return nil, err
	}
	return p, nil
}

// ready waits until the server says that it works.
func (p *server) ready(ctx context.Context) error {
	client := http.Client{Timeout: time.Second}
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); {
		answer, err := client.Get("http://" + p.http + "/readyz")
		if err == nil {
			_ = answer.Body.Close()
			if answer.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-p.done:
			return p.failure("ended at once")
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
	return p.failure("is not ready")
}

func (p *server) failure(what string) error {
	text, _ := os.ReadFile(p.log)
	return fmt.Errorf("the server %s; its last words: %s", what, bytes.TrimSpace(text[max(0, len(text)-800):]))
}

// stop ends the server in order, and with force where it takes too long.
func (p *server) stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.done:
	case <-time.After(40 * time.Second):
		_ = p.cmd.Process.Kill()
		<-p.done
	}
}

// cpu is the time that a process has spent in user and system mode (proc(5):
// fields 14 and 15 of /proc/PID/stat, in ticks of 1/100 s).
func cpu(pid int) (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	// The name of the command, in brackets, may hold blanks.
	fields := bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:])
	if len(fields) < 13 {
		return 0, errors.New("/proc/PID/stat is not as expected")
	}
	user, err1 := strconv.ParseInt(string(fields[11]), 10, 64)
	system, err2 := strconv.ParseInt(string(fields[12]), 10, 64)
	return time.Duration(user+system) * 10 * time.Millisecond, errors.Join(err1, err2)
}

// resident is the memory of the server in bytes, now.
func (p *server) resident() (int64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", p.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	fields := bytes.Fields(text)
	if len(fields) < 2 {
		return 0, errors.New("/proc/PID/statm is not as expected")
	}
	pages, err := strconv.ParseInt(string(fields[1]), 10, 64)
	return pages * int64(os.Getpagesize()), err
}

// freePort is a port that nothing listens on at the moment.
func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	return l.Addr().(*net.TCPAddr).Port, l.Close()
}
