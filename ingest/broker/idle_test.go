//go:build unix

package broker

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/fleetwatt/fleetwatt/ingest/servertest"
)

// beIdle connects as load says (address, connections, transport), and is silent
// until its input ends.
func beIdle(load []string) error {
	n, err := strconv.Atoi(load[1])
	if err != nil {
		return err
	}
	for i := range n {
		c, err := net.Dial("tcp", load[0])
		if err != nil {
			return err
		}
		if load[2] == "tls" {
			c = tls.Client(c, &tls.Config{InsecureSkipVerify: true}) // what the server holds is measured, not trust
		}
		defer c.Close()
		if _, err := c.Write(connectPacket(4, fmt.Sprint("idle-", i), "", "", 600)); err != nil {
			return err
		}
		if _, err := io.ReadFull(c, make([]byte, 4)); err != nil {
			return err
		}
	}
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// TestIdleConnections measures what an idle connection holds. For 10,000 of them:
// FLEETWATT_IDLE_CONNECTIONS=10000 go test -run=IdleConnections -v.
func TestIdleConnections(t *testing.T) {
	tests := []struct {
		transport string
		n         int
		most      int // bytes each, with room for the race detector's share
	}{
		{"plain", 2000, 40_000},
		{"tls", 200, 60_000},
	}
	for _, tt := range tests {
		t.Run(tt.transport, func(t *testing.T) {
			n := tt.n
			if s := os.Getenv("FLEETWATT_IDLE_CONNECTIONS"); s != "" {
				var err error
				if n, err = strconv.Atoi(s); err != nil {
					t.Fatal(err)
				}
			}
			cert, key := servertest.NewAuthority(t).Issue("server")
			b := serve(t, Options{
				Listen: "127.0.0.1:0", TLS: &TLSOptions{Listen: "127.0.0.1:0", CertFile: cert, KeyFile: key},
				Anonymous: true, Submit: newPipe(true).submit, Now: time.Now,
			})
			addr := b.Addr()
			if tt.transport == "tls" {
				addr = b.TLSAddr()
			}
			before := inUse()
			startIdle(t, fmt.Sprintf("%s %d %s", addr, n, tt.transport))
			for deadline := time.Now().Add(2 * time.Minute); b.Connected() < n; runtime.Gosched() {
				if time.Now().After(deadline) {
					t.Fatalf("got %d connected, want %d", b.Connected(), n)
				}
			}
			each := (inUse() - before) / n
			t.Logf("%d connections: %d bytes each in heap and stacks; process: %s", n, each, resident())
			if each > tt.most {
				t.Errorf("an idle connection holds %d bytes, want at most %d", each, tt.most)
			}
		})
	}
}

// startIdle starts the clients, which end with the test.
func startIdle(t *testing.T, load string) {
	t.Helper()
	clients := exec.Command(os.Args[0])
	clients.Env = append(os.Environ(), loadVariable+"="+load)
	clients.Stderr = os.Stderr
	hold, err := clients.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := clients.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = hold.Close()
		if err := clients.Wait(); err != nil {
			t.Errorf("clients: %v", err)
		}
	})
}

// inUse is the memory of live objects and stacks, in bytes.
func inUse() int {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc + m.StackInuse)
}

// resident is the memory of the process, where the system tells.
func resident() string {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return "unknown"
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			return strings.TrimSpace(rest) + " resident"
		}
	}
	return "unknown"
}
