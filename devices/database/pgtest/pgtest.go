// Package pgtest starts a real PostgreSQL for tests: in a temporary directory,
// on a free port of the loopback address, and ended with the test. It can be
// killed and started again, to show what its users make of that.
//
// It knows nothing of what is stored. Durability over a loss of power is
// switched off, since a test cuts none; what a server has committed before it
// is killed is there when it starts again.
package pgtest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/fleetwatt/fleetwatt/devices/processtest"
)

// Server is one PostgreSQL. Its methods are called by one goroutine at a time,
// but for Database.
type Server struct {
	t      testing.TB
	p      *processtest.Server // its first process
	bin    string
	port   int
	as     *syscall.Credential // nil: whoever runs the test
	frozen []int               // processes beside the first
	made   atomic.Int64
}

// Start starts a server. Where PostgreSQL is not installed the test is skipped,
// or fails if FLEETWATT_REQUIRE_ALL is 1.
func Start(t testing.TB) *Server {
	t.Helper()
	bin, err := binaries()
	if err != nil {
		processtest.Missing(t, err.Error())
	}
	s := &Server{t: t, bin: bin}
	s.p = &processtest.Server{T: t, Name: "postgres", Dir: t.TempDir(), Ready: func() error { return s.exec("SELECT 1") }, Command: func() *exec.Cmd {
		return s.command("postgres", "-D", s.data(), "-h", "127.0.0.1", "-p", strconv.Itoa(s.port),
			"-c", "unix_socket_directories=", "-c", "fsync=off", "-c", "max_connections=200", "-c", "shared_buffers=16MB")
	}}
	if err := s.stepDown(); err != nil {
		processtest.Missing(t, "nobody to run PostgreSQL as: "+err.Error())
	}
	// Names sort as an English dictionary has them unless a column says
	// otherwise: whoever relies on the order of bytes must ask for it.
	out, err := s.command("initdb", "--pgdata="+s.data(), "--username=fleetwatt", "--auth=trust", "--no-sync", "--encoding=UTF8",
		"--locale=C.UTF-8", "--locale-provider=icu", "--icu-locale=en-US").CombinedOutput()
	if err != nil {
		t.Fatalf("initdb: %v\n%s", err, out)
	}
	s.p.StartOnFreePorts(func() { s.port = processtest.FreePort(t) })
	t.Cleanup(func() { s.p.End(syscall.SIGQUIT) }) // which ends all its processes
	return s
}

// binaries is the directory of initdb and postgres. Debian keeps them out of
// PATH, one directory for each version.
func binaries() (string, error) {
	if path, err := exec.LookPath("initdb"); err == nil {
		return filepath.Dir(path), nil
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil || len(found) == 0 {
		return "", errors.New("PostgreSQL is not installed: initdb is neither in PATH nor in /usr/lib/postgresql (Debian: apt install postgresql)")
	}
	newest := slices.MaxFunc(found, func(a, b string) int { return version(a) - version(b) })
	return filepath.Dir(newest), nil
}

func version(initdb string) int {
	n, err := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(initdb))))
	if err != nil {
		return 0
	}
	return n
}

// stepDown has root run the server as somebody else, as it demands, and gives
// that one the directory.
func (s *Server) stepDown() error {
	if os.Getuid() != 0 {
		return nil
	}
	somebody, err := user.Lookup("postgres")
	if err != nil {
		if somebody, err = user.Lookup("nobody"); err != nil {
			return err
		}
	}
	uid, err := strconv.ParseUint(somebody.Uid, 10, 32)
	if err != nil {
		return err
	}
	gid, err := strconv.ParseUint(somebody.Gid, 10, 32)
	if err != nil {
		return err
	}
	s.as = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	if err := os.Chown(s.p.Dir, int(uid), int(gid)); err != nil {
		return err
	}
	return os.Chmod(filepath.Dir(s.p.Dir), 0o755) // the way to it
}

func (s *Server) data() string { return filepath.Join(s.p.Dir, "data") }

func (s *Server) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(s.bin, name), args...)
	cmd.Dir = s.p.Dir
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.as}
	return cmd
}

// Kill ends the server as a crash of the machine does. Of the first process
// alone would not do: the others go on until they notice.
func (s *Server) Kill() {
	s.t.Helper()
	others := s.others()
	s.p.End(syscall.SIGKILL)
	s.signal(others, syscall.SIGKILL)
}

// Freeze stops every process of the server: connections stay open, and nobody
// answers on them, until Thaw or the end of the test.
func (s *Server) Freeze() {
	s.t.Helper()
	s.frozen = s.others()
	s.t.Cleanup(s.Thaw)
	s.p.Freeze()
	s.signal(s.frozen, syscall.SIGSTOP)
}

// Thaw lets the server go on after Freeze. It may be called twice.
func (s *Server) Thaw() {
	s.t.Helper()
	if s.frozen == nil {
		return
	}
	s.p.Signal(syscall.SIGCONT)
	s.signal(s.frozen, syscall.SIGCONT)
	s.frozen = nil
}

func (s *Server) signal(pids []int, sig syscall.Signal) {
	s.t.Helper()
	for _, pid := range pids {
		if err := syscall.Kill(pid, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
			s.t.Errorf("signal %v to process %d of PostgreSQL: %v", sig, pid, err)
		}
	}
}

// others are the processes that serve connections or work in the background.
func (s *Server) others() []int {
	s.t.Helper()
	ctx := s.t.Context()
	c, err := pgx.Connect(ctx, s.url("postgres"))
	if err != nil {
		s.t.Fatalf("ask for the processes of PostgreSQL: %v", err)
	}
	defer func() { _ = c.Close(ctx) }() // what was asked is answered
	rows, err := c.Query(ctx, "SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
	if err != nil {
		s.t.Fatalf("ask for the processes of PostgreSQL: %v", err)
	}
	pids, err := pgx.CollectRows(rows, pgx.RowTo[int])
	if err != nil {
		s.t.Fatalf("ask for the processes of PostgreSQL: %v", err)
	}
	return pids
}

// Restart starts the server again after Kill, on the port it had.
func (s *Server) Restart() {
	s.t.Helper()
	for deadline := time.Now().Add(time.Minute); !s.p.TryStart(); {
		// It refuses as long as processes of the one before hold its memory.
		if time.Now().After(deadline) {
			s.p.Start()
			return
		}
	}
}

// Database makes an empty database and returns its URL.
func (s *Server) Database() string {
	s.t.Helper()
	name := fmt.Sprintf("d%d", s.made.Add(1))
	if err := s.exec("CREATE DATABASE " + name); err != nil {
		s.t.Fatalf("make database: %v", err)
	}
	return s.url(name)
}

func (s *Server) url(database string) string {
	return fmt.Sprintf("postgres://fleetwatt@127.0.0.1:%d/%s?sslmode=disable", s.port, database)
}

// exec runs one statement in the database that every server has.
func (s *Server) exec(statement string) error {
	c, err := pgx.Connect(s.t.Context(), s.url("postgres"))
	if err != nil {
		return err
	}
	_, err = c.Exec(s.t.Context(), statement)
	return errors.Join(err, c.Close(s.t.Context()))
}
