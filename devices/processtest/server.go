package processtest

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

const patience = time.Minute

// Server is one program that can be started again with the same arguments. Its
// methods are called by one goroutine at a time.
type Server struct {
	T       testing.TB
	Name    string           // of the program, for what is said of it
	Dir     string           // where its log is kept
	Command func() *exec.Cmd // the program, not started yet
	Ready   func() error     // nil once it serves

	cmd    *exec.Cmd     // nil: it does not run
	exited chan struct{} // closed once cmd has been waited for
}

// StartOnFreePorts calls configure for new ports until the server comes up; it
// ends with the test.
func (s *Server) StartOnFreePorts(configure func()) {
	s.T.Helper()
	s.T.Cleanup(func() { s.End(syscall.SIGKILL) })
	for range 5 {
		configure()
		if s.TryStart() {
			return
		}
	}
	s.T.Fatalf("start %s: it ended by itself\n%s", s.Name, s.log())
}

// Start is TryStart for a server whose ports are settled.
func (s *Server) Start() {
	s.T.Helper()
	if !s.TryStart() {
		s.T.Fatalf("start %s: it ended by itself\n%s", s.Name, s.log())
	}
}

// TryStart runs the program and waits until it is ready. It reports false where
// the program ended by itself.
func (s *Server) TryStart() bool {
	s.T.Helper()
	if s.cmd != nil {
		s.T.Fatalf("start %s: it runs already", s.Name)
	}
	logFile, err := os.OpenFile(s.logPath(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		s.T.Fatalf("start %s: %v", s.Name, err)
	}
	defer logFile.Close()
	cmd := s.Command()
	cmd.Stdout, cmd.Stderr = logFile, logFile
	if err := cmd.Start(); err != nil {
		s.T.Fatalf("start %s: %v", s.Name, err)
	}
	exited := make(chan struct{})
	go func() {
		defer close(exited)
		_ = cmd.Wait() // killed servers exit with an error by design
	}()
	s.cmd, s.exited = cmd, exited

	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	poll := time.NewTicker(10 * time.Millisecond)
	defer poll.Stop()
	for {
		select {
		case <-exited:
			s.cmd = nil
			return false
		case <-deadline.C:
			err := s.Ready()
			s.End(syscall.SIGKILL)
			s.T.Fatalf("start %s: not ready after %s: %v\n%s", s.Name, patience, err, s.log())
		case <-poll.C:
			if s.Ready() == nil {
				return true
			}
		}
	}
}

// End sends the signal and waits until the process is gone. It may be called
// twice.
func (s *Server) End(sig syscall.Signal) {
	s.T.Helper()
	if s.cmd == nil {
		return
	}
	s.Signal(sig)
	select {
	case <-s.exited:
	case <-time.After(patience):
		s.Signal(syscall.SIGKILL)
		<-s.exited
		s.T.Errorf("%s did not end within %s of %v", s.Name, patience, sig)
	}
	s.cmd = nil
}

// Signal sends the signal to the process.
func (s *Server) Signal(sig syscall.Signal) {
	s.T.Helper()
	if s.cmd == nil {
		s.T.Fatalf("signal %v to %s: it does not run", sig, s.Name)
	}
	if err := s.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		s.T.Errorf("signal %v to %s: %v", sig, s.Name, err)
	}
}

// Freeze stops the process and waits until it stands still: the signal returns
// before the threads have noticed, and one may yet answer a request. SIGCONT
// lets it go on.
func (s *Server) Freeze() {
	s.T.Helper()
	s.Signal(syscall.SIGSTOP)
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	poll := time.NewTicker(time.Millisecond)
	defer poll.Stop()
	for !stopped(s.cmd.Process.Pid) {
		select {
		case <-deadline.C:
			s.T.Fatalf("freeze %s: it runs on", s.Name)
		case <-poll.C:
		}
	}
}

func (s *Server) logPath() string { return filepath.Join(s.Dir, s.Name+".log") }

// log is the end of what the server printed.
func (s *Server) log() string {
	b, err := os.ReadFile(s.logPath())
	if err != nil {
		return fmt.Sprintf("no log: %v", err)
	}
	return string(b[max(0, len(b)-4096):])
}
