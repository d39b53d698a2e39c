package servertest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

const startTimeout = 30 * time.Second

// server is one process that can be started again with the same arguments. Its
// methods are called by one goroutine at a time.
type server struct {
	t      testing.TB
	name   string
	dir    string
	path   string
	args   []string
	env    []string // beside the test's own
	ready  func() error
	cmd    *exec.Cmd
	exited chan struct{} // closed once cmd has been waited for
}

// start runs the process and waits until it is ready. It reports false where
// the process ended by itself.
func (s *server) start() bool {
	s.t.Helper()
	if s.cmd != nil {
		s.t.Fatalf("start %s: it runs already", s.name)
	}
	logFile, err := os.OpenFile(s.logPath(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		s.t.Fatalf("start %s: %v", s.name, err)
	}
	defer logFile.Close()
	cmd := exec.Command(s.path, s.args...)
	cmd.Env = append(os.Environ(), s.env...)
	cmd.Stdout, cmd.Stderr = logFile, logFile
	if err := cmd.Start(); err != nil {
		s.t.Fatalf("start %s: %v", s.name, err)
	}
	exited := make(chan struct{})
	go func() {
		defer close(exited)
		_ = cmd.Wait() // killed servers exit with an error by design
	}()
	s.cmd, s.exited = cmd, exited

	deadline := time.NewTimer(startTimeout)
	defer deadline.Stop()
	poll := time.NewTicker(10 * time.Millisecond)
	defer poll.Stop()
	for {
		select {
		case <-exited:
			s.cmd = nil
			return false
		case <-deadline.C:
			s.end(syscall.SIGKILL)
			s.t.Fatalf("start %s: not ready after %s: %v\n%s", s.name, startTimeout, s.ready(), s.log())
		case <-poll.C:
			if s.ready() == nil {
				return true
			}
		}
	}
}

// mustStart is start for a server whose ports are settled.
func (s *server) mustStart() {
	s.t.Helper()
	if !s.start() {
		s.t.Fatalf("start %s: it ended by itself\n%s", s.name, s.log())
	}
}

// end sends the signal and waits until the process is gone.
func (s *server) end(sig syscall.Signal) {
	s.t.Helper()
	if s.cmd == nil {
		return
	}
	s.signal(sig)
	select {
	case <-s.exited:
	case <-time.After(startTimeout):
		s.signal(syscall.SIGKILL)
		<-s.exited
		s.t.Errorf("%s did not end within %s of %v", s.name, startTimeout, sig)
	}
	s.cmd = nil
}

func (s *server) signal(sig syscall.Signal) {
	s.t.Helper()
	if s.cmd == nil {
		s.t.Fatalf("signal %v to %s: it does not run", sig, s.name)
	}
	if err := s.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		s.t.Errorf("signal %v to %s: %v", sig, s.name, err)
	}
}

// freeze stops the process and waits until it stands still: the signal returns
// before the threads have noticed, and one may yet answer a request.
func (s *server) freeze() {
	s.t.Helper()
	s.signal(syscall.SIGSTOP)
	deadline := time.NewTimer(startTimeout)
	defer deadline.Stop()
	poll := time.NewTicker(time.Millisecond)
	defer poll.Stop()
	for !stopped(s.cmd.Process.Pid) {
		select {
		case <-deadline.C:
			s.t.Fatalf("freeze %s: it runs on", s.name)
		case <-poll.C:
		}
	}
}

func (s *server) logPath() string { return filepath.Join(s.dir, s.name+".log") }

// log is the end of what the server printed.
func (s *server) log() string {
	b, err := os.ReadFile(s.logPath())
	if err != nil {
		return fmt.Sprintf("no log: %v", err)
	}
	return string(b[max(0, len(b)-4096):])
}

// startOnFreePorts calls configure for new ports until the server comes up:
// between finding a port and binding it another process may take it.
func (s *server) startOnFreePorts(configure func()) {
	s.t.Helper()
	s.t.Cleanup(func() { s.end(syscall.SIGKILL) })
	for range 5 {
		configure()
		if s.start() {
			return
		}
	}
	s.t.Fatalf("start %s: it ended by itself\n%s", s.name, s.log())
}
