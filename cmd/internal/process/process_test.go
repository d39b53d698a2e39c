package process

import (
	"context"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestMain makes of the test binary the server that the tests start.
func TestMain(m *testing.M) {
	addr := os.Getenv("PROCESS_TEST_LISTEN")
	if addr == "" {
		os.Exit(m.Run())
	}
	fmt.Println("hello")
	for end := time.Now().Add(100 * time.Millisecond); time.Now().Before(end); {
		// It uses the processor, which is looked at.
	}
	if addr == "none" {
		os.Exit(3)
	}
	if _, err := net.Listen("tcp", addr); err != nil {
		os.Exit(4)
	}
	select {}
}

func startSelf(t *testing.T, addr string) *Process {
	t.Helper()
	t.Setenv("PROCESS_TEST_LISTEN", addr)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p, err := Start(t.Context(), t.TempDir(), "server", self)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Stop)
	return p
}

func TestProcessIsWatchedAndStopped(t *testing.T) {
	port, err := FreePort()
	if err != nil {
		t.Fatal(err)
	}
	addr := "127.0.0.1:" + strconv.Itoa(port)
	p := startSelf(t, addr)
	if err := p.Listens(t.Context(), addr); err != nil {
		t.Fatal(err)
	}
	highest := Peak(p.Resident)
	if cpu, err := p.CPU(); err != nil || cpu < 10*time.Millisecond || cpu > time.Minute {
		t.Errorf("CPU: got %v, %v, want some of the 100 ms that it takes", cpu, err)
	}
	if n, err := p.Resident(); err != nil || n < 1<<20 {
		t.Errorf("resident: got %d, %v, want a megabyte at least", n, err)
	}
	if got := highest(); got < 1<<20 {
		t.Errorf("highest: got %d, want a megabyte at least", got)
	}
	p.Stop()
	if conn, err := net.Dial("tcp", addr); err == nil {
		_ = conn.Close()
		t.Error("it takes connections after its end")
	}
	if _, err := p.CPU(); err == nil || !strings.Contains(err.Error(), "hello") {
		t.Errorf("after its end: got %v, want its last words", err)
	}
	if Self() <= 0 {
		t.Error("this process has used nothing")
	}
}

func TestProcessThatEndsIsReported(t *testing.T) {
	p := startSelf(t, "none")
	if err := p.Listens(t.Context(), "127.0.0.1:1"); err == nil || !strings.Contains(err.Error(), "ended at once; its last words: hello") {
		t.Errorf("got %v, want that it has ended", err)
	}
}

func TestProcessThatDoesNotWorkIsReported(t *testing.T) {
	p := startSelf(t, "127.0.0.1:0")
	never := func(context.Context) bool { return false }
	if err := p.Wait(t.Context(), 200*time.Millisecond, never, "sleeps"); err == nil || !strings.Contains(err.Error(), "server sleeps") {
		t.Errorf("got %v, want that it sleeps", err)
	}
}
